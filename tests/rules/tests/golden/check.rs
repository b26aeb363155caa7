//! The checks: what each vector asks of the code, from what it is given.

use std::fmt::Debug;

use serde_json::{Value, json};
use waxwing_core::block::{Block, BlockHeader, CertifiedBlock, block_leaf, entries_root, evidence_root};
use waxwing_core::certificate::{Beacon, Head};
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::{CodecError, Decode, Encode};
use waxwing_core::committee::{Committee, Signatures};
use waxwing_core::envelope::{Carried, Envelope, EnvelopeHeader, ErasureSecret, SignedHeader};
use waxwing_core::genesis::{FirstOfLog, Genesis, Parameters};
use waxwing_core::hash::{Hash, HashKeys, Meaning};
use waxwing_core::keys::{LogId, LogKey, Signature};
use waxwing_core::policy::Policy;
use waxwing_core::schedule::Schedule;
use waxwing_core::verdict::Verdict;
use waxwing_rules::values::FORMATS;

use crate::case::{Outcome, hex};
use crate::{check_file, check_follow, check_identity, check_inbox, check_proof, check_seal};

/// What a case gives, read as what the check needs.
pub(crate) struct Given<'a>(pub(crate) &'a Value);

impl<'a> Given<'a> {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    pub(crate) fn text(&self, name: &str) -> &'a str {
        let value = self.0.get(name).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("the case gives no text {name:?}: {}", self.0))
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        let value = self.0.get(name).and_then(Value::as_u64);
        value.unwrap_or_else(|| panic!("the case gives no number {name:?}: {}", self.0))
    }

    pub(crate) fn small<T: TryFrom<u64>>(&self, name: &str) -> T {
        let number = T::try_from(self.number(name));
        number.unwrap_or_else(|_| panic!("{name:?} is too large: {}", self.0))
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        unhex(self.text(name))
    }

    pub(crate) fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap()
    }

    pub(crate) fn hash(&self, name: &str) -> Hash {
        Hash(self.array(name))
    }

    pub(crate) fn list(&self, name: &str) -> Vec<Given<'a>> {
        let value = self.0.get(name).and_then(Value::as_array);
        let list = value.unwrap_or_else(|| panic!("the case gives no list {name:?}: {}", self.0));
        list.iter().map(Given).collect()
    }

    pub(crate) fn hashes(&self, name: &str) -> Vec<Hash> {
        let list = self.list(name);
        list.iter()
            .map(|value| Hash(unhex(value.0.as_str().unwrap()).try_into().unwrap()))
            .collect()
    }

    /// A value that this check takes for granted.
    pub(crate) fn sound<T: Decode>(&self, name: &str) -> T {
        T::from_bytes(&self.bytes(name)).unwrap()
    }

    /// A value that this check is about.
    pub(crate) fn decoded<T: Decode>(&self, name: &str) -> Result<T, String> {
        T::from_bytes(&self.bytes(name)).map_err(codec)
    }

    pub(crate) fn genesis(&self) -> Genesis {
        self.sound("genesis")
    }

    /// From the genesis, or from the bare network id.
    pub(crate) fn keys(&self) -> HashKeys {
        if self.has("network") {
            HashKeys::new(self.hash("network"))
        } else {
            self.genesis().keys()
        }
    }

    /// The committee given, or else that of the genesis.
    pub(crate) fn committee(&self) -> Committee {
        if self.has("committee") {
            self.sound("committee")
        } else {
            self.genesis().committee()
        }
    }
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16).unwrap()).collect();
    assert!(digits.len().is_multiple_of(2), "half a byte in {text}");
    let bytes = digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]));
    bytes.collect::<Result<_, _>>().unwrap()
}

/// The name of a rule is the name of its error in the code.
pub(crate) fn rule(error: impl Debug) -> String {
    format!("{error:?}")
}

fn codec(error: CodecError) -> String {
    format!("Codec({error:?})")
}

/// Runs a check.
pub(crate) fn run(check: &str, given: &Value) -> Outcome {
    let given = &Given(given);
    match check {
        "decode" => decode(given),
        "hash" => Ok(json!({"hash": hex(given.keys().hash(meaning(given), &given.bytes("bytes")).0)})),
        "node" => node(given),
        "sign" => Ok(sign(given)),
        "signature" => signature(given),
        "parameters" => parameters(given),
        "genesis" => genesis(given),
        "committee" => committee(given),
        "quorum" => quorum(given),
        "committee change" => committee_change(given),
        "turns" => Ok(turns(given)),
        "stamp bits" => Ok(stamp_bits(given)),
        "envelope header" => envelope_header(given),
        "signed header" => signed_header(given),
        "envelope" => envelope(given),
        "carried" => carried(given),
        "erasure" => Ok(json!({"commitment": hex(erasure(given).0)})),
        "excuse" => excuse(given),
        "block header" => block_header(given),
        "block" => block(given),
        "certified block" => certified_block(given),
        "head" => head(given),
        "beacon" => beacon(given),
        "policy" => policy(given),
        "verdicts" => Ok(verdicts()),
        _ => check_proof::run(check, given)
            .or_else(|| check_follow::run(check, given))
            .or_else(|| check_seal::run(check, given))
            .or_else(|| check_file::run(check, given))
            .or_else(|| check_identity::run(check, given))
            .or_else(|| check_inbox::run(check, given))
            .unwrap_or_else(|| panic!("no such check: {check}")),
    }
}

