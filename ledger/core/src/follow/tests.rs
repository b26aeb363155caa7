//! A client among honest, lagging and lying nodes: what it accepts, and each refusal by its name.

use super::*;
use crate::genesis::Parameters;
use crate::keys::VoteKey;
use crate::limits::DAY_MS;
use crate::merkle::{Frontier, Sha256Tree, path_of};

/// A chain of headers as an honest committee would certify it.
struct Chain {
    genesis: Genesis,
    keys: HashKeys,
    voters: Vec<VoteKey>,
    committee: Committee,
    headers: Vec<BlockHeader>,
}

fn voters(seeds: core::ops::Range<u8>) -> Vec<VoteKey> {
    let mut voters: Vec<_> = seeds.map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
    voters.sort_by_key(VoteKey::public);
    voters
}

fn committee_of(term: u64, voters: &[VoteKey]) -> Committee {
    Committee::new(term, voters.iter().map(VoteKey::public).collect()).unwrap()
}

impl Chain {
    fn new() -> Self {
        let voters = voters(1..5);
        let members = voters.iter().map(VoteKey::public).collect();
        let genesis = Genesis::new("test", 1_000, Parameters::DEFAULT, members).unwrap();
        let headers = vec![genesis.block()];
        Self {
            keys: genesis.keys(),
            committee: genesis.committee(),
            genesis,
            voters,
            headers,
        }
    }

    fn leaves(&self) -> Vec<Hash> {
        self.headers.iter().map(history::leaf).collect()
    }

    /// Adds a block, altered by `change` before it is hashed into the history.
    fn grow(&mut self, change: impl FnOnce(&mut BlockHeader)) {
        let mut history = Frontier::empty();
        for leaf in self.leaves() {
            history.append(&Sha256Tree, leaf);
        }
        let parent = self.headers.last().unwrap();
        let mut header = BlockHeader {
            height: parent.height + 1,
            time: parent.time + 1_000,
            parent: parent.id(&self.keys),
            history_root: history.root(&Sha256Tree),
            term: self.committee.term(),
            committee: self.committee.hash(&self.keys),
            next_committee: self.committee.hash(&self.keys),
            ..parent.clone()
        };
        change(&mut header);
        self.headers.push(header);
    }

    fn grown(blocks: usize) -> Self {
        let mut chain = Self::new();
        (0..blocks).for_each(|_| chain.grow(|_| ()));
        chain
    }

    fn head_signed(&self, height: usize, signers: usize) -> Head {
        let header = self.headers[height].clone();
        let voters: Vec<_> = self.voters.iter().take(signers).collect();
        let certificate = Certificate::sign(&self.committee, 0, &header, header.id(&self.keys), &voters);
        Head { header, certificate }
    }

    fn extension(&self, from: usize, to: usize) -> InclusionProof {
        if from == to {
            return InclusionProof::default();
        }
        path_of(&Sha256Tree, &self.leaves()[..to], u64::try_from(from).unwrap()).unwrap()
    }

    fn update(&self, from: usize, to: usize) -> HeadUpdate {
        HeadUpdate {
            ladder: vec![],
            head: self.head_signed(to, 3),
            extension: self.extension(from, to),
        }
    }

    fn client(&self) -> Follow {
        Follow::from_genesis(&self.genesis)
    }
}

const NOW: u64 = 60_000;

#[test]
fn a_client_follows_any_jumps_of_an_honest_chain() {
    let chain = Chain::grown(20);
    for stops in [vec![1, 2, 3, 20], vec![7, 8, 16, 17], vec![20], vec![1, 1, 20]] {
        let mut client = chain.client();
        let mut at = 0;
        for stop in stops {
            let update = chain.update(at, stop);
            assert_eq!(HeadUpdate::from_bytes(&update.to_bytes()).as_ref(), Ok(&update));
            let expected = if stop == at { Accepted::Same } else { Accepted::Newer };
            assert_eq!(client.accept(&update, NOW), Ok(expected), "{at} to {stop}");
            at = stop;
        }
        assert_eq!(client.header(), &chain.headers[at]);
        let held = Held::from_bytes(&client.held().to_bytes()).unwrap();
        assert_eq!(&held, client.held());
        assert_eq!(Follow::resume(chain.keys.clone(), held).id(), client.id());
    }
}

