//! The table of all settings.

use super::values::{
    address, addresses, choice, http, line, number, pin, show_address, show_addresses, show_http, show_line, show_pin,
};
use super::{Join, LogFormat, NodeConfig, Submit};

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file; in capitals behind `WAXWING_` as a variable, with dashes as a flag.
    pub name: &'static str,
    /// What it does, for the file and the help; lines of at most 100 characters.
    pub meaning: &'static str,
    pub(super) set: fn(&mut NodeConfig, &toml::Value) -> Result<(), String>,
    /// The value in a configuration, as TOML.
    pub show: fn(&NodeConfig) -> String,
}

/// What a node does if nobody sets anything.
pub(super) fn defaults() -> NodeConfig {
    NodeConfig {
        listen: ([127, 0, 0, 1], 4040).into(),
        http: Some(([127, 0, 0, 1], 4041).into()),
        upstreams: Vec::new(),
        validators: Vec::new(),
        join: Join::Full,
        pin: None,
        submit: Submit::Everybody,
        policy: String::new(),
        quota_mib: 0,
        chunks_mib: 4096,
        chunks_days: 30,
        chunks_share: 50,
        block_pause_ms: 100,
        pool_entries: 65_536,
        pool_mib: 64,
        threads: 0,
        cache_mib: 128,
        write_buffers_mib: 64,
        connections: 1024,
        connections_per_address: 32,
        requests_per_second: 4000,
        log: "info".to_owned(),
        log_format: LogFormat::Auto,
    }
}

const JOIN: [(&str, Join); 2] = [("full", Join::Full), ("fast", Join::Fast)];

const SUBMIT: [(&str, Submit); 2] = [("everybody", Submit::Everybody), ("nobody", Submit::Nobody)];

const LOG_FORMAT: [(&str, LogFormat); 3] = [
    ("auto", LogFormat::Auto),
    ("text", LogFormat::Text),
    ("json", LogFormat::Json),
];

/// A setting that is a number within bounds.
macro_rules! number {
    ($field:ident, $range:expr, $meaning:literal) => {
        Key {
            name: stringify!($field),
            meaning: $meaning,
            set: |config, value| number(value, $range).map(|number| config.$field = number),
            show: |config| config.$field.to_string(),
        }
    };
}

/// Every setting.
pub const KEYS: &[Key] = &[
    Key {
        name: "listen",
        meaning: "Where clients and other nodes reach this node: QUIC, so a UDP port. Port 0 takes any free one.\n\
                  A node that others are to reach listens on 0.0.0.0 or [::].",
        set: |config, value| address(value).map(|address| config.listen = address),
        show: |config| show_address(config.listen),
    },
    Key {
        name: "http",
        meaning: "Where /livez, /readyz, /status and /metrics are: a loopback address, or \"off\".",
        set: |config, value| http(value).map(|http| config.http = http),
        show: |config| show_http(config.http),
    },
    Key {
        name: "upstreams",
        meaning: "Nodes of the same network, each <key>@<host>:<port>. A follower copies the ledger from any of them,\n\
                  checks everything, and passes envelopes on to those that order.",
        set: |config, value| addresses(value).map(|addresses| config.upstreams = addresses),
        show: |config| show_addresses(&config.upstreams),
    },
    Key {
        name: "validators",
        meaning: "The other validators of the committee, each <key>@<host>:<port>. Of two validators one has to know\n\
                  the other. While this node does not vote it copies from them as from `upstreams`.",
        set: |config, value| addresses(value).map(|addresses| config.validators = addresses),
        show: |config| show_addresses(&config.validators),
    },
    Key {
        name: "join",
        meaning: "How a node that has nothing yet begins: \"full\" copies and checks everything from the genesis on;\n\
                  \"fast\" begins with a snapshot at a recent certified block, is of use within seconds, and fills in\n\
                  and checks what came before behind it. A directory with a vote key always begins in full.",
        set: |config, value| choice(value, &JOIN).map(|join| config.join = join),
        show: |config| show_choice(&JOIN, config.join),
    },
    Key {
        name: "pin",
        meaning: "For join = \"fast\" where the genesis is more than 30 days old: a recent block that somebody you\n\
                  trust has checked, <height>:<id>, as `waxwing node status --json` of a node of theirs shows it\n\
                  (height, head). Nothing is joined that does not follow it.",
        set: |config, value| pin(value).map(|pin| config.pin = pin),
        show: |config| show_pin(config.pin),
    },
    Key {
        name: "submit",
        meaning: "Who may submit envelopes here: \"everybody\" who pays the stamp, or \"nobody\".",
        set: |config, value| choice(value, &SUBMIT).map(|submit| config.submit = submit),
        show: |config| show_choice(&SUBMIT, config.submit),
    },
    Key {
        name: "policy",
        meaning: "A line about access and retention that clients show to their users; at most 512 bytes.",
        set: |config, value| line(value, 512).map(|line| config.policy = line),
        show: |config| show_line(&config.policy),
    },
    number!(
        quota_mib,
        0..=1 << 40,
        "MiB on disk beyond which no envelopes are taken any more; 0 for no bound. Clients are shown it."
    ),
    number!(
        chunks_mib,
        0..=1 << 30,
        "MiB of sealed pieces of attachments that are kept for clients, beside the ledger; 0 keeps none.\n\
         The last 512 MiB of the disk are left to the ledger. Clients are shown it."
    ),
    number!(
        chunks_days,
        1..=3650,
        "Days for which a piece of an attachment is kept at most. Clients are shown it."
    ),
    number!(
        chunks_share,
        1..=100,
        "Percent of the room for attachments that one address may take, of what is left to it and others."
    ),
    number!(
        block_pause_ms,
        0..=10_000,
        "Pause after a block that was not full, in milliseconds. The first envelope after a rest never waits."
    ),
    number!(pool_entries, 1..=1 << 24, "Envelopes that may wait for a block."),
    number!(
        pool_mib,
        2..=1 << 16,
        "MiB of envelopes that may wait for a block. Beyond either bound senders are told to wait."
    ),
    number!(threads, 0..=1024, "Threads that check signatures; 0 for one per core."),
    number!(cache_mib, 1..=1 << 20, "MiB of the database's read cache."),
    number!(write_buffers_mib, 8..=1 << 16, "MiB of the database's write buffers."),
    number!(
        connections,
        1..=1 << 20,
        "Connections for anybody. Each may cost the node some 8 MiB at the worst."
    ),
    number!(connections_per_address, 1..=1 << 20, "Connections from one address."),
    number!(
        requests_per_second,
        1..=1 << 24,
        "Requests of one address in a second; those that read much count several times."
    ),
    Key {
        name: "log",
        meaning: "What is logged: error, warn, info, debug, trace, or a filter as in RUST_LOG.",
        set: |config, value| line(value, 512).map(|line| config.log = line),
        show: |config| show_line(&config.log),
    },
    Key {
        name: "log_format",
        meaning: "How it is logged: \"text\", \"json\", or \"auto\" (text on a terminal).",
        set: |config, value| choice(value, &LOG_FORMAT).map(|format| config.log_format = format),
        show: |config| show_choice(&LOG_FORMAT, config.log_format),
    },
];

fn show_choice<T: PartialEq>(choices: &[(&str, T)], value: T) -> String {
    let name = choices.iter().find(|(_, choice)| *choice == value);
    show_line(name.map_or("", |(name, _)| name))
}
