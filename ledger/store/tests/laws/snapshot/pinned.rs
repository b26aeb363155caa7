//! An old ledger is joined by a block that somebody vouches for, and by nothing that leaked keys could make.

use waxwing_core::certificate::{Certificate, Head};
use waxwing_core::follow::{FollowError, HeadUpdate};
use waxwing_core::merkle::{InclusionProof, ProofError};
use waxwing_core::policy::PinnedHead;
use waxwing_core::snapshot::{PinError, PinnedAscent};

use super::*;

/// The genesis is too old to start from, the newest blocks are not.
const LATE: u64 = fixture::FOUNDED + 31 * DAY_MS;

const NO_PATH: InclusionProof = InclusionProof { siblings: Vec::new() };

fn pin(world: &World<MemoryTables>, height: u64) -> PinnedHead {
    let header = world.store.header(height).unwrap().unwrap();
    let id = header.id(world.store.keys());
    PinnedHead { height, id }
}

/// Climbs to the head of a world, and shows the pinned block as the world has it.
fn climb(world: &World<MemoryTables>, pin: PinnedHead) -> Result<Ascent, PinError> {
    let head = world.ledger.head().height;
    let mut ascent = PinnedAscent::new(world.store.genesis(), pin);
    ascent
        .accept(&world.store.head_update(0, head).unwrap().unwrap())
        .unwrap();
    assert_eq!(ascent.held(), head);
    let header = world.store.header(pin.height.min(head)).unwrap().unwrap();
    let path = world.store.history_path(pin.height, head).unwrap();
    ascent.confirm(&header, &path.unwrap_or(NO_PATH), LATE)
}

#[test]
fn an_old_ledger_is_joined_by_a_pinned_block_and_not_without() {
    let world = world(60);
    let head = world.ledger.head().height;
    let update = world.store.head_update(0, head).unwrap().unwrap();
    let unpinned = Ascent::new(world.store.genesis()).accept(&update, LATE);
    assert_eq!(unpinned, Err(SnapshotError::Head(FollowError::NeedsPin)));
    for height in [head, head - 1, head - 7] {
        let assembly = climb(&world, pin(&world, height)).unwrap().begin().unwrap();
        let (parts, joint, refusals) = assemble(&world.store, assembly, |_, _| {});
        assert_eq!(refusals, []);
        let store = Store::create_on(MemoryTables::new(), world.store.genesis()).unwrap();
        bring_in(&store, &parts, &joint).unwrap();
        same_ledger(&store.restore().unwrap(), &world.ledger);
    }
}

#[test]
fn a_pin_that_is_old_ahead_or_of_another_block_is_refused() {
    let world = world(60);
    let head = world.ledger.head().height;
    let refused = |pin: PinnedHead| climb(&world, pin).map(|_| ()).unwrap_err();
    assert_eq!(refused(pin(&world, 3)), PinError::TooOld);
    let ahead = PinnedHead {
        height: head + 1,
        ..pin(&world, head)
    };
    assert_eq!(refused(ahead), PinError::Below { head });
    let another = PinnedHead {
        height: head - 5,
        ..pin(&world, head - 6)
    };
    assert_eq!(refused(another), PinError::OtherBlock);
}

#[test]
fn a_pinned_block_that_is_not_shown_to_be_in_the_history_is_refused() {
    let world = world(60);
    let head = world.ledger.head().height;
    let pinned = pin(&world, head - 5);
    let header = world.store.header(pinned.height).unwrap().unwrap();
    let begun = || {
        let mut ascent = PinnedAscent::new(world.store.genesis(), pinned);
        ascent
            .accept(&world.store.head_update(0, head).unwrap().unwrap())
            .unwrap();
        ascent
    };
    let refused = |path: &InclusionProof| begun().confirm(&header, path, LATE).map(|_| ()).unwrap_err();
    let mut path = world.store.history_path(pinned.height, head).unwrap().unwrap();
    path.siblings[0].0[0] ^= 1;
    assert_eq!(refused(&path), PinError::NotInHistory(ProofError::WrongRoot));
    assert!(matches!(refused(&NO_PATH), PinError::NotInHistory(_)));
    let earlier = world.store.header(pinned.height - 1).unwrap().unwrap();
    let other = begun().confirm(&earlier, &path, LATE).map(|_| ()).unwrap_err();
    assert_eq!(other, PinError::OtherBlock);
}

/// Validators of the founding, who handed over long ago, certify a block of their own on top of the pinned one: all is in
/// order but that the pinned block names who votes after it.
#[test]
fn a_head_by_keys_of_a_former_committee_is_refused_although_it_follows_the_pinned_block() {
    let world = world(60);
    let keys = world.store.keys();
    let pinned = pin(&world, world.ledger.head().height - 5);
    let former = world.store.genesis().committee();
    let mut header = world.store.header(pinned.height + 1).unwrap().unwrap();
    assert_ne!(header.committee, former.hash(keys), "it handed over");
    (header.term, header.committee) = (former.term(), former.hash(keys));
    header.next_committee = header.committee;
    let voters: Vec<_> = (0..4).map(fixture::validator).collect();
    let id = header.id(keys);
    let forged = HeadUpdate {
        ladder: Vec::new(),
        extension: world.store.history_path(0, header.height).unwrap().unwrap(),
        head: Head {
            certificate: Certificate::sign(&former, 0, &header, id, &voters.iter().collect::<Vec<_>>()),
            header: header.clone(),
        },
    };
    let mut believing = Ascent::new(world.store.genesis());
    believing.accept(&forged, SOON).unwrap();
    let mut ascent = PinnedAscent::new(world.store.genesis(), pinned);
    ascent.accept(&forged).unwrap();
    let truth = world.store.header(pinned.height).unwrap().unwrap();
    let path = world.store.history_path(pinned.height, header.height).unwrap().unwrap();
    let refused = ascent.confirm(&truth, &path, LATE).map(|_| ()).unwrap_err();
    assert_eq!(refused, PinError::OtherCommittee);
}
