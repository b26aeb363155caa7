//! One validator's clock is half a minute wrong: nobody follows it, and nobody waits for it.
//!
//! The clock is shifted below the program, between it and the system, so that what is tried is the program as it is: a
//! library of a few lines answers its calls for the time of day. The steady clock, by which it waits, stays right, as it
//! does on a machine whose date was set wrong.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use waxwing_store::{Options, RocksTables, Store};
use waxwing_system::command::done;
use waxwing_system::hosts::in_namespaces;

use crate::stage::Stage;

/// Answers `clock_gettime` for the time of day with a time that is `WAXWING_TEST_SHIFT_S` seconds off.
const SHIFT: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    long outcome = syscall(SYS_clock_gettime, clock, time);
    const char *shift = getenv("WAXWING_TEST_SHIFT_S");
    if (outcome == 0 && clock == CLOCK_REALTIME && shift) time->tv_sec += atol(shift);
    return (int)outcome;
}
"#;

fn library(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("shift.c"), folder.join("shift.so"));
    fs::write(&source, SHIFT).unwrap();
    done(
        Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(&source),
    );
    library
}

/// The seconds since 1970 by a clock that is off by so many.
fn seconds(library: &Path, shift: i64) -> i64 {
    let mut date = Command::new("date");
    date.arg("+%s")
        .env("LD_PRELOAD", library)
        .env("WAXWING_TEST_SHIFT_S", shift.to_string());
    done(&mut date).trim().parse().unwrap()
}

/// Three whose clocks are right, one whose clock is off by so many seconds.
///
/// Returns how many of the four proposed a block that became final.
fn with_one_wrong(shift: i64, what: &str) -> usize {
    let mut stage = Stage::committee(4);
    let library = library(stage.folder.path());
    let wrong_by = seconds(&library, shift) - seconds(&library, 0);
    assert!(wrong_by.abs_diff(shift) < 5, "the clock is not shifted: {wrong_by} s");
    stage.start_all(&[1, 2, 3]);
    let mut command = stage.node(4).command();
    command
        .env("LD_PRELOAD", library)
        .env("WAXWING_TEST_SHIFT_S", shift.to_string());
    stage.node(4).start_as(command);
    stage.watch(4);
    let loads = vec![stage.load(1), stage.load(4)];
    let gap = stage.more("the right three order", loads.first().unwrap(), 200);
    stage.more(
        "what clients of the wrong one submit is ordered",
        loads.get(1).unwrap(),
        50,
    );
    // The one with the wrong clock is at the same head, and no block claims a time beyond the permitted skew.
    let target = stage.height(1);
    let behind = stage.until_height(&[4], target);
    println!("clock {what}: longest gap {gap} ms; the wrong one at the same head after {behind} ms");
    let folder = stage.end(loads);
    proposers(&folder.path().join("h1/node/db"))
}

fn proposers(database: &Path) -> usize {
    let store = Store::<RocksTables>::open_read_only(database, &Options::default()).unwrap();
    let headers = (1..).map_while(|height| store.header(height).unwrap());
    headers.map(|header| header.proposer).collect::<BTreeSet<_>>().len()
}

#[test]
fn a_clock_half_a_minute_ahead_stops_nobody() {
    in_namespaces("clock::a_clock_half_a_minute_ahead_stops_nobody", || {
        // Its own blocks are from the future, and nobody votes for them.
        assert_eq!(with_one_wrong(30, "30 s ahead"), 3);
    });
}

#[test]
fn a_clock_half_a_minute_behind_stops_nobody() {
    in_namespaces("clock::a_clock_half_a_minute_behind_stops_nobody", || {
        // To it all others' blocks are from the future; its own are as good as any.
        assert!(with_one_wrong(-30, "30 s behind") >= 3);
    });
}
