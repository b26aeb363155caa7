//! Policies as text, and the table of verdicts.

use serde_json::json;
use waxwing_core::hash::Hash;
use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_rules::world::World;

use crate::case::Cases;

pub(crate) fn policies() -> Cases {
    let story = "What an auditor trusts, as text. The fingerprint covers the meaning, not the spelling.";
    let mut cases = Cases::new(story, json!({}));
    let policy = Policy {
        genesis: World::new(1).genesis,
        head: None,
    };
    let pinned = Policy {
        head: Some(PinnedHead {
            height: 1204,
            id: Hash([0x9f; 32]),
        }),
        ..policy.clone()
    };
    let (text, with_head) = (policy.to_text(), pinned.to_text());
    let given = |text: &str| json!({"text": text});
    cases.accept("a genesis", "policy", given(&text));
    cases.accept("a genesis and a head", "policy", given(&with_head));
    let commented = format!("# who trusts what\n\n{}", with_head.replace('\n', "  # so\r\n"));
    cases.accept("comments, blank lines, other line ends", "policy", given(&commented));
    let upper = with_head.replace("9f", "9F").replace("head 1204", "head\t 01204");
    cases.accept("upper-case digits, tabs, a leading zero", "policy", given(&upper));
    let (first, rest) = with_head.split_once('\n').unwrap();
    let (genesis, head) = rest.split_once('\n').unwrap();
    cases.accept(
        "head before genesis",
        "policy",
        given(&format!("{first}\n{head}{genesis}")),
    );

    broken(&mut cases, &text, &with_head);
    cases
}

fn broken(cases: &mut Cases, text: &str, with_head: &str) {
    let (genesis, head) = with_head.split_once('\n').unwrap().1.split_once('\n').unwrap();
    let mut refuse = |rule: &str, name: &str, text: &str| cases.refuse(rule, name, "policy", json!({"text": text}));
    refuse(
        "NotAPolicy in line 1",
        "the first statement says that it is a policy",
        genesis,
    );
    refuse(
        "NotAPolicy in line 1",
        "the version is 1",
        &text.replace("policy 1", "policy 2"),
    );
    refuse("NoGenesis in line 0", "nothing is no policy", "");
    refuse("NoGenesis in line 0", "a policy pins a genesis", "waxwing-policy 1\n");
    refuse(
        "UnknownStatement in line 3",
        "an unknown statement is not passed over",
        &format!("{text}witness x\n"),
    );
    refuse("Twice in line 3", "there is one genesis", &format!("{text}{genesis}\n"));
    refuse("Twice in line 4", "there is one head", &format!("{with_head}{head}"));
    refuse(
        "BadGenesis in line 2",
        "a genesis is hexadecimal",
        "waxwing-policy 1\ngenesis 0g",
    );
    refuse("BadGenesis in line 2", "a genesis is whole", &text[..text.len() - 3]);
    refuse(
        "BadGenesis in line 2",
        "a genesis is one word",
        "waxwing-policy 1\ngenesis",
    );
    refuse(
        "BadHead in line 3",
        "a head has a height",
        &format!("{text}head -1 {}", Hash::ZERO),
    );
    refuse(
        "BadHead in line 3",
        "a head has an id of 64 digits",
        &format!("{text}head 1 00"),
    );
    refuse("BadHead in line 3", "a head is two words", &format!("{text}head 1"));
}

pub(crate) fn verdicts() -> Cases {
    let mut cases = Cases::new("The words of an audit, worst last, and their exit codes.", json!({}));
    cases.accept("all verdicts", "verdicts", json!({}));
    cases
}
