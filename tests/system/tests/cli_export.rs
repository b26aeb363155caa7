//! `chat export`: a conversation as a file that says what is proven about it; hostile words stay where they are.

use std::fs;

use serde_json::{Value, json};
use waxwing_system::command::{done, json, list, number, refusal, run, text};
use waxwing_system::den::{Den, reads};

/// A conversation with everything that a file has to be able to hold.
fn spoken() -> Den {
    let den = Den::new();
    let Den { ann, ben, .. } = &den;
    ann.send("den", "<script>alert(1)</script> & \"quotes\"\u{202e}\u{1b}[2J");
    reads(ben, "den");
    done(&mut ben.chat(&["reply", "den", "0", "line one\nline <two>"]));
    done(&mut ben.chat(&["react", "den", "0", "<b>"]));
    ann.send("den", "a mistake");
    done(&mut ann.chat(&["retract", "den#3", "--yes"]));
    ann.send("den", "to be edited");
    done(&mut ann.chat(&["edit", "den#5", "edited"]));
    reads(ben, "den");
    ben.queue("den", "on its way");
    den
}

#[test]
fn an_export_holds_the_conversation_and_says_what_is_proven() {
    let den = spoken();
    let (ben, at) = (&den.ben, |name: &str| den.folder.path().join(name));
    let exported = json(
        ben.chat(&["export", "den", "--format", "json", "--out"])
            .arg(at("a.json")),
    );
    assert_eq!(
        (text(&exported, "/schema"), number(&exported, "/messages")),
        ("waxwing.chat.export/1", 5)
    );
    let bytes = fs::read_to_string(at("a.json")).unwrap();
    assert_eq!(Ok(number(&exported, "/bytes")), u64::try_from(bytes.len()));
    assert!(!bytes.contains(['\u{202e}', '\u{1b}']), "it moves no terminal");
    let file: Value = serde_json::from_str(&bytes).unwrap();
    assert_eq!(text(&file, "/schema"), "waxwing.transcript/1");
    assert_eq!(text(&file, "/channel/name"), "den");
    let said: Vec<_> = list(&file, "/messages")
        .iter()
        .map(|message| message["text"].clone())
        .collect();
    let hostile = "<script>alert(1)</script> & \"quotes\"\u{202e}\u{1b}[2J";
    assert_eq!(
        said,
        [
            json!(hostile),
            json!("line one\nline <two>"),
            Value::Null,
            json!("edited"),
            json!("on its way")
        ]
    );
    assert_eq!(text(&file, "/messages/0/reactions/0/emoji"), "<b>");
    assert_eq!(file["messages"][2]["retracted"], json!(true));
    assert!(
        file["messages"][0].get("id").is_none(),
        "numbers of one home mean nothing elsewhere"
    );
    says_its_limits(&file);
}

/// Whoever finds the file has nobody to ask.
fn says_its_limits(file: &Value) {
    assert!(
        text(file, "/proven/0").contains("recomputed on that device: 7 entries"),
        "{file}"
    );
    let limits = file["not_proven"].to_string();
    for limit in [
        "a copy without a signature",
        "names are as claimed",
        "are in no ledger yet",
    ] {
        assert!(limits.contains(limit), "{limits}");
    }
}

#[test]
fn an_export_is_its_owners_alone_and_overwrites_nothing() {
    let den = Den::new();
    den.ben.send("den", "hello");
    let (ben, at) = (&den.ben, |name: &str| den.folder.path().join(name));
    done(
        ben.chat(&["export", "den", "--format", "json", "--out"])
            .arg(at("a.json")),
    );
    let bytes = fs::read_to_string(at("a.json")).unwrap();
    json(
        ben.chat(&["export", "den", "--format", "json", "--out"])
            .arg(at("b.json")),
    );
    assert_eq!(
        fs::read_to_string(at("b.json")).unwrap(),
        bytes,
        "the same state is the same file"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(at("a.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "plaintext is its owner's alone");
    }

    let (code, line) = refusal(
        ben.chat(&["export", "den", "--format", "html", "--out"])
            .arg(at("a.json")),
    );
    assert_eq!(code, 2);
    assert!(line.contains("is not overwritten"), "{line}");
    assert_eq!(fs::read_to_string(at("a.json")).unwrap(), bytes);
    for (arguments, words) in [
        (
            &["export", "attic", "--format", "json", "--out", "x"][..],
            "no channel attic",
        ),
        (&["export", "den", "--format", "pdf", "--out", "x"], "pdf"),
        (&["export", "den", "--format", "json"], "--out"),
        (&["export", "den", "--out", "x"], "--format"),
    ] {
        assert!(refusal(&mut ben.chat(arguments)).1.contains(words), "{arguments:?}");
    }
    let printed = run(&mut ben.chat(&["export", "den", "--format", "json", "--out", "-"]));
    assert_eq!(printed.out, bytes);
}

#[test]
fn the_page_is_one_file_without_script_and_no_text_gets_out_of_its_place() {
    let den = spoken();
    let file = den.folder.path().join("den.html");
    done(den.ben.chat(&["export", "den", "--format", "html", "--out"]).arg(&file));
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"));
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot;⟨202E⟩␛[2J"),
        "{page}"
    );
    assert!(
        page.contains("line one\nline &lt;two&gt;") && page.contains("&lt;b&gt;"),
        "{page}"
    );
    for words in [
        "(taken back by its author)",
        "edited by its author",
        "href=\"#entry-0\"",
        "id=\"entry-0\"",
        "What is not proven",
        "default-src 'none'",
        "@page",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let lower = page.to_lowercase();
    for foreign in [
        "<script",
        "javascript:",
        "src=",
        "http://",
        "https://",
        "<b>",
        "onload",
        "url(",
    ] {
        assert!(!lower.contains(foreign), "{foreign}: {page}");
    }
    // Everything that is opened is closed, in order.
    let mut open: Vec<&str> = Vec::new();
    for piece in page.split('<').skip(2) {
        let name = piece.split(['>', ' ']).next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{piece}"),
            None if name != "meta" => open.push(name),
            None => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
