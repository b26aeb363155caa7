//! The vectors of the MLS working group, as a passive member sees them, through the provider that groups are lent.
//!
//! Nobody here wrote them: a key package, a welcome, then proposals and commits, and what the epoch authenticator must be
//! after each. They use suites and messages that groups here do not have, so they go to the library itself; what is tried
//! is that library with our storage, our randomness and our exporter labels behind it. Suites 1 to 3 are run; the others
//! are none that the provider computes, and are counted by name.
//!
//! The vectors' key packages expired in 2024, and the library asks the machine's clock. So the test runs itself again with
//! a clock that stands in November 2023, by a library of a few lines between it and the system.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use openmls::group::{MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY, MlsGroup, MlsGroupJoinConfig, StagedWelcome};
use openmls::prelude::tls_codec::DeserializeBytes as _;
use openmls::prelude::{
    BasicCredential, Ciphersuite, CredentialWithKey, KeyPackage, KeyPackageBundle, MlsMessageBodyIn, MlsMessageIn,
    OpenMlsCrypto as _, OpenMlsProvider as _, ProcessedMessageContent, ProtocolVersion, RatchetTreeIn, SignatureScheme,
};
use openmls::schedule::PreSharedKeyId;
use openmls_memory_storage::MemoryStorage;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::storage::StorageProvider as _;
use serde_json::{Value, json};
use waxwing_seal::group::Provider;

type Lent<'a> = Provider<'a, MemoryStorage>;

/// Set in the run whose clock stands still.
const INSIDE: &str = "WAXWING_TEST_MLS_VECTORS";

/// When all of the vectors' key packages count: 14 November 2023.
const THEN_S: u64 = 1_700_000_000;

const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    if (clock != CLOCK_REALTIME) return (int)syscall(SYS_clock_gettime, clock, time);
    time->tv_sec = WHEN;
    time->tv_nsec = 0;
    return 0;
}
"#;

fn clock(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(&source, CLOCK.replace("WHEN", &THEN_S.to_string())).unwrap();
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(&source)
        .status();
    assert!(
        built.unwrap().success(),
        "a C compiler is needed, as it is for building the stores"
    );
    library
}

#[test]
fn a_passive_member_arrives_at_every_epoch_of_the_working_groups_vectors() {
    if std::env::var_os(INSIDE).is_some() {
        return run();
    }
    let folder = tempfile::tempdir().unwrap();
    let outcome = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_passive_member_arrives_at_every_epoch_of_the_working_groups_vectors",
        ])
        .arg("--nocapture")
        .env(INSIDE, "1")
        .env("LD_PRELOAD", clock(folder.path()))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&outcome.stdout);
    assert!(
        outcome.status.success(),
        "{printed}{}",
        String::from_utf8_lossy(&outcome.stderr)
    );
    println!("{printed}");
    assert!(printed.contains("1 passed"), "the inner run ran nothing: {printed}");
}

/// What came of one file.
#[derive(Default, PartialEq, Eq, Debug)]
struct Count {
    vectors: usize,
    epochs: usize,
    skipped: BTreeMap<String, usize>,
}

fn run() {
    let skipped = |each| {
        let names = [
            "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448",
            "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
            "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
            "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
        ];
        names.map(|name| (name.to_owned(), each)).into()
    };
    let expected = [
        ("passive-client-welcome", 24, 0, skipped(8)),
        ("passive-client-handling-commit", 39, 78, skipped(13)),
        ("passive-client-random", 1, 30, BTreeMap::new()),
    ];
    for (name, vectors, epochs, skipped) in expected {
        let expected = Count {
            vectors,
            epochs,
            skipped,
        };
        let count = file(name);
        assert_eq!(count, expected, "{name}");
    }
}

