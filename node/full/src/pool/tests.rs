//! The pool against small cases, and against a naive model under random use.

use waxwing_core::envelope::{Anchor, Body, EnvelopeHeader, ErasureSecret, KeepFor};
use waxwing_core::hash::{HashKeys, Meaning};
use waxwing_core::keys::LogKey;

use super::*;

const LIMITS: PoolLimits = PoolLimits {
    entries: 10_000,
    bytes: 64 << 20,
};

/// An envelope of `writer`'s log with exactly `bits` zero bits in its stamp.
fn candidate(writer: u8, number: u32, bits: u32, first: FirstOfLog) -> Candidate {
    sized(writer, &number.to_be_bytes(), bits, first)
}

fn sized(writer: u8, body: &[u8], bits: u32, first: FirstOfLog) -> Candidate {
    let (keys, key) = (HashKeys::new(Hash([9; 32])), LogKey::from_seed(&[writer; 32]));
    let mut header = EnvelopeHeader {
        body_length: u32::try_from(body.len()).unwrap(),
        log: key.public(),
        anchor: Anchor {
            height: 0,
            id: Hash::ZERO,
        },
        body_hash: keys.hash(Meaning::Body, body),
        erasure: ErasureSecret([3; 32]).commitment(&keys),
        keep_for: KeepFor::Ever,
        nonce: 0,
    };
    while header.stamp(&keys).leading_zero_bits() != bits {
        header.nonce += 1;
    }
    let carried = Carried {
        signed: header.sign(&keys, &key),
        body: Body::Present(body.to_vec()),
    };
    let carried = Arc::new(carried.verify(&keys, 0).unwrap());
    Candidate {
        stamp: carried.signed.header.stamp(&keys),
        carried,
        first_bits: 4,
        first,
    }
}

fn stamps(selected: &[select::Selected]) -> Vec<Hash> {
    selected.iter().map(|selected| selected.stamp).collect()
}

#[test]
fn what_came_first_is_tried_first_and_stays_until_it_is_ordered() {
    let mut pool = Pool::new(LIMITS);
    let all: Vec<_> = (0..3).map(|n| candidate(1, n, 1, FirstOfLog::No)).collect();
    for one in &all {
        assert_eq!(pool.admit(one.clone()), Ok(Admitted::New));
    }
    let expected: Vec<_> = all.iter().map(|one| one.stamp).collect();
    assert_eq!(stamps(&pool.select()), expected);
    assert_eq!(stamps(&pool.select()), expected, "selecting takes nothing out");
    pool.remove_ordered(&expected[..2]);
    assert_eq!(stamps(&pool.select()), expected[2..]);
    assert_eq!((pool.len(), pool.bytes()), (1, 228));
}

#[test]
fn the_same_envelope_waits_once() {
    let mut pool = Pool::new(LIMITS);
    let one = candidate(1, 1, 1, FirstOfLog::No);
    assert_eq!(pool.admit(one.clone()), Ok(Admitted::New));
    assert_eq!(pool.admit(one), Ok(Admitted::Before));
    assert_eq!(pool.len(), 1);
}

#[test]
fn a_full_pool_says_so_and_takes_again_when_there_is_room() {
    let mut pool = Pool::new(PoolLimits {
        entries: 2,
        bytes: 1000,
    });
    let [one, two, three] = [1, 2, 3].map(|n| candidate(n, 0, 1, FirstOfLog::No));
    assert_eq!(pool.admit(one.clone()), Ok(Admitted::New));
    assert_eq!(pool.admit(two), Ok(Admitted::New));
    assert_eq!(pool.admit(three.clone()), Err(NotAdmitted::Full));
    pool.remove_ordered([&one.stamp]);
    let large = sized(4, &[0; 800], 1, FirstOfLog::No);
    assert_eq!(pool.admit(large), Err(NotAdmitted::Full), "bytes count too");
    assert_eq!(pool.admit(three), Ok(Admitted::New));
}

#[test]
fn one_log_cannot_fill_the_pool() {
    let mut pool = Pool::new(LIMITS);
    for number in 0..LOG_ENTRIES_MAX {
        assert_eq!(pool.admit(candidate(1, number, 1, FirstOfLog::No)), Ok(Admitted::New));
    }
    let more = candidate(1, LOG_ENTRIES_MAX, 1, FirstOfLog::No);
    assert_eq!(pool.admit(more), Err(NotAdmitted::LogFull));
    assert_eq!(pool.admit(candidate(2, 0, 1, FirstOfLog::No)), Ok(Admitted::New));
    let chosen = pool.select();
    assert_eq!(chosen.len(), 65, "64 of the crowded log, and the one behind the crowd");
    assert_eq!(
        pool.backlog(),
        Backlog::Some,
        "what one block cannot take is no full block"
    );
}

#[test]
fn a_full_block_is_seen_as_one() {
    let mut pool = Pool::new(LIMITS);
    assert_eq!(pool.backlog(), Backlog::Empty);
    let body = vec![0; 500 << 10];
    for writer in 1..=4 {
        pool.admit(sized(writer, &body, 10, FirstOfLog::No)).unwrap();
        assert_eq!(pool.backlog(), Backlog::Some);
    }
    let fifth = sized(5, &body, 10, FirstOfLog::No);
    pool.admit(fifth.clone()).unwrap();
    assert_eq!(pool.backlog(), Backlog::FullBlock);
    assert_eq!(pool.select().len(), 4);
    pool.remove_hopeless(&fifth.stamp);
    assert_eq!(pool.backlog(), Backlog::Some);
}

