//! Files beside the ledger, with real nodes: they arrive whole, whoever dies on the way, and nothing that others chose
//! decides where they come to lie.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use waxwing_system::command::{done, json, list, number, refusal, run, text, waxwing};
use waxwing_system::den::{Den, reads};
use waxwing_system::node::Node;
use waxwing_system::person::Person;
use waxwing_system::process::Running;
use waxwing_system::until::until;

/// 20 MB, which no two pieces have in common: the output of a generator (xorshift64) that begins with `seed`.
fn film(folder: &Path, seed: u64) -> PathBuf {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(20_000_000);
    while bytes.len() < 20_000_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    let path = folder.join("film.mp4");
    fs::write(&path, bytes).unwrap();
    path
}

/// Chunks of a file of 20 MB: 78 of its own with the padding, and one for the list of their ids.
const CHUNKS: u64 = 79;

fn kept(node: &Node) -> u64 {
    number(&node.status(), "/chunks/chunks")
}

fn attach(person: &Person, file: &Path) -> std::process::Command {
    let mut command = person.chat(&["attach", "den"]);
    command.arg(file);
    command
}

fn save(person: &Person, message: &str, to: &Path) -> std::process::Command {
    let mut command = person.chat(&["save", "den", message, "--to"]);
    command.arg(to);
    command
}

/// The unfinished file in a folder.
fn part(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut parts = files.filter(|path| path.extension().is_some_and(|ending| ending == "part"));
    parts.next()
}

#[test]
fn a_file_survives_the_death_of_its_sender_and_of_its_reader() {
    let den = Den::new();
    let Den {
        node, ann, ben, folder, ..
    } = &den;
    let sent = film(folder.path(), 1);
    let sender = Running::start(&mut attach(ann, &sent));
    until("a quarter of the file is on the node", || {
        (kept(node) >= CHUNKS / 4).then_some(())
    });
    // Without a chance to save anything.
    drop(sender);
    let before = kept(node);
    assert!(before < CHUNKS, "it was over before it could be killed");
    assert!(
        list(&ann.read("den"), "/messages").is_empty(),
        "nothing is said of half a file"
    );

    let attached = json(attach(ann, &sent).args(["--text", "at last"]));
    assert_eq!(text(&attached, "/schema"), "waxwing.chat.attach/1");
    assert_eq!(text(&attached, "/message/state"), "final");
    assert_eq!(number(&attached, "/copies"), 1);
    assert_eq!(kept(node), CHUNKS, "the same chunks, not others");
    // A put that was on its way when the sender died may have been counted before it was answered.
    assert!(
        number(&attached, "/put_bytes") <= (CHUNKS - before) * 262_160,
        "{attached}"
    );

    let to = folder.path().join("there");
    fs::create_dir(&to).unwrap();
    let _ = ben.read("den");
    let reader = Running::start(&mut save(ben, "0", &to));
    until("a quarter of the file is here", || {
        let size = fs::metadata(part(&to)?).ok()?.len();
        (size >= 5_000_000).then_some(())
    });
    drop(reader);
    assert!(!to.join("film.mp4").exists(), "it was over before it could be killed");
    let there = fs::metadata(part(&to).unwrap()).unwrap().len();
    let gets = node.figure("waxwing_requests_total{kind=\"get_chunk\"}");
    let saved = json(&mut save(ben, "0", &to));
    assert_eq!(text(&saved, "/schema"), "waxwing.chat.save/1");
    let path = to.join("film.mp4");
    assert_eq!(text(&saved, "/out"), path.to_string_lossy());
    assert!(fs::read(&path).unwrap() == fs::read(&sent).unwrap(), "byte by byte");
    assert_eq!(part(&to), None);
    let again = node.figure("waxwing_requests_total{kind=\"get_chunk\"}") - gets;
    let missing = CHUNKS - there / 262_144;
    assert!(
        (missing..missing + 3).contains(&again),
        "{again} chunks were fetched, {there} bytes were there"
    );

    // What the sender's device noted for the second half of the way is gone with it: sent again, it is another file.
    json(attach(ann, &sent).arg("--no-wait"));
    assert_eq!(kept(node), 2 * CHUNKS, "another key, other chunks");
}

#[test]
fn a_file_is_shown_for_what_it_is_and_saved_under_a_harmless_name() {
    let den = Den::new();
    let Den { ann, ben, folder, .. } = &den;
    let sent = folder.path().join("cat.jpg");
    fs::write(&sent, b"meow").unwrap();
    let hostile = "../../home\u{202e}gpj.exe";
    let said = run(attach(ann, &sent).args(["--name", hostile, "--text", "look at her"]));
    assert_eq!(said.code, Some(0), "{}", said.err);
    for words in ["keeps files for up to 30 days", "free of"] {
        assert!(said.err.contains(words), "the node's terms: {}", said.err);
    }
    assert!(said.out.contains("kept by 1 node until 20"), "{}", said.out);

    let seen = reads(ben, "den");
    assert!(
        seen.contains("[../../home⟨202E⟩gpj.exe, 4 B, kept by nodes until 20"),
        "{seen}"
    );
    assert!(seen.contains("not saved here] look at her"), "{seen}");
    assert!(!seen.contains('\u{202e}'));
    let message = ben.read("den").pointer("/messages/0").unwrap().clone();
    assert_eq!(text(&message, "/kind"), "attachment");
    assert_eq!(text(&message, "/attachment/name"), hostile);
    assert_eq!(text(&message, "/attachment/safe_name"), "home⟨202E⟩gpj.exe");
    assert_eq!(text(&message, "/attachment/media_type"), "image/jpeg");
    assert_eq!(number(&message, "/attachment/size"), 4);
    assert_eq!(text(&message, "/attachment/hash").len(), 64);
    assert!(text(&message, "/attachment/kept_until").starts_with("20"));
    is_saved(ben, folder.path());
    is_exported(ben, folder.path());
}