fn decode(given: &Given<'_>) -> Outcome {
    let name = given.text("format");
    let format = FORMATS.iter().find(|format| format.name == name).unwrap();
    let bytes = given.bytes("bytes");
    let again = (format.again)(&bytes).map_err(codec)?;
    assert_eq!(again, bytes, "{name}");
    Ok(json!({}))
}

fn meaning(given: &Given<'_>) -> Meaning {
    let context = given.text("context");
    let found = Meaning::ALL.into_iter().find(|meaning| meaning.context() == context);
    found.unwrap_or_else(|| panic!("no meaning has the context {context:?}"))
}

fn node(given: &Given<'_>) -> Outcome {
    let (left, right) = (given.hash("left"), given.hash("right"));
    Ok(json!({"hash": hex(given.keys().node(meaning(given), &left, &right).0)}))
}

fn sign(given: &Given<'_>) -> Value {
    let key = LogKey::from_seed(&given.array("seed"));
    let signature = key.sign(&given.bytes("message"));
    json!({"key": hex(key.public().0), "signature": hex(signature.0)})
}

fn signature(given: &Given<'_>) -> Outcome {
    let (key, signature) = (LogId(given.array("key")), Signature(given.array("signature")));
    key.verify(&given.bytes("message"), &signature).map_err(rule)?;
    Ok(json!({}))
}

fn parameters(given: &Given<'_>) -> Outcome {
    let parameters: Parameters = given.decoded("bytes")?;
    Ok(json!({
        "stamp bits": parameters.stamp_bits,
        "new log bits": parameters.new_log_bits,
        "hash": hex(parameters.hash(&given.keys()).0),
    }))
}

fn genesis(given: &Given<'_>) -> Outcome {
    let genesis: Genesis = given.decoded("bytes")?;
    let keys = genesis.keys();
    let block = genesis.block();
    Ok(json!({
        "name": genesis.name,
        "time": genesis.time,
        "validators": genesis.validators.len(),
        "network": hex(genesis.network().0),
        "parameters hash": hex(genesis.parameters.hash(&keys).0),
        "committee hash": hex(genesis.committee().hash(&keys).0),
        "committee log": hex(genesis.committee_log_id().0),
        "block 0": hex(block.to_bytes()),
        "block 0 id": hex(block.id(&keys).0),
    }))
}

fn committee(given: &Given<'_>) -> Outcome {
    let committee: Committee = given.decoded("bytes")?;
    Ok(json!({
        "term": committee.term(),
        "members": committee.members().len(),
        "tolerated": committee.tolerated(),
        "quorum": committee.quorum(),
        "hash": hex(committee.hash(&given.keys()).0),
    }))
}

fn quorum(given: &Given<'_>) -> Outcome {
    let signatures: Signatures = given.decoded("signatures")?;
    signatures
        .verify(&given.committee(), &given.bytes("message"))
        .map_err(rule)?;
    Ok(json!({"signers": signatures.signers().collect::<Vec<_>>()}))
}

fn committee_change(given: &Given<'_>) -> Outcome {
    let change: CommitteeChange = given.decoded("bytes")?;
    let message = hex(change.message());
    let signers: Vec<usize> = change.signatures.signers().collect();
    let verified = change.verify(&given.keys(), &given.committee()).map_err(rule)?;
    Ok(json!({
        "from height": verified.from_height,
        "next term": verified.next.term(),
        "next committee": hex(verified.id().0),
        "signers": signers,
        "message": message,
    }))
}

/// The places of members in the committee, in the order of their turns.
fn turns(given: &Given<'_>) -> Value {
    let (committee, mut height) = (given.committee(), given.number("from"));
    let mut schedule = Schedule::new(&committee);
    for place in given.list("proposers") {
        let place = usize::try_from(place.0.as_u64().unwrap()).unwrap();
        schedule.record(height, &committee.members()[place]);
        height += 1;
    }
    let turns = schedule.turns(height).into_iter();
    let turns: Vec<usize> = turns
        .map(|member| committee.members().binary_search(&member).unwrap())
        .collect();
    json!({"height": height, "turns": turns})
}

fn stamp_bits(given: &Given<'_>) -> Value {
    let parameters = Parameters {
        stamp_bits: given.small("stamp bits"),
        new_log_bits: given.small("new log bits"),
    };
    let bits = |first| parameters.required_bits(given.small("body length"), first);
    json!({"later": bits(FirstOfLog::No), "first of its log": bits(FirstOfLog::Yes)})
}

