//! One validator's disk fills up: it stops with the reason, the others go on, and it comes back when there is room.

use std::fs;
use std::process::Command;

use waxwing_system::command::done;
use waxwing_system::hosts::in_namespaces;

use crate::stage::Stage;

#[test]
fn a_full_disk_stops_one_validator_and_no_other() {
    in_namespaces("disk::a_full_disk_stops_one_validator_and_no_other", || {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::create_dir(&disk).unwrap();
        done(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
                .arg(&disk),
        );
        let mut stage = Stage::committee_with_last_home(folder, 4, disk.join("h4"));
        stage.start_all(&[1, 2, 3, 4]);
        // Somebody else's file takes what is left but a little.
        let ballast = disk.join("ballast");
        fs::write(&ballast, vec![7; 48 << 20]).unwrap();
        let load = stage.load_of(1, 60_000);
        let (status, printed) = stage.node(4).end();
        assert_eq!(status.code(), Some(1), "{status}: {printed}");
        let last = printed
            .lines()
            .find(|line| line.starts_with("error: "))
            .unwrap_or_default();
        for word in ["WX-1001", "No space left on device", "check the disk and its space"] {
            assert!(last.contains(word), "{word:?} in: {printed}");
        }
        let gap = stage.more("three of four order", &load, 50);
        fs::remove_file(&ballast).unwrap();
        let (start, target) = (stage.time(), stage.height(1));
        stage.node(4).start();
        stage.until_height(&[4], target);
        println!(
            "disk: longest gap {gap} ms; with room again caught up after {} ms",
            stage.time() - start
        );
        drop(stage.end(vec![load]));
    });
}
