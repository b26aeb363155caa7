//! Starts the thread that orders, and takes what its validator wants to the rest of the node.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use waxwing_core::keys::VoteKey;
use waxwing_core::ledger::Ledger;
use waxwing_order::{Guard, Settings};
use waxwing_store::Tables;

use super::{Parts, StartError};
use crate::config::NodeConfig;
use crate::directory::{Directory, Said, Signed};
use crate::order::event::{Action, Now, Role};
use crate::order::{Beginning, Driver, Journal, Outlets, Pace, Shared, Validator, Voter};
use crate::sync::Copying;

/// What the thread that orders begins with.
pub(super) struct Ordering {
    pub(super) key: Option<VoteKey>,
    /// Whether the key belongs to the committee of the next block.
    pub(super) votes_at_start: bool,
    guard: Guard,
    signed: Signed,
    journal: Journal,
    recovered: Vec<Vec<u8>>,
    pub(super) voter: Arc<Mutex<Voter>>,
}

impl Ordering {
    pub(super) fn open(directory: &mut Directory, ledger: &Ledger) -> Result<Self, StartError> {
        let key = directory.take_vote();
        let members = ledger.committee().members();
        let (signed, said) = Signed::open(directory.path()).map_err(StartError::System)?;
        let guard = match (said, &key) {
            (Said::At(guard), _) => guard,
            (_, None) => Guard::default(),
            (Said::Missing, Some(_)) => return Err(StartError::NoteMissing { file: signed.path() }),
            (Said::Unreadable, Some(_)) => return Err(StartError::NoteUnreadable { file: signed.path() }),
        };
        let (journal, recovered) = Journal::open(directory.path()).map_err(StartError::System)?;
        Ok(Self {
            votes_at_start: key.as_ref().is_some_and(|key| members.contains(&key.public())),
            voter: Arc::new(Mutex::new(Voter::new((ledger.head().height, ledger.id()), guard))),
            key,
            guard,
            signed,
            journal,
            recovered,
        })
    }
}

impl<T: Tables> Parts<T> {
    /// Starts the thread that orders, or applies what is copied.
    pub(super) fn order(
        &self,
        config: &NodeConfig,
        ordering: Ordering,
        outside: Box<dyn FnMut(Action) + Send>,
    ) -> Result<JoinHandle<()>, StartError> {
        let inbox = Arc::clone(&self.inbox);
        self.waiting.tell(Box::new(move || inbox.work()));
        let shared = Shared {
            chain: Arc::clone(&self.chain),
            waiting: Arc::clone(&self.waiting),
            reports: Arc::clone(&self.reports),
            voter: ordering.voter,
            lookup: Arc::clone(&self.lookup),
            meter: Arc::clone(&self.meter),
            watch: Some(self.clock.clone()),
        };
        let beginning = Beginning {
            key: ordering.key,
            settings: Settings::DEFAULT,
            pace: Pace::new(config.block_pause_ms),
            guard: ordering.guard,
            journal: ordering.recovered,
        };
        let now = Now {
            wall_ms: self.clock.now_ms(),
            steady_ms: self.clock.steady_ms(),
        };
        let outlets = Outlets {
            journal: ordering.journal,
            signed: ordering.signed,
            outside,
            timers: BTreeMap::new(),
        };
        let (inbox, clock, lifeline) = (Arc::clone(&self.inbox), self.clock.clone(), self.lifeline.clone());
        let thread = std::thread::Builder::new().name("order".to_owned());
        let runtime = tokio::runtime::Handle::current();
        let run = move || {
            // What links and copying do, they do on the runtime's tasks.
            let _entered = runtime.enter();
            let (validator, first) = Validator::new(shared, beginning, now);
            let driver = Driver {
                validator,
                inbox,
                outlets,
                clock,
                lifeline,
            };
            driver.run(first);
        };
        thread.spawn(run).map_err(StartError::System)
    }

    /// What the validator wants of the rest of the node.
    pub(super) fn outside(&self, copying: &Arc<Copying<T>>) -> Box<dyn FnMut(Action) + Send> {
        let (links, copying, votes) = (Arc::clone(&self.links), Arc::clone(copying), self.votes.clone());
        let reports = Arc::clone(&self.reports);
        Box::new(move |action| match action {
            Action::Send { to, frame } => links.send(to, &frame),
            Action::Pull { block, from, stamps } => links.pull(block, from, stamps),
            Action::CatchUp { from, .. } => {
                if let Some(connection) = links.connection(&from) {
                    copying.catch_up(connection, links.connections().len());
                }
            }
            Action::Role(role) => {
                tracing::info!(?role, "the committee has changed, or the node has just begun");
                votes.send_replace(role == Role::Validator);
            }
            Action::DestroyKey => links.leave(),
            Action::Evidence(evidence) => reports.pass_on(&evidence),
            // Carried out by the thread that orders itself.
            Action::Append(_)
            | Action::Flush
            | Action::Reset
            | Action::Signed(_)
            | Action::Set(..)
            | Action::Cancel(_)
            | Action::Copied { .. }
            | Action::Stop(_) => {}
        })
    }
}
