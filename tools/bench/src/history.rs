//! Long histories in the directory of a node, made without one: for what reads a ledger rather than makes it.
//!
//! They go through the same rules and the same synced writes as a node's, in full blocks, and are made once in a run.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use waxwing_core::genesis::Genesis;
use waxwing_node::Clock;
use waxwing_node::directory::Directory;
use waxwing_store::fixture::{PARAMETERS, Plan, World, validator};
use waxwing_store::{Options, Store};

use crate::figure::say;
use crate::node;
use crate::proofs::BODY_BYTES;

/// Entries in a block: as many as fit.
const PER_BLOCK: u32 = 1_700;

/// With fewer logs than this a full block would hold more entries of one log than it may.
const LOGS_MIN: u64 = 32;

/// Founded so long ago that the times of all blocks lie in the past, and so recently that every anchor is still valid.
const FOUNDED_AGO_MS: u64 = 3 * 3_600_000;

/// How the entries are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// Every entry in a log of its own.
    ManyLogs,
    /// A thousand entries in each log.
    LongLogs,
    /// As where people talk: ten thousand logs, each growing now and then.
    Conversations,
}

impl Shape {
    /// How many logs so many entries are in.
    pub(crate) const fn logs(self, entries: u64) -> u64 {
        match self {
            Self::ManyLogs => entries,
            Self::Conversations => {
                let logs = entries / 30;
                if logs < LOGS_MIN { LOGS_MIN } else { logs }
            }
            Self::LongLogs => {
                let logs = entries / 1_000;
                if logs < LOGS_MIN { LOGS_MIN } else { logs }
            }
        }
    }
}

/// The directories that were made in this run.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    made: Vec<(Shape, TempDir)>,
}

impl Histories {
    pub(crate) fn directory(&mut self, parent: &Path, shape: Shape, entries: u64) -> anyhow::Result<PathBuf> {
        if let Some((_, made)) = self.made.iter().find(|(made, _)| *made == shape) {
            return Ok(made.path().join("node"));
        }
        let made = tempfile::tempdir_in(parent)?;
        let path = made.path().join("node");
        say(&format!(
            "  making a history of {entries} entries in {} logs",
            shape.logs(entries)
        ));
        make(&path, shape, entries)?;
        self.made.push((shape, made));
        Ok(path)
    }
}

fn make(path: &Path, shape: Shape, entries: u64) -> anyhow::Result<()> {
    let founded = Clock::system().now_ms() - FOUNDED_AGO_MS;
    let genesis = Genesis::new("bench", founded, PARAMETERS, vec![validator(0).public()])?;
    node::found_on(path, &genesis, Some(&validator(0)))?;
    let store = Store::create(&Directory::open(path)?.database(), &genesis, &Options::default())?;
    let plan = Plan {
        entries,
        logs: shape.logs(entries),
        per_block: PER_BLOCK,
        bytes: BODY_BYTES,
        interval: 1_000,
    };
    World::resume(store, 1).grow(0, &plan);
    Ok(())
}