fn file(name: &str) -> Count {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/mls");
    let text = fs::read_to_string(folder.join(name).with_extension("json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut count = Count::default();
    for (number, vector) in vectors.iter().enumerate() {
        let suite = vector["cipher_suite"].as_u64().unwrap();
        let suite = Ciphersuite::try_from(u16::try_from(suite).unwrap()).unwrap();
        let storage = MemoryStorage::default();
        let mut rolls = 0_u8;
        let mut chance = |bytes: &mut [u8]| {
            rolls = rolls.wrapping_add(1);
            bytes.fill(rolls);
        };
        let provider = Provider::new(&storage, &mut chance);
        if provider.crypto().supports(suite).is_err() {
            *count.skipped.entry(format!("{suite:?}")).or_default() += 1;
            continue;
        }
        count.vectors += 1;
        count.epochs += follow(&provider, suite, vector, &format!("{name} {number}"));
    }
    count
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn body(message: &Value) -> MlsMessageBodyIn {
    MlsMessageIn::tls_deserialize_exact_bytes(&bytes(message))
        .unwrap()
        .extract()
}

/// Joins, and processes everything. Returns the number of epochs.
fn follow(provider: &Lent<'_>, suite: Ciphersuite, vector: &Value, name: &str) -> usize {
    for psk in list(&vector["external_psks"]) {
        let id = PreSharedKeyId::external(bytes(&psk["psk_id"]), vec![]);
        id.store(provider, &bytes(&psk["psk"])).unwrap();
    }
    keep_key_package(provider, suite, vector);
    let mut group = joined(provider, vector);
    let agrees = |group: &MlsGroup, expected: &Value, at: usize| {
        assert_eq!(
            group.epoch_authenticator().as_slice(),
            bytes(expected),
            "{name}, epoch {at}"
        );
    };
    agrees(&group, &vector["initial_epoch_authenticator"], 0);
    let epochs = list(&vector["epochs"]);
    for (at, epoch) in epochs.iter().enumerate() {
        for message in list(&epoch["proposals"]).iter().chain([&epoch["commit"]]) {
            process(provider, &mut group, message);
        }
        agrees(&group, &epoch["epoch_authenticator"], at + 1);
    }
    epochs.len()
}

fn joined(provider: &Lent<'_>, vector: &Value) -> MlsGroup {
    let config = MlsGroupJoinConfig::builder()
        .wire_format_policy(MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .use_ratchet_tree_extension(true)
        .number_of_resumption_psks(16)
        .build();
    let MlsMessageBodyIn::Welcome(welcome) = body(&vector["welcome"]) else {
        unreachable!("the vector names it a welcome");
    };
    let mut builder = StagedWelcome::build_from_welcome(provider, &config, welcome).unwrap();
    if vector["ratchet_tree"].is_string() {
        let tree = RatchetTreeIn::tls_deserialize_exact_bytes(&bytes(&vector["ratchet_tree"])).unwrap();
        builder = builder.with_ratchet_tree(tree);
    }
    let staged = builder.skip_lifetime_validation().build().unwrap();
    staged.into_group(provider).unwrap()
}

fn process(provider: &Lent<'_>, group: &mut MlsGroup, message: &Value) {
    let message = MlsMessageIn::tls_deserialize_exact_bytes(&bytes(message)).unwrap();
    let message = message.try_into_protocol_message().unwrap();
    match group.process_message(provider, message).unwrap().into_content() {
        ProcessedMessageContent::ProposalMessage(proposal) => {
            group.store_pending_proposal(provider.storage(), *proposal).unwrap();
        }
        ProcessedMessageContent::StagedCommitMessage(commit) => group.merge_staged_commit(provider, *commit).unwrap(),
        other => unreachable!("the vectors hold proposals and commits: {other:?}"),
    }
}

/// Signs with nothing: the key package around it is replaced by the vector's.
struct NoSigner(SignatureScheme);

impl Signer for NoSigner {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(vec![0; 64])
    }

    fn signature_scheme(&self) -> SignatureScheme {
        self.0
    }
}

/// Puts the vector's key package and its private keys where the library looks for them. It has no way in for keys made
/// elsewhere, so one made here takes them over in its stored form.
fn keep_key_package(provider: &Lent<'_>, suite: Ciphersuite, vector: &Value) {
    let MlsMessageBodyIn::KeyPackage(unchecked) = body(&vector["key_package"]) else {
        unreachable!("the vector names it a key package");
    };
    let key_package = unchecked.validate(provider.crypto(), ProtocolVersion::Mls10).unwrap();
    let credential = CredentialWithKey {
        credential: BasicCredential::new(vec![1]).into(),
        signature_key: vec![0; 32].into(),
    };
    let signer = NoSigner(suite.signature_algorithm());
    let bundle = KeyPackage::builder()
        .build(suite, provider, &signer, credential)
        .unwrap();
    let mut stored = serde_json::to_value(&bundle).unwrap();
    *stored.get_mut("key_package").unwrap() = serde_json::to_value(&key_package).unwrap();
    for (field, given) in [
        ("private_init_key", "init_priv"),
        ("private_encryption_key", "encryption_priv"),
    ] {
        assert!(replace(stored.get_mut(field).unwrap(), &bytes(&vector[given])));
    }
    let bundle: KeyPackageBundle = serde_json::from_value(stored).unwrap();
    let reference = key_package.hash_ref(provider.crypto()).unwrap();
    provider.storage().write_key_package(&reference, &bundle).unwrap();
}

/// Replaces the one list of bytes that a stored secret is.
fn replace(value: &mut Value, with: &[u8]) -> bool {
    match value {
        Value::Array(items) if items.iter().all(Value::is_u64) => {
            *value = json!(with);
            true
        }
        Value::Array(items) => items.iter_mut().any(|item| replace(item, with)),
        Value::Object(fields) => fields.values_mut().any(|field| replace(field, with)),
        _ => false,
    }
}
