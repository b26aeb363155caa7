//! `waxwing network`: founding a network means making a vote key and writing down what everybody will pin.

use std::path::Path;

use serde_json::json;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::Committee;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::VoteKey;
use zeroize::Zeroizing;

use crate::args::{Network, NewNetwork};
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::home::{GENESIS_FILE, Home, VOTE_KEY_FILE, quoted};
use crate::ids::{self, Kind};
use crate::output::Output;
use crate::{Done, clock};

/// A genesis of 100 validators takes less than 4 kB.
const GENESIS_FILE_MAX: u64 = 64 << 10;

pub(crate) fn run(verb: &Network, home: &Home, output: &Output) -> Done {
    match verb {
        Network::New(new) => found(new, home, output),
        Network::Show { file } => {
            let path = match file {
                Some(file) => file.clone(),
                None => home.folder()?.to_owned(),
            };
            show(&read_genesis(&path)?, output)
        }
    }
}

fn found(new: &NewNetwork, home: &Home, output: &Output) -> Done {
    let folder = match &new.out {
        Some(folder) => folder.clone(),
        None => home.folder()?.to_owned(),
    };
    let (genesis_path, key_path) = (folder.join(GENESIS_FILE), folder.join(VOTE_KEY_FILE));
    // Both are looked for before either is written: a key without its genesis would be of no use to anybody.
    if let Some(taken) = [&genesis_path, &key_path].into_iter().find(|path| path.exists()) {
        return Err(files::already_there(taken));
    }
    let key = new_vote_key()?;
    let parameters = Parameters {
        stamp_bits: new.stamp_bits,
        new_log_bits: new.new_log_bits,
    };
    let genesis = Genesis::new(&new.name, clock::now_ms(), parameters, vec![key.public()])
        .map_err(|error| Failure::usage(error.to_string()))?;
    files::create_folder(&folder)?;
    write_vote_key(&key_path, &key)?;
    files::write_new(&genesis_path, &genesis.to_bytes(), Readers::Anybody)?;
    tell_founded(&genesis, &genesis_path, &key_path, output)?;
    let option = match &new.out {
        Some(folder) => format!(" --home {}", quoted(&folder.to_string_lossy())),
        None => home.as_option(),
    };
    output.next(&format!("waxwing node run{option}"))?;
    Ok(0)
}

fn tell_founded(genesis: &Genesis, genesis_path: &Path, key_path: &Path, output: &Output) -> Result<(), Failure> {
    let network = genesis.network();
    let mut object = facts_json(genesis);
    if let Some(fields) = object.as_object_mut() {
        fields.insert("genesis".to_owned(), json!(genesis_path));
        fields.insert("vote_key".to_owned(), json!(key_path));
    }
    let facts = [
        ("network", output.id(Kind::Network, network.as_bytes())),
        ("fingerprint", ids::fingerprint(network.as_bytes())),
        ("genesis", format!("{}  give this to everybody", genesis_path.display())),
        (
            "vote key",
            format!("{}  secret; on one machine only", key_path.display()),
        ),
    ];
    output.result(
        "network.new",
        object,
        &output.facts(&format!("founded {}", genesis.name), &facts),
    )
}

fn show(genesis: &Genesis, output: &Output) -> Done {
    let (network, committee) = (genesis.network(), genesis.committee());
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
    output.result(
        "network.show",
        facts_json(genesis),
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

fn facts_json(genesis: &Genesis) -> serde_json::Value {
    let (network, committee) = (genesis.network(), genesis.committee());
    json!({
        "name": genesis.name,
        "network": network.to_string(),
        "fingerprint": ids::fingerprint(network.as_bytes()),
        "founded": clock::iso(genesis.time),
        "stamp_bits": genesis.parameters.stamp_bits,
        "new_log_bits": genesis.parameters.new_log_bits,
        "quorum": committee.quorum(),
        "validators": genesis.validators.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// Reads a genesis file, or the one in a folder.
///
/// # Errors
/// If there is none, or it is something else.
pub(crate) fn read_genesis(path: &Path) -> Result<Genesis, Failure> {
    let path = if path.is_dir() {
        path.join(GENESIS_FILE)
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

fn new_vote_key() -> Result<VoteKey, Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut seed[..])
        .map_err(|error| Failure::failed(format!("the system has no random numbers to make a key from: {error}")))?;
    Ok(VoteKey::from_seed(&seed))
}

fn write_vote_key(path: &Path, key: &VoteKey) -> Result<(), Failure> {
    let text = Zeroizing::new(format!("{}\n", Zeroizing::new(ids::hex(&key.seed()[..])).as_str()));
    files::write_new(path, text.as_bytes(), Readers::Owner)
}

#[cfg(test)]
mod tests {
    use super::*;

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
