//! `waxwing network`: found a network, look at one, change who votes in it.

mod committee;
mod key;
mod new;
mod submit;

use std::path::{Path, PathBuf};

use serde_json::json;
use waxwing_core::codec::Decode;
use waxwing_core::committee::Committee;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::ValidatorId;

use crate::args::Network;
use crate::failure::Failure;
use crate::files;
use crate::home::{GENESIS_FILE, Home};
use crate::ids::{self, Kind};
use crate::output::{Output, Tone};
use crate::{Done, clock};

#[cfg(feature = "node")]
pub(crate) use key::{own_key_file, read_vote_key};

/// A genesis of 100 validators takes less than 4 kB.
const GENESIS_FILE_MAX: u64 = 64 << 10;

pub(crate) fn run(verb: &Network, home: &Home, output: &Output) -> Done {
    match verb {
        Network::New(new) => new::run(new, home, output),
        Network::Key { out } => key::run(out.as_deref(), home, output),
        Network::Show { file } => {
            let path = match file {
                Some(file) => file.clone(),
                None => home.folder()?.to_owned(),
            };
            show(&read_genesis(&path)?, home, output)
        }
        Network::Committee(verb) => committee::run(verb, home, output),
    }
}

/// This machine's vote key beside a genesis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Own {
    /// There is none here.
    NoKey,
    /// It is the validator with this number, counted from 1.
    Validator(usize),
    /// It is none of them.
    Stranger(ValidatorId),
}

/// Looks for the vote key of a home in a genesis.
fn own_place(genesis: &Genesis, folder: &Path) -> Own {
    let key = key::own_key_file(folder).and_then(|path| key::read_vote_key(&path).ok());
    let Some(key) = key.map(|key| key.public()) else {
        return Own::NoKey;
    };
    let place = genesis.validators.iter().position(|validator| *validator == key);
    place.map_or(Own::Stranger(key), |place| Own::Validator(place.saturating_add(1)))
}

fn show(genesis: &Genesis, home: &Home, output: &Output) -> Done {
    let (network, committee) = (genesis.network(), genesis.committee());
    let own = home.folder().map_or(Own::NoKey, |folder| own_place(genesis, folder));
    let mut facts = vec![
        ("network", output.id(Kind::Network, network.as_bytes())),
        ("fingerprint", ids::fingerprint(network.as_bytes())),
        ("founded", clock::local(genesis.time)),
        ("quorum", quorum_line(&committee)),
        ("stamps", stamps_line(genesis.parameters)),
    ];
    for validator in &genesis.validators {
        facts.push(("validator", output.id(Kind::Validator, validator.as_bytes())));
    }
    match own {
        Own::NoKey => {}
        Own::Validator(place) => {
            let all = genesis.validators.len();
            facts.push(("your key", format!("is validator {place} of {all}")));
        }
        Own::Stranger(key) => facts.push((
            "your key",
            output.paint(
                Tone::Bad,
                &format!(
                    "{} is none of them: start no node with it; tell whoever wrote this genesis that your line is missing",
                    output.id(Kind::Validator, key.as_bytes())
                ),
            ),
        )),
    }
    output.result(
        "network.show",
        facts_json(genesis, own),
        &output.facts(&genesis.name, &facts),
    )?;
    Ok(0)
}

/// Says what the number of validators is worth: one alone protects against nothing it does itself.
fn quorum_line(committee: &Committee) -> String {
    let (members, quorum) = (committee.members().len(), committee.quorum());
    match committee.tolerated() {
        0 => format!("{quorum} of {members}: no validator may fail or lie"),
        1 => format!("{quorum} of {members}: one validator may fail or lie"),
        faulty => format!("{quorum} of {members}: {faulty} validators may fail or lie"),
    }
}

fn stamps_line(parameters: Parameters) -> String {
    format!(
        "{} bits, {} more for the first entry of a log",
        parameters.stamp_bits, parameters.new_log_bits
    )
}

fn facts_json(genesis: &Genesis, own: Own) -> serde_json::Value {
    let (network, committee) = (genesis.network(), genesis.committee());
    let own_validator = match own {
        Own::Validator(place) => Some(place),
        Own::NoKey | Own::Stranger(_) => None,
    };
    json!({
        "name": genesis.name,
        "network": network.to_string(),
        "fingerprint": ids::fingerprint(network.as_bytes()),
        "founded": clock::iso(genesis.time),
        "stamp_bits": genesis.parameters.stamp_bits,
        "new_log_bits": genesis.parameters.new_log_bits,
        "quorum": committee.quorum(),
        "validators": genesis.validators.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "own_validator": own_validator,
    })
}

