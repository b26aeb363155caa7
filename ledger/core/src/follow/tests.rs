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

/// Terms that end at these heights, and three blocks more.
struct Terms {
    chain: Chain,
    /// The committees, their keys and the last height of each; none for the last one.
    terms: Vec<(Committee, Vec<VoteKey>, Option<usize>)>,
}

impl Terms {
    fn ending_at(ends: &[usize]) -> Self {
        let (mut chain, mut terms) = (Chain::new(), Vec::new());
        for (term, end) in (1_u8..).zip(ends) {
            while chain.headers.len() < *end {
                chain.grow(|_| ());
            }
            let keys = voters(term * 3 + 5..term * 3 + 9);
            let next = committee_of(u64::from(term), &keys);
            let named = next.hash(&chain.keys);
            chain.grow(|header| header.next_committee = named);
            let former = core::mem::replace(&mut chain.committee, next);
            terms.push((former, core::mem::replace(&mut chain.voters, keys), Some(*end)));
        }
        (0..3).for_each(|_| chain.grow(|_| ()));
        terms.push((chain.committee.clone(), chain.voters.clone(), None));
        Self { chain, terms }
    }

    /// A header as the committee of its term would certify it, whatever it says.
    fn certified(&self, header: BlockHeader) -> Head {
        let term = usize::try_from(header.term).unwrap();
        let (committee, keys, _) = &self.terms[term];
        let voters: Vec<_> = keys.iter().take(3).collect();
        let certificate = Certificate::sign(committee, 0, &header, header.id(&self.chain.keys), &voters);
        Head { header, certificate }
    }

    fn head(&self, height: usize) -> Head {
        self.certified(self.chain.headers[height].clone())
    }

    fn update(&self, from: usize, to: usize) -> HeadUpdate {
        let (mut ladder, mut at) = (Vec::new(), from);
        for (place, (_, _, end)) in self.terms.iter().enumerate() {
            let Some(end) = end.filter(|end| (from + 1..=to).contains(end)) else {
                continue;
            };
            ladder.push(LadderStep {
                head: self.head(end),
                extension: self.chain.extension(at, end),
                next: self.terms[place + 1].0.clone(),
            });
            at = end;
        }
        HeadUpdate {
            ladder,
            head: self.head(to),
            extension: self.chain.extension(at, to),
        }
    }
}

#[test]
fn a_client_climbs_any_terms_in_one_message() {
    let terms = Terms::ending_at(&[3, 4, 9, 15, 16]);
    for (from, to) in [(0, 19), (2, 4), (3, 4), (0, 3), (3, 16), (4, 9), (15, 17), (9, 9)] {
        let mut client = terms.chain.client();
        client.accept(&terms.update(0, from), NOW).unwrap();
        let update = terms.update(from, to);
        assert_eq!(HeadUpdate::from_bytes(&update.to_bytes()).as_ref(), Ok(&update));
        client.accept(&update, NOW).unwrap();
        assert_eq!(client.header(), &terms.chain.headers[to], "{from} to {to}");
        let named = client.held().committee.hash(&terms.chain.keys);
        assert_eq!(named, client.header().next_committee, "{from} to {to}");
    }
}

#[test]
fn a_head_that_ends_its_term_comes_with_its_rung() {
    let terms = Terms::ending_at(&[3]);
    let mut client = terms.chain.client();
    let without = HeadUpdate {
        ladder: vec![],
        ..terms.update(0, 3)
    };
    let without = HeadUpdate {
        extension: terms.chain.extension(0, 3),
        ..without
    };
    assert_eq!(client.accept(&without, NOW), Err(FollowError::BadLadder));
    assert_eq!(client.header().height, 0);
    assert_eq!(client.accept(&terms.update(0, 3), NOW), Ok(Accepted::Newer));
}

#[test]
fn a_pin_at_the_end_of_a_term_goes_on_with_the_committee_it_names() {
    let terms = Terms::ending_at(&[3, 5]);
    let (keys, header) = (&terms.chain.keys, terms.chain.headers[3].clone());
    let next = terms.terms[1].0.clone();
    let mut client = Follow::from_pin(keys.clone(), header.id(keys), header, next).unwrap();
    // Who certified the pinned head is not known: another one is refused, without evidence.
    let beside = BlockHeader {
        time: client.header().time + 1,
        ..client.header().clone()
    };
    let beside = HeadUpdate {
        ladder: vec![],
        head: terms.certified(beside),
        extension: InclusionProof::default(),
    };
    let refused = client.accept(&beside, NOW);
    assert_eq!(refused, Err(FollowError::Head(HeadError::WrongCommittee)));
    assert_eq!(client.accept(&terms.update(3, 8), NOW), Ok(Accepted::Newer));
}

#[test]
fn a_fork_at_the_height_of_a_rung_just_climbed_is_evidence() {
    let terms = Terms::ending_at(&[3, 5]);
    let mut client = terms.chain.client();
    client.accept(&terms.update(0, 3), NOW).unwrap();
    let stored = Held::from_bytes(&client.held().to_bytes()).unwrap();
    let mut client = Follow::resume(terms.chain.keys.clone(), stored);
    let beside = BlockHeader {
        time: client.header().time + 1,
        ..client.header().clone()
    };
    let beside = HeadUpdate {
        ladder: vec![],
        head: terms.certified(beside),
        extension: InclusionProof::default(),
    };
    let Err(FollowError::Fork(evidence)) = client.accept(&beside, NOW) else {
        panic!("the former committee certified both");
    };
    assert_eq!(evidence.verify(&terms.chain.keys, &terms.terms[0].0), Ok(()));
    assert_eq!(client.accept(&terms.update(3, 8), NOW), Err(FollowError::Halted));
}