fn envelope_header(given: &Given<'_>) -> Outcome {
    let header: EnvelopeHeader = given.decoded("bytes")?;
    let stamp = header.stamp(&given.keys());
    Ok(json!({
        "body length": header.body_length,
        "keep for": header.keep_for.days(),
        "stamp": hex(stamp.0),
        "stamp bits": stamp.leading_zero_bits(),
    }))
}

fn signed_header(given: &Given<'_>) -> Outcome {
    let signed: SignedHeader = given.decoded("bytes")?;
    let verified = signed.verify(&given.keys(), given.small("stamp bits")).map_err(rule)?;
    Ok(json!({"entry": hex(verified.id().0)}))
}

fn envelope(given: &Given<'_>) -> Outcome {
    let envelope: Envelope = given.decoded("bytes")?;
    let verified = envelope
        .verify(&given.keys(), given.small("stamp bits"))
        .map_err(rule)?;
    Ok(json!({"entry": hex(verified.id().0), "log": hex(verified.signed.header.log.0)}))
}

fn carried(given: &Given<'_>) -> Outcome {
    let carried: Carried = given.decoded("bytes")?;
    let verified = carried.verify(&given.keys(), given.small("stamp bits")).map_err(rule)?;
    Ok(json!({
        "entry": hex(verified.id().0),
        "share": verified.share(),
        "body": verified.body.present().map(hex),
    }))
}

fn erasure(given: &Given<'_>) -> Hash {
    ErasureSecret(given.array("secret")).commitment(&given.keys())
}

fn excuse(given: &Given<'_>) -> Outcome {
    let carried: Carried = given.decoded("bytes")?;
    let header = &carried.signed.header;
    carried.body.check(header, &given.keys()).map_err(rule)?;
    let excused = carried
        .body
        .is_excused(header, given.number("ordered"), given.number("now"));
    Ok(json!({"verdict": if excused { "there or excused" } else { "withheld" }}))
}

fn block_header(given: &Given<'_>) -> Outcome {
    let header: BlockHeader = given.decoded("bytes")?;
    Ok(json!({
        "id": hex(header.id(&given.keys()).0),
        "first position": header.first_position(),
        "can be anchor": header.can_be_anchor(),
    }))
}

fn content(given: &Given<'_>, header: &BlockHeader, entries: &[Carried], logs: &[Given<'_>]) -> Value {
    let keys = given.keys();
    let leaf = |(entry, index): (&Carried, &Given<'_>)| {
        block_leaf(&keys, &entry.signed.entry_id(&keys), index.0.as_u64().unwrap())
    };
    let leaves: Vec<Hash> = entries.iter().zip(logs).map(leaf).collect();
    json!({
        "id": hex(header.id(&keys).0),
        "leaves": leaves.iter().map(|leaf| hex(leaf.0)).collect::<Vec<_>>(),
        "entries root": hex(entries_root(&keys, &leaves).0),
    })
}

fn block(given: &Given<'_>) -> Outcome {
    let block: Block = given.decoded("bytes")?;
    Ok(content(
        given,
        &block.header,
        &block.entries,
        &given.list("log indexes"),
    ))
}

fn certified_block(given: &Given<'_>) -> Outcome {
    let block: CertifiedBlock = given.decoded("bytes")?;
    let mut facts = content(given, &block.head.header, &block.entries, &given.list("log indexes"));
    facts["evidence root"] = json!(hex(evidence_root(&given.keys(), &block.evidence).0));
    Ok(facts)
}

fn head(given: &Given<'_>) -> Outcome {
    let head: Head = given.decoded("bytes")?;
    let signers: Vec<usize> = head.certificate.signatures.signers().collect();
    let verified = head.verify(&given.keys(), &given.committee()).map_err(rule)?;
    Ok(json!({"id": hex(verified.id().0), "signers": signers}))
}

fn beacon(given: &Given<'_>) -> Outcome {
    let beacon: Beacon = given.decoded("bytes")?;
    beacon
        .verify(&given.committee(), given.keys().network())
        .map_err(rule)?;
    Ok(json!({"height": beacon.height, "time": beacon.time}))
}

fn policy(given: &Given<'_>) -> Outcome {
    let policy =
        Policy::parse(given.text("text")).map_err(|error| format!("{:?} in line {}", error.fault, error.line))?;
    Ok(json!({"fingerprint": hex(policy.fingerprint().0), "canonical": policy.to_text()}))
}

fn verdicts() -> Value {
    let all = [
        Verdict::Verified,
        Verdict::Incomplete,
        Verdict::Unanchored,
        Verdict::Diverged,
        Verdict::Tampered,
        Verdict::Malformed,
    ];
    all.iter()
        .map(|verdict| json!([verdict.word(), verdict.exit_code()]))
        .collect()
}
