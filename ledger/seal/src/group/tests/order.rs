//! What the ledger's order decides: races, late and doubled entries, disorder, and commits overtaken by time.

use super::*;

fn is_closed(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Closed(_))
}

#[test]
fn the_first_of_two_commits_comes_true_and_the_second_is_forgotten_by_its_author() {
    let (mut ledger, mut devices) = channel(3);
    let words = devices[1].seal("before the race");
    ledger.post(&words.sealed);
    let late = devices[1].seal("overtaken");
    commit(&mut ledger, &mut devices[2], &Change::default());
    let second = devices[1].propose(&Change::default()).unwrap().outgoing;
    ledger.post(&second.sealed);
    ledger.post(&late.sealed);
    let old = devices[1].log();
    let verdicts = devices[1].catch_up(&ledger);
    assert_eq!(verdicts[0], Verdict::Own(words.id));
    let Verdict::Closed(closed) = &verdicts[1] else {
        panic!("{verdicts:?}");
    };
    assert_eq!((closed.by, &closed.left_behind), (account_member(3), &vec![late.id]));
    assert_eq!(closed.overtaken, Some(second.id));
    assert_eq!(verdicts.len(), 2, "what follows stands on a log that is over");
    assert!(!devices[1].group().has_pending_commit());
    for index in [0, 2] {
        devices[index].catch_up(&ledger);
    }
    agree(&devices);
    // Whoever is shown the rest of the old log all the same calls it void, and is none the worse for it.
    for index in 2..4 {
        let row = ledger.row(old, index).unwrap().clone();
        for device in &mut devices {
            assert_eq!(
                device.take(&row),
                Verdict::Void(Void::Outer(crate::OpenError::WrongLog))
            );
        }
    }
    let again = devices[1].seal("overtaken");
    ledger.post(&again.sealed);
    for index in [0, 2] {
        assert!(matches!(only(&mut devices[index], &ledger), Verdict::Message { .. }));
    }
    commit(&mut ledger, &mut devices[1], &Change::default());
    for device in &mut devices {
        assert!(device.catch_up(&ledger).iter().any(is_closed));
    }
    agree(&devices);
}

#[test]
fn nothing_is_true_before_the_ledger_says_so() {
    let (mut ledger, mut devices) = channel(2);
    let before = (devices[0].log(), devices[0].group().authenticator().to_vec());
    let proposed = devices[0].propose(&Change::default()).unwrap();
    assert_eq!((devices[0].log(), devices[0].group().authenticator().to_vec()), before);
    // Meanwhile it talks and listens on the log of the old epoch.
    let words = devices[0].seal("while it waits");
    ledger.post(&words.sealed);
    assert!(matches!(only(&mut devices[1], &ledger), Verdict::Message { .. }));
    let answer = devices[1].seal("heard");
    ledger.post(&answer.sealed);
    assert_eq!(devices[0].catch_up(&ledger).len(), 2);
    assert!(devices[0].group().has_pending_commit());
    ledger.post(&proposed.outgoing.sealed);
    for device in &mut devices {
        assert!(device.catch_up(&ledger).iter().any(is_closed));
    }
    agree(&devices);
}

#[test]
fn an_entry_that_stands_twice_counts_once() {
    let (mut ledger, mut devices) = channel(2);
    let words = devices[0].seal("once");
    ledger.post(&words.sealed);
    ledger.post(&words.sealed);
    assert_eq!(
        devices[0].catch_up(&ledger),
        [Verdict::Own(words.id), Verdict::Void(Void::NotOpened)]
    );
    let verdicts = devices[1].catch_up(&ledger);
    assert!(matches!(verdicts[0], Verdict::Message { .. }));
    assert_eq!(verdicts[1..], [Verdict::Void(Void::NotOpened)]);
    let more = devices[0].seal("more");
    ledger.post(&more.sealed);
    assert!(matches!(only(&mut devices[1], &ledger), Verdict::Message { .. }));
}

#[test]
fn disorder_of_up_to_256_messages_is_read_and_more_is_not() {
    let (mut ledger, mut devices) = channel(2);
    let sent: Vec<Outgoing> = (0..260).map(|number| devices[0].seal(&format!("{number}"))).collect();
    for outgoing in sent.iter().rev() {
        ledger.post(&outgoing.sealed);
    }
    let verdicts = devices[1].catch_up(&ledger);
    let opened = verdicts.iter().take_while(|verdict| !verdict.changed_nothing()).count();
    assert_eq!(opened, 256, "the newest, and 255 behind it: as many as the stand-in");
    assert!(
        verdicts[opened..]
            .iter()
            .all(|verdict| *verdict == Verdict::Void(Void::NotOpened))
    );
}

