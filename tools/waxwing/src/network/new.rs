//! `waxwing network new`: founding a network means writing down what everybody will pin.
//!
//! Alone, one person makes a key and names it. Together, each operator makes a key on his own machine, one of them writes
//! the lines into a genesis, and all compare its fingerprint. Whoever writes it can name other keys than those he was
//! sent; that is why everybody looks for his own in it before a node is started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use waxwing_core::codec::Encode;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::ValidatorId;

use super::key::{new_vote_key, read_lines, write_vote_key};
use super::{facts_json, own_place};
use crate::args::NewNetwork;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::home::{GENESIS_FILE, Home, VOTE_KEY_FILE, quoted};
use crate::ids::{self, Kind};
use crate::output::Output;
use crate::{Done, clock};

pub(super) fn run(new: &NewNetwork, home: &Home, output: &Output) -> Done {
    let folder = match &new.out {
        Some(folder) => folder.clone(),
        None => home.folder()?.to_owned(),
    };
    match (new.validators, new.keys.is_empty()) {
        (None | Some(1), true) => alone(new, &folder, home, output),
        (Some(count), true) => Err(Failure::usage(format!(
            "a network of {count} validators takes {count} keys, given as --key: each operator makes one on his own \
             machine with `waxwing network key` and sends you the line that it prints"
        ))),
        (count, false) => together(new, count, &folder, output),
    }
}

fn genesis_of(new: &NewNetwork, validators: Vec<ValidatorId>) -> Result<Genesis, Failure> {
    let parameters = Parameters {
        stamp_bits: new.stamp_bits,
        new_log_bits: new.new_log_bits,
    };
    Genesis::new(&new.name, clock::now_ms(), parameters, validators).map_err(|error| Failure::usage(error.to_string()))
}

fn alone(new: &NewNetwork, folder: &Path, home: &Home, output: &Output) -> Done {
    let (genesis_path, key_path) = (folder.join(GENESIS_FILE), folder.join(VOTE_KEY_FILE));
    // Both are looked for before either is written: a key without its genesis would be of no use to anybody.
    if let Some(taken) = [&genesis_path, &key_path].into_iter().find(|path| path.exists()) {
        return Err(files::already_there(taken));
    }
    let key = new_vote_key()?;
    let genesis = genesis_of(new, vec![key.public()])?;
    files::create_folder(folder)?;
    write_vote_key(&key_path, &key)?;
    files::write_new(&genesis_path, &genesis.to_bytes(), Readers::Anybody)?;
    tell(&genesis, &genesis_path, Some(&key_path), folder, output)?;
    let option = match &new.out {
        Some(folder) => format!(" --home {}", quoted(&folder.to_string_lossy())),
        None => home.as_option(),
    };
    output.next(&format!("waxwing node run{option}"))?;
    Ok(0)
}

fn together(new: &NewNetwork, count: Option<u16>, folder: &Path, output: &Output) -> Done {
    let genesis_path = folder.join(GENESIS_FILE);
    if genesis_path.exists() {
        return Err(files::already_there(&genesis_path));
    }
    let validators = distinct(read_lines(&new.keys)?)?;
    as_many(count, validators.len())?;
    let genesis = genesis_of(new, validators)?;
    files::create_folder(folder)?;
    files::write_new(&genesis_path, &genesis.to_bytes(), Readers::Anybody)?;
    tell(&genesis, &genesis_path, None, folder, output)?;
    output.next(&format!(
        "waxwing network show {}",
        quoted(&genesis_path.to_string_lossy())
    ))?;
    Ok(0)
}

/// No key may come twice: its owner would have two votes in the eyes of the others, and only one to cast.
pub(super) fn distinct(keys: Vec<(ValidatorId, String)>) -> Result<Vec<ValidatorId>, Failure> {
    let mut seen: BTreeMap<ValidatorId, String> = BTreeMap::new();
    for (key, place) in keys {
        if let Some(first) = seen.insert(key, place.clone()) {
            return Err(Failure::usage(format!(
                "{first} and {place} are the same key, {}: each operator makes one of his own with `waxwing network key`; \
                 ask whose line is missing",
                ids::short(Kind::Validator, key.as_bytes())
            )));
        }
    }
    Ok(seen.into_keys().collect())
}

fn as_many(wanted: Option<u16>, given: usize) -> Result<(), Failure> {
    let wanted = wanted.map_or(given, usize::from);
    if given == wanted {
        return Ok(());
    }
    let what_to_do = if given < wanted {
        "each operator who is missing runs `waxwing network key` on his own machine and sends you the line"
    } else {
        "leave out what is too much, or say --validators with their number"
    };
    Err(Failure::usage(format!(
        "{given} of {wanted} keys are given: {what_to_do}"
    )))
}

fn tell(
    genesis: &Genesis,
    genesis_path: &Path,
    key_path: Option<&PathBuf>,
    folder: &Path,
    output: &Output,
) -> Result<(), Failure> {
    let network = genesis.network();
    let own = own_place(genesis, folder);
    let mut object = facts_json(genesis, own);
    if let Some(fields) = object.as_object_mut() {
        fields.insert("genesis".to_owned(), json!(genesis_path));
        fields.insert("vote_key".to_owned(), key_path.map_or(Value::Null, |path| json!(path)));
    }
    let mut facts = vec![
        ("network", output.id(Kind::Network, network.as_bytes())),
        ("fingerprint", ids::fingerprint(network.as_bytes())),
        ("genesis", format!("{}  give this to everybody", genesis_path.display())),
    ];
    match key_path {
        Some(path) => facts.push(("vote key", format!("{}  secret; on one machine only", path.display()))),
        None => {
            let members = genesis.validators.iter();
            facts.extend(members.map(|member| ("validator", output.id(Kind::Validator, member.as_bytes()))));
            let compare = "compare the fingerprint by voice, all of you, before anybody starts a node";
            facts.push(("then", compare.to_owned()));
        }
    }
    output.result(
        "network.new",
        object,
        &output.facts(&format!("founded {}", genesis.name), &facts),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::keys::VoteKey;

    #[test]
    fn a_key_that_comes_twice_is_named_with_both_places() {
        let key = |seed| VoteKey::from_seed(&[seed; 32]).public();
        let given = |seeds: &[u8]| {
            let places = (1..).map(|number: u32| format!("key {number}"));
            distinct(seeds.iter().map(|seed| key(*seed)).zip(places).collect())
        };
        assert_eq!(given(&[1, 2, 3]).unwrap().len(), 3);
        let Err(Failure::Usage(text)) = given(&[1, 2, 1]) else {
            panic!("one is there twice")
        };
        assert!(text.starts_with("key 1 and key 3 are the same key"), "{text}");
    }

    #[test]
    fn too_few_and_too_many_keys_say_what_to_do() {
        assert_eq!(as_many(Some(4), 4), Ok(()));
        assert_eq!(as_many(None, 3), Ok(()));
        let told = |wanted, given| match as_many(Some(wanted), given) {
            Err(Failure::Usage(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(told(4, 3).contains("3 of 4 keys are given: each operator who is missing"));
        assert!(told(2, 3).contains("leave out what is too much"));
    }
}
