//! What a stranger could send, by the million, and what must hold whatever it is.
//!
//! Seven targets, each with several games; the first byte of an input chooses one. A game is played with raw bytes (a
//! decoder must answer, and what it accepts has one encoding) or with a script: the bytes choose what true thing is
//! taken, how it is spoilt, and in which order a state machine is told. Scripts reach behind signatures, because they
//! may sign with keys of the test's own network.
//!
//! | target | holds |
//! |---|---|
//! | [`values`] | one value, one encoding; verifying never panics |
//! | [`proofs`] | no proof but the true one; a light client believes no block that was not made; true answers always lead a joining node to the end |
//! | [`wire`] | frames are cut alike however they arrive; one message, one encoding; a reply's insides have an answer |
//! | [`order`] | a host never panics, never signs two things for one step, never decides twice |
//! | [`seal`] | what is sealed is opened, what is spoilt is not; no text of others reaches a screen with its tricks; what is void leaves no trace |
//! | [`groups`] | all who read an epoch's log end alike, nothing true is lost, nothing counts twice, what was spoilt counts never |
//! | [`files`] | a spoilt history is never called verified; texts and files read back to what they were |
//!
//! Whatever is found becomes a test beside the code that was wrong.

mod attached;
pub mod files;
#[cfg(not(test))]
mod frames;
pub mod golden;
pub mod groups;
mod identity;
mod inbox;
mod joining;
pub mod order;
pub mod proofs;
pub mod script;
pub mod seal;
pub mod values;
pub mod wire;

use std::path::PathBuf;

/// Stands for what a node may stop for, where its own source is borrowed: nothing here stops one.
#[cfg(not(test))]
mod faults {
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub(crate) enum Fault {}
}

/// A target, as an ordinary test plays it.
#[derive(Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Plays one input.
    pub run: fn(&[u8]),
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 7] = [
    Target {
        name: "values",
        run: values::run,
        seeds: values::seeds,
    },
    Target {
        name: "proofs",
        run: proofs::run,
        seeds: proofs::seeds,
    },
    Target {
        name: "wire",
        run: wire::run,
        seeds: wire::seeds,
    },
    Target {
        name: "order",
        run: order::run,
        seeds: order::seeds,
    },
    Target {
        name: "seal",
        run: seal::run,
        seeds: seal::seeds,
    },
    Target {
        name: "groups",
        run: groups::run,
        seeds: groups::seeds,
    },
    Target {
        name: "files",
        run: files::run,
        seeds: files::seeds,
    },
];

/// Where a target writes its seeds before it begins, if `run` asks for them.
pub const SEEDS_VARIABLE: &str = "WAXWING_FUZZ_SEEDS";

/// Writes the inputs to start from, each under its place in the list.
///
/// # Panics
/// If they cannot be written: a run from nothing would look like one from the vectors.
pub fn write_seeds(seeds: fn() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os(SEEDS_VARIABLE).map(PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(&folder).expect("the folder of the seeds can be made");
    for (place, seed) in seeds().iter().enumerate() {
        std::fs::write(folder.join(format!("{place:05}")), seed).expect("a seed can be written");
    }
}