#[test]
fn bodies_that_are_gone_leave_a_gap_that_is_stepped_over() {
    let (mut ledger, mut devices) = channel(2);
    let sent: Vec<Outgoing> = (0..400).map(|number| devices[0].seal(&format!("{number}"))).collect();
    ledger.post(&sent[399].sealed);
    assert!(matches!(only(&mut devices[1], &ledger), Verdict::Message { .. }));
}

#[test]
fn a_gap_of_ten_thousand_messages_is_stepped_over_and_a_wider_one_is_not() {
    let (mut ledger, mut devices) = channel(2);
    let content = devices[0].content("one of many");
    let (sent, wish): (Vec<Sealed>, Outgoing) = devices[0].lend_group(|group, provider, myself| {
        let mut seal = || {
            group.record.outstanding.clear();
            let outgoing = group.seal(provider, myself, &content, Keeping::Stays);
            outgoing.unwrap().sealed
        };
        let sent = (0..10_002).map(|_| seal()).collect();
        (sent, group.leave(provider, myself).unwrap())
    });
    ledger.post(&sent[10_001]);
    assert_eq!(only(&mut devices[1], &ledger), Verdict::Void(Void::NotOpened));
    // What decides about members does not depend on what came of the messages before.
    ledger.post(&wish.sealed);
    assert_eq!(only(&mut devices[1], &ledger), Verdict::Leaving(account_member(1)));
    ledger.post(&sent[10_000]);
    assert!(matches!(only(&mut devices[1], &ledger), Verdict::Message { .. }));
}

#[test]
fn own_messages_that_do_not_appear_are_remembered_up_to_the_limit() {
    let (_, mut devices) = channel(2);
    devices[0].seal("one");
    let content = devices[0].content("one too many");
    let refused = devices[0].lend_group(|group, provider, myself| {
        let others = (0..limits::OUTSTANDING_MAX - 1).map(|number| {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_be_bytes());
            Hash(id)
        });
        group.record.outstanding.extend(others);
        group.seal(provider, myself, &content, Keeping::Stays)
    });
    assert_eq!(refused.unwrap_err(), GroupError::TooManyOutstanding);
    let record = devices[0].group().record();
    let loaded = devices[0].lend(|provider, _| Group::load(provider, &record));
    assert_eq!(loaded.unwrap().record(), record, "a full record is read back");
}

#[test]
fn a_commit_whose_key_package_expires_on_the_way_is_void_for_its_author_too() {
    let (mut ledger, mut devices) = channel(2);
    let mut late = Device::new(9, 9);
    let add = vec![late.offer()];
    let change = Change {
        add,
        ..Change::default()
    };
    let welcome = commit_at(&mut ledger, &mut devices[0], &change, NOW + 1001 * HOUR);
    let fault = Breach::KeyPackage(KeyPackageFault::NotNow);
    assert_eq!(only(&mut devices[0], &ledger), Verdict::Withdrawn(fault));
    assert_eq!(only(&mut devices[1], &ledger), Verdict::Void(Void::Breach(fault)));
    agree(&devices);
    // The next one finds both where they were.
    commit(&mut ledger, &mut devices[0], &Change::default());
    assert!(devices.iter_mut().all(|device| is_closed(&only(device, &ledger))));
    agree(&devices);
    assert!(welcome.is_some());
}

fn commit_at(ledger: &mut Ledger, device: &mut Device, change: &Change, time_ms: u64) -> Option<Welcome> {
    let proposed = device.propose(change).unwrap();
    ledger.time_ms = time_ms;
    ledger.post(&proposed.outgoing.sealed);
    proposed.welcome
}

#[test]
fn who_was_away_for_many_epochs_reads_them_one_after_the_other() {
    let (mut ledger, mut devices) = channel(2);
    for round in 0..100 {
        let words = devices[0].seal(&format!("{round}"));
        ledger.post(&words.sealed);
        commit(&mut ledger, &mut devices[0], &Change::default());
        devices[0].catch_up(&ledger);
    }
    devices[1].catch_up(&ledger);
    assert_eq!(
        devices[1].texts(),
        (0..100).map(|round| round.to_string()).collect::<Vec<_>>()
    );
    agree(&devices);
}