/// Where a folder holds a genesis: its own, or the one that its node was made with. Where it is missing, if nowhere.
pub(crate) fn genesis_in(folder: &Path) -> PathBuf {
    let (own, nodes) = (folder.join(GENESIS_FILE), folder.join("node").join("genesis"));
    if !own.exists() && nodes.exists() { nodes } else { own }
}

/// Reads a genesis file, or the one in a folder.
///
/// # Errors
/// If there is none, or it is something else.
pub(crate) fn read_genesis(path: &Path) -> Result<Genesis, Failure> {
    let path = if path.is_dir() {
        genesis_in(path)
    } else {
        path.to_owned()
    };
    if !files::is_standard(&path) && !path.exists() {
        return Err(no_genesis(&path));
    }
    let bytes = files::read(&path, "genesis", GENESIS_FILE_MAX)?;
    Genesis::from_bytes(&bytes).map_err(|error| {
        Failure::usage(format!(
            "{} is no genesis ({error}): ask whoever founded the network for {GENESIS_FILE}",
            path.display()
        ))
    })
}

fn no_genesis(path: &Path) -> Failure {
    Failure::usage(format!(
        "there is no genesis at {}: found a network with `waxwing network new NAME`, or name the file of one",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::codec::Encode;
    use waxwing_core::keys::VoteKey;

    #[test]
    fn the_quorum_says_what_it_is_worth() {
        let committee = |count: u8| {
            let mut members: Vec<_> = (1..=count)
                .map(|seed| VoteKey::from_seed(&[seed; 32]).public())
                .collect();
            members.sort_unstable();
            Committee::new(0, members).unwrap()
        };
        assert_eq!(quorum_line(&committee(1)), "1 of 1: no validator may fail or lie");
        assert_eq!(quorum_line(&committee(4)), "3 of 4: one validator may fail or lie");
        assert_eq!(quorum_line(&committee(7)), "5 of 7: 2 validators may fail or lie");
    }

    #[test]
    fn an_operator_finds_his_own_key_in_a_genesis_or_is_told_that_it_is_missing() {
        let keys: Vec<_> = (1..=4).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        let validators = keys.iter().map(VoteKey::public).collect();
        let genesis = Genesis::new("test", 1, Parameters::DEFAULT, validators).unwrap();
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(own_place(&genesis, folder.path()), Own::NoKey);
        let path = folder.path().join("vote.key");
        key::write_vote_key(&path, &keys[2]).unwrap();
        let place = genesis
            .validators
            .iter()
            .position(|key| *key == keys[2].public())
            .unwrap();
        assert_eq!(own_place(&genesis, folder.path()), Own::Validator(place + 1));
        std::fs::remove_file(&path).unwrap();
        let other = VoteKey::from_seed(&[9; 32]);
        key::write_vote_key(&path, &other).unwrap();
        assert_eq!(own_place(&genesis, folder.path()), Own::Stranger(other.public()));
    }

    #[test]
    fn a_home_whose_node_was_given_a_genesis_has_one_and_its_own_comes_first() {
        let genesis = |name| {
            let validators = vec![VoteKey::from_seed(&[1; 32]).public()];
            Genesis::new(name, 1, Parameters::DEFAULT, validators).unwrap()
        };
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("node")).unwrap();
        assert!(read_genesis(home.path()).is_err());
        std::fs::write(home.path().join("node/genesis"), genesis("given").to_bytes()).unwrap();
        assert_eq!(read_genesis(home.path()).unwrap(), genesis("given"));
        std::fs::write(home.path().join(GENESIS_FILE), genesis("own").to_bytes()).unwrap();
        assert_eq!(read_genesis(home.path()).unwrap(), genesis("own"));
    }

    #[test]
    fn a_file_that_is_no_genesis_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(GENESIS_FILE);
        let Err(Failure::Usage(text)) = read_genesis(folder.path()) else {
            panic!("there is none")
        };
        assert!(text.contains("waxwing network new"), "{text}");
        std::fs::write(&path, b"WXGENES\x01rubbish").unwrap();
        let Err(Failure::Usage(text)) = read_genesis(&path) else {
            panic!("it is none")
        };
        assert!(text.contains("is no genesis"), "{text}");
    }
}