#[test]
fn an_older_head_is_refused_however_well_certified() {
    let chain = Chain::grown(9);
    let mut client = chain.client();
    client.accept(&chain.update(0, 9), NOW).unwrap();
    let old = client.accept(&chain.update(0, 8), NOW);
    assert_eq!(old, Err(FollowError::Older { held: 9, offered: 8 }));
}

#[test]
fn an_uncertified_or_foreign_head_is_refused() {
    let chain = Chain::grown(3);
    let mut client = chain.client();
    let few = HeadUpdate {
        head: chain.head_signed(3, 2),
        ..chain.update(0, 3)
    };
    assert_eq!(
        client.accept(&few, NOW),
        Err(FollowError::Head(HeadError::Quorum(QuorumError::TooFew)))
    );

    let other = Genesis::new("other", 1_000, Parameters::DEFAULT, chain.genesis.validators.clone()).unwrap();
    let mut stranger = Follow::from_genesis(&other);
    let foreign = stranger.accept(&chain.update(0, 3), NOW);
    assert_eq!(foreign, Err(FollowError::Head(HeadError::ForeignNetwork)));
    assert_eq!(client.header().height, 0, "a refusal changes nothing");
}

#[test]
fn a_head_that_does_not_extend_the_held_one_is_refused() {
    let chain = Chain::grown(9);
    let mut client = chain.client();
    client.accept(&chain.update(0, 4), NOW).unwrap();
    // A path for another height, a shortened one, an empty one.
    for wrong in [chain.extension(3, 9), InclusionProof::default()] {
        let update = HeadUpdate {
            extension: wrong,
            ..chain.update(4, 9)
        };
        assert!(matches!(client.accept(&update, NOW), Err(FollowError::NotExtending(_))));
    }
    let mut short = chain.extension(4, 9);
    short.siblings.pop();
    let update = HeadUpdate {
        extension: short,
        ..chain.update(4, 9)
    };
    assert_eq!(
        client.accept(&update, NOW),
        Err(FollowError::NotExtending(ProofError::WrongLength))
    );

    // The same committee certifies a history in which the client's head never was.
    let mut rewritten = Chain::grown(3);
    rewritten.grow(|header| header.time += 1);
    (0..5).for_each(|_| rewritten.grow(|_| ()));
    let update = rewritten.update(4, 9);
    assert_eq!(
        client.accept(&update, NOW),
        Err(FollowError::NotExtending(ProofError::WrongRoot))
    );
}

#[test]
fn one_path_also_proves_that_the_history_before_the_held_head_is_unchanged() {
    // A committee that puts the client's head into a history whose earlier part was rewritten.
    let honest = Chain::grown(4);
    let mut client = honest.client();
    client.accept(&honest.update(0, 4), NOW).unwrap();
    let mut lying = Chain::grown(2);
    lying.grow(|header| header.time += 1);
    lying.headers.push(honest.headers[4].clone());
    (0..4).for_each(|_| lying.grow(|_| ()));
    let update = lying.update(4, 8);
    assert_eq!(
        client.accept(&update, NOW),
        Err(FollowError::NotExtending(ProofError::WrongPrefix))
    );
}

#[test]
fn two_certified_blocks_at_one_height_halt_the_client_and_leave_evidence() {
    let mut chain = Chain::grown(3);
    let mut client = chain.client();
    client.accept(&chain.update(0, 3), NOW).unwrap();
    chain.headers[3].time += 7;
    let Err(FollowError::Fork(evidence)) = client.accept(&chain.update(0, 3), NOW) else {
        panic!("no fork seen")
    };
    assert_eq!(evidence.verify(&chain.keys, &chain.committee), Ok(()));
    assert_eq!(evidence.height(), 3);
    assert_eq!(client.held().halted.as_ref(), Some(&evidence));
    assert_eq!(
        client.accept(&Chain::grown(5).update(3, 5), NOW),
        Err(FollowError::Halted)
    );
    let stored = Held::from_bytes(&client.held().to_bytes()).unwrap();
    let mut restarted = Follow::resume(chain.keys.clone(), stored);
    assert_eq!(
        restarted.accept(&Chain::grown(5).update(3, 5), NOW),
        Err(FollowError::Halted)
    );
}