/// Saves the file of the first message in every way there is.
fn is_saved(ben: &Person, folder: &Path) {
    let inner = folder.join("a/b/c");
    fs::create_dir_all(&inner).unwrap();
    let said = done(&mut save(ben, "0", &inner));
    assert!(said.contains("checked and saved"), "{said}");
    let saved = inner.join("home⟨202E⟩gpj.exe");
    assert_eq!(fs::read(&saved).unwrap(), b"meow");
    assert!(reads(ben, "den").contains(&format!("saved as {}", saved.display())));
    let (code, line) = refusal(&mut save(ben, "0", &saved));
    assert_eq!(code, 2);
    assert!(line.contains("exists and is not overwritten"), "{line}");
    assert_eq!(run(&mut save(ben, "0", Path::new("-"))).out, "meow");
    let found = json(&mut ben.chat(&["search", "home"]));
    assert_eq!(list(&found, "/hits").len(), 1, "found by its name: {found}");
}

/// A file in both forms of an export: what it is, and not where it lies here.
fn is_exported(ben: &Person, folder: &Path) {
    let page = folder.join("page.html");
    done(ben.chat(&["export", "den", "--format", "html", "--out"]).arg(&page));
    let page = fs::read_to_string(page).unwrap();
    assert!(
        page.contains("home⟨202E⟩gpj.exe") && page.contains("look at her"),
        "{page}"
    );
    let transcript = folder.join("transcript.json");
    done(
        ben.chat(&["export", "den", "--format", "json", "--out"])
            .arg(&transcript),
    );
    let transcript: Value = serde_json::from_str(&fs::read_to_string(transcript).unwrap()).unwrap();
    assert_eq!(number(&transcript, "/messages/0/attachment/size"), 4);
    let file = transcript.pointer("/messages/0/attachment").unwrap();
    assert!(
        file.get("saved").is_none(),
        "where it lies here is nobody's business: {file}"
    );
}

#[test]
fn what_cannot_be_sent_or_saved_is_refused_with_the_reason() {
    let den = Den::new();
    let Den { ann, ben, folder, .. } = &den;
    for (file, why) in [
        (folder.path().join("nothing"), "there is no such file"),
        (folder.path().to_owned(), "folders are sent as an archive"),
    ] {
        let (code, line) = refusal(&mut attach(ann, &file));
        assert_eq!(code, 2);
        assert!(line.contains(why), "{line}");
    }
    ann.send("den", "no file");
    let _ = ben.read("den");
    let (code, line) = refusal(&mut save(ben, "0", folder.path()));
    assert_eq!(code, 2);
    assert!(line.contains("hands over no file"), "{line}");
    let (_, line) = refusal(&mut save(ben, "7", folder.path()));
    assert!(line.contains("no message"), "{line}");
    let (code, line) = refusal(save(ben, "0", Path::new("-")).arg("--json"));
    assert_eq!(code, 2);
    assert!(line.contains("standard output"), "{line}");
}

#[test]
fn a_node_that_keeps_no_files_says_so_before_anything_is_sent() {
    let mut den = Den::new();
    den.node.kill();
    let mut node = den.node.with("chunks-mib", "0");
    node.start();
    let sent = den.folder.path().join("cat.jpg");
    fs::write(&sent, b"meow").unwrap();
    let (code, line) = refusal(&mut attach(&den.ann, &sent));
    assert_eq!(code, 1);
    assert!(
        line.contains("keeps no attachments") && line.contains("Add a node"),
        "{line}"
    );
    assert!(list(&den.ann.read("den"), "/messages").is_empty());
}

#[test]
fn a_node_without_room_for_a_file_says_how_much_there_is_before_anything_is_sent() {
    let mut den = Den::new();
    den.node.kill();
    let mut node = den.node.with("chunks-mib", "1").with("chunks-days", "3");
    node.start();
    let (small, large) = (den.folder.path().join("cat.jpg"), den.folder.path().join("film.mp4"));
    fs::write(&small, b"meow").unwrap();
    fs::write(&large, vec![7; 2 << 20]).unwrap();
    let said = run(&mut attach(&den.ann, &large));
    assert_eq!(said.code, Some(1), "{}", said.err);
    for words in [
        "does not take it (the file is larger",
        "larger than what is free there. Add a node",
        "error: no node takes the file",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    assert_eq!(kept(&node), 0);
    assert!(
        list(&den.ann.read("den"), "/messages").is_empty(),
        "nothing is said of it"
    );
    // What there is room for goes there, for as long as is offered and no longer.
    let attached = json(&mut attach(&den.ann, &small));
    assert_eq!((number(&attached, "/copies"), kept(&node)), (1, 1));
    assert_eq!(number(&attached, "/offers/0/days"), 3);
    let status = json(waxwing(node.home()).args(["node", "status"]));
    assert_eq!(number(&status, "/attachments/days"), 3);
}
