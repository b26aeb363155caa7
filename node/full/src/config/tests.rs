//! What is read is what was written, and every mistake is named.

use super::*;
use waxwing_core::Hash;
use waxwing_core::keys::NodeKey;

fn file(text: &str) -> Result<Loaded, ConfigError> {
    Loaded::new(&Layers {
        file: Some(("node.toml".into(), text.to_owned())),
        ..Layers::default()
    })
}

fn changed() -> NodeConfig {
    NodeConfig {
        listen: ([0, 0, 0, 0], 1).into(),
        http: None,
        upstreams: vec![NodeAddress {
            node: NodeKey::from_seed(&[1; 32]).public(),
            host: "[::1]".to_owned(),
            port: 7,
        }],
        validators: vec![NodeAddress {
            node: NodeKey::from_seed(&[2; 32]).public(),
            host: "validator.example".to_owned(),
            port: 8,
        }],
        join: Join::Fast,
        pin: Some(PinnedHead {
            height: 77,
            id: Hash([7; 32]),
        }),
        submit: Submit::Nobody,
        policy: "be \"kind\"".to_owned(),
        quota_mib: 1,
        chunks_mib: 11,
        chunks_days: 12,
        chunks_share: 13,
        block_pause_ms: 2,
        pool_entries: 3,
        pool_mib: 4,
        threads: 5,
        cache_mib: 6,
        write_buffers_mib: 9,
        connections: 8,
        connections_per_address: 9,
        requests_per_second: 10,
        log: "debug".to_owned(),
        log_format: LogFormat::Json,
    }
}

#[test]
fn the_written_file_is_read_back_and_a_file_of_defaults_sets_nothing() {
    let written = file(&changed().to_file()).unwrap();
    assert_eq!(written.config, changed());
    assert!(
        written.origins.values().all(|origin| matches!(origin, Origin::File(_))),
        "every key differs here"
    );
    let defaults = file(&NodeConfig::default().to_file()).unwrap();
    assert_eq!(defaults.config, NodeConfig::default());
    assert!(defaults.origins.values().all(|origin| *origin == Origin::Default));
    assert_eq!(defaults.origins.len(), KEYS.len());
}

#[test]
fn a_flag_beats_a_variable_which_beats_the_file() {
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut layers = Layers {
        file: Some((
            "node.toml".into(),
            "threads = 1\npool_mib = 3\nlog = \"warn\"".to_owned(),
        )),
        variables: vec![
            text("WAXWING_THREADS", "2"),
            text("WAXWING_LOG", "debug"),
            text("WAXWING_HOME", "/x"),
        ],
        flags: vec![text("threads", "3")],
    };
    let loaded = Loaded::new(&layers).unwrap();
    let config = &loaded.config;
    assert_eq!((config.threads, config.log.as_str(), config.pool_mib), (3, "debug", 3));
    assert_eq!(loaded.origins["threads"].to_string(), "--threads");
    assert_eq!(loaded.origins["log"].to_string(), "$WAXWING_LOG");
    assert_eq!(loaded.origins["pool_mib"].to_string(), "node.toml");
    layers.flags = vec![text("upstreams", ""), text("block_pause_ms", " 7 ")];
    let config = Loaded::new(&layers).unwrap().config;
    assert_eq!((config.upstreams.len(), config.block_pause_ms), (0, 7));
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_one_named() {
    let error = file("conections = 5").unwrap_err();
    assert_eq!(
        error.to_string(),
        "node.toml: there is no setting \"conections\"; did you mean \"connections\"?"
    );
    assert!(matches!(
        file("[pool]\nentries = 5"),
        Err(ConfigError::UnknownKey { .. })
    ));
}

#[test]
fn values_out_of_bounds_are_refused_with_what_is_allowed() {
    let message = |text: &str| file(text).unwrap_err().to_string();
    assert_eq!(
        message("threads = -1"),
        "node.toml: \"threads\" must be a whole number from 0 to 1024"
    );
    assert_eq!(
        message("submit = \"all\""),
        "node.toml: \"submit\" must be one of \"everybody\", \"nobody\""
    );
    let loopback = "node.toml: \"http\" must be a loopback address and a port, as \"127.0.0.1:4041\", or \"off\"";
    assert_eq!(message("http = \"0.0.0.0:80\""), loopback);
    assert!(message("upstreams = [\"x@y:1\"]").contains("\"x@y:1\" is none"));
    let block = "node.toml: \"pin\" must be a block, as <height>:<64 hexadecimal digits>, its height above 0";
    let id = "ab".repeat(32);
    for text in [
        format!("0:{id}"),
        format!("7:{id}0"),
        format!("7 {id}"),
        format!(":{id}"),
        "7:".to_owned(),
    ] {
        assert_eq!(message(&format!("pin = \"{text}\"")), block);
    }
    assert!(file(&format!("pin = \"7:{id}\"")).is_ok());
    assert!(message("policy = \"a\\u001bb\"").ends_with("a line of text of at most 512 bytes"));
    assert!(message("listen = 5").contains("an IP address and a port"));
    assert!(matches!(file("threads ="), Err(ConfigError::Syntax { .. })));
}

#[test]
fn every_key_is_explained_in_short_lines() {
    for key in KEYS {
        assert!(
            key.meaning.lines().all(|line| (20..=110).contains(&line.len())),
            "{}",
            key.name
        );
    }
}