#[test]
fn a_block_beside_genesis_is_refused_without_evidence() {
    let chain = Chain::new();
    let mut beside = Chain::new();
    beside.headers[0].time += 1;
    let mut client = chain.client();
    let refused = client.accept(&beside.update(0, 0), NOW);
    assert_eq!(refused, Err(FollowError::NotExtending(ProofError::WrongRoot)));
}

#[test]
fn the_held_head_again_needs_no_path_and_takes_none() {
    let chain = Chain::grown(3);
    let mut client = chain.client();
    client.accept(&chain.update(0, 3), NOW).unwrap();
    assert_eq!(client.accept(&chain.update(3, 3), NOW), Ok(Accepted::Same));
    let padded = HeadUpdate {
        extension: chain.extension(1, 3),
        ..chain.update(3, 3)
    };
    let refused = client.accept(&padded, NOW);
    assert_eq!(refused, Err(FollowError::NotExtending(ProofError::WrongLength)));
}

#[test]
fn time_never_runs_back() {
    let mut chain = Chain::grown(2);
    chain.grow(|header| header.time = 500);
    let mut client = chain.client();
    client.accept(&chain.update(0, 2), NOW).unwrap();
    assert_eq!(client.accept(&chain.update(2, 3), NOW), Err(FollowError::TimeRunsBack));
}

/// Five blocks of the first committee, the last naming the second, then three of the second.
fn two_terms() -> (Chain, LadderStep, Committee) {
    let mut chain = Chain::grown(4);
    let next_voters = voters(11..15);
    let next = committee_of(1, &next_voters);
    let next_hash = next.hash(&chain.keys);
    chain.grow(|header| header.next_committee = next_hash);
    let rung = LadderStep {
        head: chain.head_signed(5, 3),
        extension: chain.extension(2, 5),
        next: next.clone(),
    };
    chain.committee = next.clone();
    chain.voters = next_voters;
    (0..3).for_each(|_| chain.grow(|_| ()));
    (chain, rung, next)
}

#[test]
fn a_client_climbs_the_ladder_to_a_later_committee() {
    let (chain, rung, next) = two_terms();
    let old = Chain::grown(4);
    let mut client = old.client();
    client.accept(&old.update(0, 2), NOW).unwrap();
    let update = HeadUpdate {
        ladder: vec![rung],
        ..chain.update(5, 8)
    };
    assert_eq!(HeadUpdate::from_bytes(&update.to_bytes()).as_ref(), Ok(&update));
    assert_eq!(client.accept(&update, NOW), Ok(Accepted::Newer));
    assert_eq!((client.header().height, &client.held().committee), (8, &next));
}

#[test]
fn a_broken_ladder_is_refused() {
    let (chain, rung, _) = two_terms();
    let old = Chain::grown(4);
    let mut client = old.client();
    client.accept(&old.update(0, 2), NOW).unwrap();

    let without = client.accept(&chain.update(2, 8), NOW);
    assert_eq!(without, Err(FollowError::Head(HeadError::WrongCommittee)));
    let mut self_made = rung.clone();
    self_made.next = committee_of(1, &voters(21..25));
    let update = HeadUpdate {
        ladder: vec![self_made],
        ..chain.update(5, 8)
    };
    assert_eq!(client.accept(&update, NOW), Err(FollowError::BadLadder));
    let mut skipped = rung.clone();
    skipped.next = committee_of(2, &voters(11..15));
    let update = HeadUpdate {
        ladder: vec![skipped],
        ..chain.update(5, 8)
    };
    assert_eq!(client.accept(&update, NOW), Err(FollowError::BadLadder));
    let no_change = LadderStep {
        head: old.head_signed(4, 3),
        extension: old.extension(2, 4),
        next: old.committee,
    };
    let update = HeadUpdate {
        ladder: vec![no_change],
        ..chain.update(5, 8)
    };
    assert_eq!(client.accept(&update, NOW), Err(FollowError::BadLadder));
    let endless = HeadUpdate {
        ladder: vec![rung; 65],
        ..chain.update(5, 8)
    };
    assert_eq!(client.accept(&endless, NOW), Err(FollowError::BadLadder));
    assert_eq!(client.header().height, 2, "a refused ladder is not climbed halfway");
}