#[test]
fn the_former_committee_has_no_say_about_what_comes_after_its_term() {
    let terms = Terms::ending_at(&[3]);
    let mut client = terms.chain.client();
    client.accept(&terms.update(0, 3), NOW).unwrap();
    let (former, keys, _) = &terms.terms[0];
    let usurped = BlockHeader {
        term: 0,
        committee: former.hash(&terms.chain.keys),
        next_committee: former.hash(&terms.chain.keys),
        ..terms.chain.headers[4].clone()
    };
    let voters: Vec<_> = keys.iter().collect();
    let id = usurped.id(&terms.chain.keys);
    let update = HeadUpdate {
        ladder: vec![],
        head: Head {
            certificate: Certificate::sign(former, 0, &usurped, id, &voters),
            header: usurped,
        },
        extension: terms.chain.extension(3, 4),
    };
    let refused = Err(FollowError::Head(HeadError::WrongCommittee));
    assert_eq!(client.accept(&update, NOW), refused);
    let time = terms.chain.headers[3].time;
    let beacon = |committee: &Committee, keys: &[VoteKey]| {
        let voters: Vec<_> = keys.iter().take(3).collect();
        let head = (3, terms.chain.headers[3].id(&terms.chain.keys));
        Beacon::sign(committee, terms.chain.keys.network(), head, time, &voters)
    };
    let refused = Err(BeaconError::Quorum(QuorumError::BadSignature));
    assert_eq!(client.accept_beacon(&beacon(former, keys), time), refused);
    let (next, keys, _) = &terms.terms[1];
    assert_eq!(client.accept_beacon(&beacon(next, keys), time), Ok(()));
}

#[test]
fn sixty_four_terms_fit_into_one_message_and_more_take_another() {
    let ends: Vec<usize> = (1..=66).collect();
    let terms = Terms::ending_at(&ends);
    let mut client = terms.chain.client();
    let all = terms.update(0, 69);
    assert_eq!(client.accept(&all, NOW), Err(FollowError::BadLadder));
    let first = terms.update(0, 64);
    assert!(first.is_partial());
    assert_eq!(client.accept(&first, NOW), Ok(Accepted::Newer));
    let rest = terms.update(64, 69);
    assert!(!rest.is_partial());
    assert_eq!(client.accept(&rest, NOW), Ok(Accepted::Newer));
    assert_eq!(client.held().committee.term(), 66);
}

#[test]
fn a_broken_ladder_is_refused() {
    let terms = Terms::ending_at(&[5]);
    let mut client = terms.chain.client();
    client.accept(&terms.update(0, 2), NOW).unwrap();
    let good = terms.update(2, 8);
    let offer = |change: fn(&mut HeadUpdate)| {
        let mut update = good.clone();
        change(&mut update);
        client.clone().accept(&update, NOW)
    };

    let without = offer(|update| update.ladder.clear());
    assert_eq!(without, Err(FollowError::Head(HeadError::WrongCommittee)));
    let self_made = offer(|update| update.ladder[0].next = committee_of(1, &voters(21..25)));
    assert_eq!(self_made, Err(FollowError::BadLadder));
    let skipped = offer(|update| update.ladder[0].next = committee_of(2, &voters(8..12)));
    assert_eq!(skipped, Err(FollowError::BadLadder));
    let twice = offer(|update| update.ladder.push(update.ladder[0].clone()));
    assert_eq!(twice, Err(FollowError::NotExtending(ProofError::WrongLength)));
    let again = offer(|update| {
        let mut rung = update.ladder[0].clone();
        rung.extension = InclusionProof::default();
        update.ladder.push(rung);
    });
    assert_eq!(again, Err(FollowError::BadLadder));
    let endless = offer(|update| update.ladder = vec![update.ladder[0].clone(); 65]);
    assert_eq!(endless, Err(FollowError::BadLadder));

    let no_change = LadderStep {
        head: terms.head(4),
        extension: terms.chain.extension(2, 4),
        next: terms.terms[0].0.clone(),
    };
    let update = HeadUpdate {
        ladder: vec![no_change],
        ..good.clone()
    };
    assert_eq!(client.accept(&update, NOW), Err(FollowError::BadLadder));
    assert_eq!(client.header().height, 2, "a refused ladder is not climbed halfway");
    assert_eq!(client.accept(&good, NOW), Ok(Accepted::Newer));
}

#[test]
fn a_head_of_a_month_ago_is_no_place_to_start_from() {
    let chain = Chain::grown(3);
    let mut client = chain.client();
    client.accept(&chain.update(0, 1), NOW).unwrap();
    let late = chain.headers[1].time + 30 * DAY_MS;
    assert_eq!(client.clone().accept(&chain.update(1, 3), late), Ok(Accepted::Newer));
    assert_eq!(client.accept(&chain.update(1, 3), late + 1), Err(FollowError::NeedsPin));
    let all: Vec<_> = chain.voters.iter().collect();
    let head = (1, chain.headers[1].id(&chain.keys));
    let beacon = Beacon::sign(&chain.committee, chain.keys.network(), head, late, &all);
    assert_eq!(client.accept_beacon(&beacon, late + 1), Err(BeaconError::NeedsPin));
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
