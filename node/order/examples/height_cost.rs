//! What agreeing on a height costs the processor: `cargo run --release -p waxwing-order --example height_cost`.
//!
//! All hosts of a committee in one thread, messages handed over as values, no disk, no contents: what is left are
//! signatures and the engine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use waxwing_core::block::BlockHeader;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::keys::VoteKey;
use waxwing_order::{Guard, Host, Input, Message, Output, Settings};

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Lets the hosts agree on one height.
fn agree(genesis: &Genesis, hosts: &mut [Host], height: u64) {
    let committee = Arc::new(genesis.committee());
    let mut todo: VecDeque<(usize, Output)> = VecDeque::new();
    for (member, host) in hosts.iter_mut().enumerate() {
        let outputs = host.begin(height, &committee, committee.members(), &[]);
        todo.extend(outputs.into_iter().map(|output| (member, output)));
    }
    let mut decided = 0;
    while let Some((member, output)) = todo.pop_front() {
        let mut tell = |to: usize, input: Input| {
            let outputs = hosts.get_mut(to).map(|host| host.on(input)).unwrap_or_default();
            todo.extend(outputs.into_iter().map(|output| (to, output)));
        };
        match output {
            Output::Propose { round, .. } => {
                let proposer = committee.members().get(member).copied();
                let header = BlockHeader {
                    height,
                    proposer: proposer.unwrap_or(genesis.block().proposer),
                    ..genesis.block()
                };
                let header = Box::new(header);
                tell(member, Input::Proposed { round, header });
            }
            Output::Judge { id, .. } => tell(member, Input::Judged { id, is_valid: true }),
            Output::Publish(message) => broadcast(member, committee.members().len(), &message, tell),
            Output::Decided { .. } => decided += 1,
            _ => {}
        }
    }
    assert_eq!(decided, committee.members().len(), "all decide when nothing is lost");
}

fn broadcast(from: usize, hosts: usize, message: &Message, mut tell: impl FnMut(usize, Input)) {
    for to in (0..hosts).filter(|to| *to != from) {
        tell(to, Input::Message(message.clone()));
    }
}

#[expect(clippy::print_stdout, reason = "an example talks to whoever ran it")]
fn main() {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    for (validators, heights) in [(1_u8, 2_000_u64), (4, 500), (7, 200), (50, 5)] {
        let mut keys: Vec<VoteKey> = (1..=validators).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        keys.sort_by_key(VoteKey::public);
        let members = keys.iter().map(VoteKey::public).collect();
        let genesis = Genesis::new("cost", 1_000, Parameters::DEFAULT, members).expect("the keys are sorted and good");
        let host = |key| Host::new(genesis.network(), key, Settings::DEFAULT, Guard::default());
        let mut hosts: Vec<Host> = keys.into_iter().map(host).collect();
        let took = timed(|| (1..=heights).for_each(|height| agree(&genesis, &mut hosts, height)));
        let each = took.as_micros() / u128::from(heights) / u128::from(validators);
        println!("{profile}: {validators} validators, {heights} heights: {each} µs per height and validator");
    }
}