#[test]
fn a_head_of_a_month_ago_is_no_place_to_start_from() {
    let chain = Chain::grown(3);
    let mut client = chain.client();
    client.accept(&chain.update(0, 1), NOW).unwrap();
    let late = chain.headers[1].time + 30 * DAY_MS;
    assert_eq!(client.clone().accept(&chain.update(1, 3), late), Ok(Accepted::Newer));
    assert_eq!(client.accept(&chain.update(1, 3), late + 1), Err(FollowError::NeedsPin));
    let pin = chain.headers[2].id(&chain.keys);
    let header = chain.headers[2].clone();
    let mut pinned = Follow::from_pin(chain.keys.clone(), pin, header.clone(), chain.committee.clone()).unwrap();
    assert_eq!(pinned.accept(&chain.update(2, 3), NOW), Ok(Accepted::Newer));
    let wrong = Follow::from_pin(
        chain.keys.clone(),
        Hash([1; 32]),
        header.clone(),
        chain.committee.clone(),
    );
    assert_eq!(wrong.unwrap_err(), FollowError::Head(HeadError::ForeignNetwork));
    let usurper = Follow::from_pin(chain.keys.clone(), pin, header, committee_of(0, &voters(8..9)));
    assert_eq!(usurper.unwrap_err(), FollowError::Head(HeadError::WrongCommittee));
}

#[test]
fn freshness_comes_from_beacons_about_the_held_head_only() {
    let chain = Chain::grown(3);
    let mut client = chain.client();
    client.accept(&chain.update(0, 3), NOW).unwrap();
    let (time, id) = (chain.headers[3].time, chain.headers[3].id(&chain.keys));
    assert_eq!(client.freshness(time + 30_000), Freshness::Fresh { age: 30_000 });
    assert_eq!(client.freshness(time + 30_001), Freshness::Stale { age: 30_001 });
    assert_eq!(
        client.freshness(0),
        Freshness::Fresh { age: 0 },
        "within the permitted skew"
    );

    let now = time + 100_000;
    let beacon = |head, time, signers| {
        let voters: Vec<_> = chain.voters.iter().take(signers).collect();
        Beacon::sign(&chain.committee, chain.keys.network(), head, time, &voters)
    };
    let few = beacon((3, id), now, 2);
    assert_eq!(
        client.accept_beacon(&few, now),
        Err(BeaconError::Quorum(QuorumError::TooFew))
    );
    let other = beacon((2, chain.headers[2].id(&chain.keys)), now, 3);
    assert_eq!(client.accept_beacon(&other, now), Err(BeaconError::OtherHead));
    let future = beacon((3, id), now + 10_001, 3);
    assert_eq!(client.accept_beacon(&future, now), Err(BeaconError::FromTheFuture));
    assert_eq!(client.freshness(now), Freshness::Stale { age: 100_000 });
    assert_eq!(client.accept_beacon(&beacon((3, id), now - 5, 3), now), Ok(()));
    assert_eq!(client.freshness(now), Freshness::Fresh { age: 5 });
    assert_eq!(client.accept_beacon(&beacon((3, id), now - 500, 3), now), Ok(()));
    assert_eq!(
        client.freshness(now),
        Freshness::Fresh { age: 5 },
        "an older beacon takes nothing back"
    );
    assert_eq!(client.freshness(now - 10_006), Freshness::ClockBehind { by: 10_001 });
}