#[test]
fn the_rest_of_a_block_is_filled_but_not_searched_for_without_end() {
    let mut pool = Pool::new(LIMITS);
    let (half, tenth) = (vec![0; 500 << 10], vec![0; 100 << 10]);
    for writer in 1..=4 {
        pool.admit(sized(writer, &half, 10, FirstOfLog::No)).unwrap();
    }
    let too_large = |pool: &mut Pool, writer: u8| pool.admit(sized(writer, &tenth, 10, FirstOfLog::No)).unwrap();
    for writer in 5..68 {
        too_large(&mut pool, writer);
    }
    let near = candidate(100, 0, 1, FirstOfLog::No);
    pool.admit(near.clone()).unwrap();
    for writer in 101..165 {
        too_large(&mut pool, writer);
    }
    pool.admit(candidate(200, 0, 1, FirstOfLog::No)).unwrap();
    let selected = stamps(&pool.select());
    assert_eq!((selected.len(), selected.last()), (5, Some(&near.stamp)));
}

#[test]
fn a_new_log_needs_an_opener_and_the_strongest_opener_goes_first() {
    let mut pool = Pool::new(LIMITS);
    let weak = candidate(1, 0, 3, FirstOfLog::Yes);
    assert_eq!(pool.admit(weak.clone()), Err(NotAdmitted::WeakStamp { required: 4 }));
    let opener = candidate(1, 1, 4, FirstOfLog::Yes);
    let stronger = candidate(2, 0, 6, FirstOfLog::Yes);
    assert_eq!(pool.admit(opener.clone()), Ok(Admitted::New));
    assert_eq!(pool.admit(weak.clone()), Ok(Admitted::New), "behind the opener");
    assert_eq!(pool.admit(stronger.clone()), Ok(Admitted::New));
    assert_eq!(stamps(&pool.select()), [stronger.stamp, opener.stamp, weak.stamp]);
    pool.remove_ordered([&opener.stamp, &stronger.stamp]);
    assert_eq!(stamps(&pool.select()), [weak.stamp], "the log is open now");
}

#[test]
fn when_an_opener_is_hopeless_another_opens_or_all_behind_it_go() {
    let mut pool = Pool::new(LIMITS);
    let [opener, weak, strong] = [(0, 5), (1, 1), (2, 4)].map(|(n, bits)| candidate(1, n, bits, FirstOfLog::Yes));
    for one in [&opener, &weak, &strong] {
        pool.admit(one.clone()).unwrap();
    }
    assert_eq!(pool.remove_hopeless(&opener.stamp), 1);
    assert_eq!(stamps(&pool.select()), [strong.stamp, weak.stamp]);
    assert_eq!(pool.remove_hopeless(&strong.stamp), 2, "nobody is left to open the log");
    assert_eq!((pool.len(), pool.bytes(), pool.backlog()), (0, 0, Backlog::Empty));
}

#[test]
fn new_logs_get_half_of_a_block_while_others_wait() {
    let mut pool = Pool::new(LIMITS);
    let body = vec![0; 250 << 10];
    for writer in 1..=10 {
        pool.admit(sized(writer, &body, 10, FirstOfLog::Yes)).unwrap();
    }
    let patient: Vec<_> = (11..=14)
        .map(|writer| sized(writer, &body, 10, FirstOfLog::No))
        .collect();
    for one in &patient {
        pool.admit(one.clone()).unwrap();
    }
    let chosen = stamps(&pool.select());
    assert_eq!(chosen.len(), 8);
    assert!(patient.iter().all(|one| chosen.contains(&one.stamp)));
    pool.remove_ordered(patient.iter().map(|one| &one.stamp));
    assert_eq!(pool.select().len(), 8, "alone they may fill the block");
}

/// Random use; after each step everything that is counted is counted again from what waits.
#[test]
fn the_counts_stay_true_whatever_comes_and_goes() {
    let mut pool = Pool::new(LIMITS);
    let all: Vec<_> = (0..200_u32)
        .map(|n| {
            let first = if n % 3 == 0 { FirstOfLog::Yes } else { FirstOfLog::No };
            candidate(u8::try_from(n % 7).unwrap() + 1, n, n % 8, first)
        })
        .collect();
    let mut random = 0x9e37_79b9_u32;
    for _ in 0..3000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let one = &all[usize::try_from(random >> 8).unwrap() % all.len()];
        match random >> 30 {
            0 | 1 => drop(pool.admit(one.clone())),
            2 => pool.remove_ordered([&one.stamp]),
            _ => drop(pool.remove_hopeless(&one.stamp)),
        }
        let bytes: u64 = pool.waiting.values().map(Candidate::bytes).sum();
        let placeable: (u64, u64) =
            (pool.logs.values().map(Share::placeable)).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let openers = pool.logs.values().filter(|share| share.opener.is_some()).count();
        let waiting: usize = pool.logs.values().map(|share| share.waiting.len()).sum();
        assert_eq!((pool.bytes, pool.placeable), (bytes, placeable));
        assert_eq!(
            (pool.openers.len(), waiting, pool.by_stamp.len()),
            (openers, pool.len(), pool.len())
        );
        assert!(pool.select().len() <= pool.len());
    }
    assert!(pool.len() > 10, "the run came to something");
}
