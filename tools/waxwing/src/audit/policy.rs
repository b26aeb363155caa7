//! `waxwing audit policy`: what an auditor trusts, as a small text file that people can read and compare.

use std::path::Path;

use serde_json::{Value, json};
use waxwing_core::policy::{PinnedHead, Policy};

use crate::args::PolicyVerb;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::ids::{self, Kind};
use crate::network::read_genesis;
use crate::output::Output;
use crate::{Done, clock};

/// A policy with a genesis of 100 validators takes less than 10 kB; the rest is room for comments.
const POLICY_FILE_MAX: u64 = 1 << 20;

pub(super) fn run(verb: &PolicyVerb, output: &Output) -> Done {
    match verb {
        PolicyVerb::New { genesis, head, out } => new(genesis, head.as_deref(), out, output),
        PolicyVerb::Show { file } => show(&read_policy(file)?, output),
        PolicyVerb::Fingerprint { file } => {
            let fingerprint = read_policy(file)?.fingerprint().to_string();
            output.result(
                "audit.policy.fingerprint",
                json!({ "fingerprint": fingerprint }),
                &fingerprint,
            )?;
            Ok(0)
        }
    }
}

fn new(genesis: &Path, head: Option<&str>, out: &Path, output: &Output) -> Done {
    let policy = Policy {
        genesis: read_genesis(genesis)?,
        head: head.map(parse_head).transpose()?,
    };
    let text = commented(&policy);
    if files::is_standard(out) {
        // The file itself is the result; with --json it travels inside the object.
        output.result("audit.policy.new", policy_json(&policy, Some(&text)), &text)?;
        return Ok(0);
    }
    files::write_new(out, text.as_bytes(), Readers::Anybody)?;
    let facts = policy_facts(&policy, output);
    output.result(
        "audit.policy.new",
        policy_json(&policy, None),
        &output.facts(&out.to_string_lossy(), &facts),
    )?;
    output.next(&format!(
        "waxwing audit run DIR --policy {}",
        crate::home::quoted(&out.to_string_lossy())
    ))?;
    Ok(0)
}

/// The policy with a heading for whoever opens the file; the fingerprint does not cover comments.
fn commented(policy: &Policy) -> String {
    let network = policy.genesis.network();
    format!(
        "# What is trusted: the network \"{}\", {}\n# fingerprint of this policy: {}\n{}",
        policy.genesis.name,
        ids::short(Kind::Network, network.as_bytes()),
        policy.fingerprint(),
        policy.to_text()
    )
}

fn show(policy: &Policy, output: &Output) -> Done {
    let text = output.facts("this policy trusts", &policy_facts(policy, output));
    output.result("audit.policy.show", policy_json(policy, None), &text)?;
    Ok(0)
}

fn policy_facts(policy: &Policy, output: &Output) -> Vec<(&'static str, String)> {
    let network = policy.genesis.network();
    let head = match &policy.head {
        Some(head) => format!(
            "{} must be block {}",
            output.id(Kind::Block, head.id.as_bytes()),
            head.height
        ),
        None => "none pinned: nothing tells whether a history is cut short".to_owned(),
    };
    vec![
        (
            "network",
            format!(
                "{}  {}",
                policy.genesis.name,
                output.id(Kind::Network, network.as_bytes())
            ),
        ),
        ("compare", ids::fingerprint(network.as_bytes())),
        ("founded", clock::local(policy.genesis.time)),
        ("head", head),
        ("fingerprint", policy.fingerprint().to_string()),
    ]
}

fn policy_json(policy: &Policy, text: Option<&str>) -> Value {
    let head = policy
        .head
        .map(|head| json!({ "height": head.height, "block": head.id.to_string() }));
    let mut object = json!({
        "fingerprint": policy.fingerprint().to_string(),
        "network": policy.genesis.network().to_string(),
        "name": policy.genesis.name,
        "founded": clock::iso(policy.genesis.time),
        "head": head,
    });
    if let (Some(fields), Some(text)) = (object.as_object_mut(), text) {
        fields.insert("policy".to_owned(), json!(text));
    }
    object
}

/// Reads a policy file.
///
/// # Errors
/// If it cannot be read, or the first line that is wrong.
pub(crate) fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let text = files::read_text(path, "policy", POLICY_FILE_MAX)?;
    Policy::parse(&text).map_err(|error| {
        Failure::usage(format!(
            "{} is no policy: {error}; make one with `waxwing audit policy new GENESIS`",
            path.display()
        ))
    })
}

fn parse_head(text: &str) -> Result<PinnedHead, Failure> {
    let wrong = |why: &str| Failure::usage(format!("--head takes HEIGHT:ID, for example 1204:9f86d0...: {why}"));
    let (height, id) = text.split_once(':').ok_or_else(|| wrong("there is no `:` in it"))?;
    let height = height.parse().map_err(|_| wrong("the height is no number"))?;
    let id = ids::parse_full(Kind::Block, id).map_err(|error| wrong(&error.to_string()))?;
    Ok(PinnedHead { height, id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::Hash;
    use waxwing_core::genesis::{Genesis, Parameters};
    use waxwing_core::keys::VoteKey;

    #[test]
    fn a_policy_with_its_comments_is_read_back() {
        let validators = vec![VoteKey::from_seed(&[1; 32]).public()];
        let genesis = Genesis::new("test", 7, Parameters::DEFAULT, validators).unwrap();
        let policy = Policy {
            genesis,
            head: Some(PinnedHead {
                height: 3,
                id: Hash([9; 32]),
            }),
        };
        assert_eq!(Policy::parse(&commented(&policy)), Ok(policy));
    }

    #[test]
    fn a_head_is_read_in_both_forms_of_its_id() {
        let id = Hash([9; 32]);
        let pinned = Ok(PinnedHead { height: 12, id });
        assert_eq!(parse_head(&format!("12:{id}")), pinned);
        assert_eq!(
            parse_head(&format!("12:{}", ids::full(Kind::Block, id.as_bytes()))),
            pinned
        );
        for wrong in [
            "",
            "12",
            "x:00",
            "-1:00",
            "12:00",
            &format!("12:{}", ids::short(Kind::Block, id.as_bytes())),
        ] {
            assert!(parse_head(wrong).is_err(), "{wrong}");
        }
    }
}
