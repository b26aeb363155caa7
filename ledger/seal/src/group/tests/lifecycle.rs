//! The life of a group: founding, joining, talking, leaving, removing, ending; and what is refused on the way.

use super::*;

fn closed(verdict: Verdict) -> Closed {
    match verdict {
        Verdict::Closed(closed) => *closed,
        other => panic!("no epoch was closed: {other:?}"),
    }
}

#[test]
fn members_of_a_channel_read_what_each_of_them_says() {
    let (mut ledger, mut devices) = channel(3);
    for index in 0..3 {
        let outgoing = devices[index].seal(&format!("from {index}"));
        ledger.post(&outgoing.sealed);
        for (reader, device) in devices.iter_mut().enumerate() {
            let verdict = only(device, &ledger);
            if reader == index {
                assert_eq!(verdict, Verdict::Own(outgoing.id));
                continue;
            }
            let Verdict::Message { by, keeping, content } = verdict else {
                panic!("{verdict:?}");
            };
            assert_eq!(by, account_member(u8::try_from(index).unwrap() + 1));
            assert_eq!(keeping, Keeping::Erasable(KeepFor::Week));
            assert_eq!(text_of(&content), format!("from {index}"));
        }
    }
    agree(&devices);
}

#[test]
fn a_direct_channel_takes_all_devices_of_its_two_accounts_and_nobody_elses() {
    let (mut ada, mut phone, mut bob, mut eve) = (
        Device::new(1, 1),
        Device::new(1, 11),
        Device::new(2, 2),
        Device::new(3, 3),
    );
    ada.found(&Charter::direct(account(1).id(), account(2).id()).unwrap());
    let mut ledger = Ledger::new();
    let add = vec![phone.offer(), bob.offer()];
    let welcome = commit(
        &mut ledger,
        &mut ada,
        &Change {
            add,
            ..Change::default()
        },
    )
    .unwrap();
    ada.catch_up(&ledger);
    assert_eq!(join(&mut phone, &welcome), Ok(ada.member()));
    assert_eq!(join(&mut bob, &welcome), Ok(ada.member()));
    let add = vec![eve.offer()];
    let refused = bob.propose(&Change {
        add,
        ..Change::default()
    });
    assert_eq!(refused.unwrap_err(), GroupError::Refused(Breach::ThirdAccount));
    let outgoing = bob.seal("still working after the refusal");
    ledger.post(&outgoing.sealed);
    assert!(matches!(only(&mut phone, &ledger), Verdict::Message { .. }));
    agree(&[ada, phone, bob]);
}

#[test]
fn each_epoch_has_a_log_of_its_own_and_the_network_is_part_of_it() {
    let (mut ledger, mut devices) = channel(2);
    let mut logs = vec![devices[0].log()];
    for round in 0..3 {
        commit(&mut ledger, &mut devices[round % 2], &Change::default());
        for device in &mut devices {
            assert_eq!(closed(only(device, &ledger)).log, *logs.last().unwrap());
        }
        agree(&devices);
        logs.push(devices[0].log());
    }
    let group = devices[0].group.take().unwrap();
    let elsewhere = devices[0].lend(|provider, _| epoch_keys(&group.mls, provider, Hash([8; 32])));
    logs.push(elsewhere.unwrap().unwrap().log());
    logs.sort_unstable();
    logs.dedup();
    assert_eq!(logs.len(), 5);
}

#[test]
fn whoever_is_removed_reads_the_commit_and_nothing_after_it() {
    let (mut ledger, mut devices) = channel(3);
    let target = devices[2].member();
    let remove = vec![target.device];
    commit(
        &mut ledger,
        &mut devices[0],
        &Change {
            remove,
            ..Change::default()
        },
    );
    for device in &mut devices {
        assert_eq!(closed(only(device, &ledger)).removed, [target]);
    }
    let out = &mut devices[2];
    assert_eq!(out.group().standing(), Standing::Removed);
    assert!(out.group().keys().is_none());
    let content = out.content("let me in");
    let refused = out.step(|group, provider, myself| group.seal(provider, myself, &content, Keeping::Stays));
    assert_eq!(refused.unwrap_err(), GroupError::NotAMember);

    let outgoing = devices[0].seal("among ourselves");
    ledger.post(&outgoing.sealed);
    let row = ledger.row(devices[0].log(), 0).unwrap().clone();
    let entry = Entry {
        header: &row.header,
        body: &row.body,
        time_ms: row.time_ms,
    };
    let refused = devices[2].step(|group, provider, _| group.process(provider, &entry));
    assert_eq!(refused.unwrap_err(), GroupError::NotAMember);
    assert!(matches!(only(&mut devices[1], &ledger), Verdict::Message { .. }));
}

#[test]
fn a_member_who_wishes_to_leave_may_be_removed_by_anybody_in_that_epoch_only() {
    let (mut ledger, mut devices) = channel(3);
    let leaver = devices[2].member();
    let remove = vec![leaver.device];
    let wish = devices[2]
        .step(|group, provider, myself| group.leave(provider, myself))
        .unwrap();
    ledger.post(&wish.sealed);
    let twice = devices[2].step(|group, provider, myself| group.leave(provider, myself));
    assert_eq!(twice.unwrap_err(), GroupError::AlreadyLeaving);
    assert_eq!(only(&mut devices[2], &ledger), Verdict::Own(wish.id));
    for device in &mut devices[..2] {
        assert_eq!(only(device, &ledger), Verdict::Leaving(leaver));
        assert_eq!(device.group().leaving(), [leaver]);
    }
    // The epoch ends without it, and the wish with it.
    commit(&mut ledger, &mut devices[0], &Change::default());
    devices.iter_mut().for_each(|device| drop(device.catch_up(&ledger)));
    let change = Change {
        remove,
        ..Change::default()
    };
    let refused = devices[1].propose(&change);
    assert_eq!(refused.unwrap_err(), GroupError::Refused(Breach::NotAdmin));

    let wish = devices[2]
        .step(|group, provider, myself| group.leave(provider, myself))
        .unwrap();
    ledger.post(&wish.sealed);
    devices.iter_mut().for_each(|device| drop(device.catch_up(&ledger)));
    commit(&mut ledger, &mut devices[1], &change);
    for device in &mut devices {
        assert_eq!(closed(only(device, &ledger)).removed, [leaver]);
    }
    assert_eq!(devices[2].group().standing(), Standing::Removed);
    agree(&devices);
}

#[test]
fn an_admin_renames_and_hands_over_and_is_obeyed_no_more() {
    let (mut ledger, mut devices) = channel(2);
    let charter = Charter::channel(GroupName::new("waxwings").unwrap(), vec![account(2).id()]).unwrap();
    let change = Change {
        charter: Some(charter.clone()),
        ..Change::default()
    };
    let refused = devices[1].propose(&change);
    assert_eq!(refused.unwrap_err(), GroupError::Refused(Breach::NotAdmin));
    let remove = vec![account_member(9).device];
    let refused = devices[0].propose(&Change {
        remove,
        ..Change::default()
    });
    assert_eq!(refused.unwrap_err(), GroupError::UnknownMember);
    commit(&mut ledger, &mut devices[0], &change);
    for device in &mut devices {
        assert_eq!(closed(only(device, &ledger)).charter, Some(charter.clone()));
        assert_eq!(device.group().charter(), &charter);
    }
    let remove = vec![devices[1].member().device];
    let refused = devices[0].propose(&Change {
        remove,
        ..Change::default()
    });
    assert_eq!(refused.unwrap_err(), GroupError::Refused(Breach::NotAdmin));
    agree(&devices);
}

#[test]
fn thirty_two_devices_come_by_one_commit_and_not_one_more() {
    let mut ada = Device::new(1, 1);
    ada.found(&Charter::channel(GroupName::default(), vec![account(1).id()]).unwrap());
    let mut many: Vec<Device> = (2..=34).map(|number| Device::new(number, number)).collect();
    let mut add: Vec<KeyPackage> = many.iter_mut().map(Device::offer).collect();
    let all = Change {
        add: add.clone(),
        ..Change::default()
    };
    assert_eq!(ada.propose(&all).unwrap_err(), GroupError::Refused(Breach::TooManyAdds));
    add.pop();
    let mut ledger = Ledger::new();
    let welcome = commit(
        &mut ledger,
        &mut ada,
        &Change {
            add,
            ..Change::default()
        },
    )
    .unwrap();
    assert_eq!(closed(only(&mut ada, &ledger)).added.len(), 32);
    assert_eq!(join(&mut many[31], &welcome), Ok(ada.member()));
    assert_eq!(join(&mut many[32], &welcome), Err(JoinError::NotForUs));
    agree(&[ada, many.swap_remove(31)]);
}

#[test]
fn a_group_is_read_back_from_the_store_with_the_record_that_belongs_to_it() {
    let (mut ledger, mut devices) = channel(2);
    let outgoing = devices[0].seal("sent, not yet seen");
    commit(&mut ledger, &mut devices[0], &Change::default());
    let record = devices[0].group().record();
    let reload = |device: &mut Device, record: &[u8]| device.lend(|provider, _| Group::load(provider, record));
    let group = reload(&mut devices[0], &record).unwrap();
    assert_eq!(group.suite(), 0x004e);
    assert!(group.has_pending_commit());
    assert_eq!(group.record(), record);
    devices[0].group = Some(group);
    let verdict = closed(only(&mut devices[0], &ledger));
    assert_eq!(verdict.left_behind, [outgoing.id], "sealed again in the next epoch");
    devices[1].catch_up(&ledger);
    agree(&devices);

    let mut other = record.clone();
    other[8 + 32 + 1] = 0x4f;
    assert_eq!(reload(&mut devices[0], &other).unwrap_err(), GroupError::OtherSuite);
    let mut other = record.clone();
    other[8 + 32 + 2] ^= 1;
    assert_eq!(reload(&mut devices[0], &other).unwrap_err(), GroupError::NoSuchGroup);
    assert_eq!(
        reload(&mut devices[0], &record[..10]).unwrap_err(),
        GroupError::BadRecord(CodecError::Truncated)
    );
}

#[test]
fn a_group_that_is_forgotten_leaves_the_store() {
    let (_, mut devices) = channel(2);
    let device = &mut devices[1];
    let group = device.group.take().unwrap();
    let record = group.record();
    device.lend(|provider, _| group.forget(provider)).unwrap();
    let gone = device.lend(|provider, _| Group::load(provider, &record));
    assert_eq!(gone.unwrap_err(), GroupError::NoSuchGroup);
    let left: Vec<String> = device
        .snapshot()
        .keys()
        .map(|key| String::from_utf8_lossy(key).into_owned())
        .collect();
    assert!(
        left.iter().all(|key| key.starts_with("KeyPackage")),
        "only its own offer is left: {left:?}"
    );
}

#[test]
fn one_own_commit_waits_at_a_time() {
    let (_, mut devices) = channel(2);
    devices[0].propose(&Change::default()).unwrap();
    assert_eq!(
        devices[0].propose(&Change::default()).unwrap_err(),
        GroupError::CommitPending
    );
}

#[test]
fn a_device_with_anothers_certificate_stands_for_nobody() {
    let key = DeviceKey::from_seed(&[1; 32]);
    assert!(Myself::new(key.clone(), certified(&key, &account(1))).is_some());
    let others = certified(&DeviceKey::from_seed(&[2; 32]), &account(1));
    assert!(Myself::new(key, others).is_none());
}

#[test]
fn a_stranger_to_the_charter_founds_no_group() {
    let mut eve = Device::new(3, 3);
    let charter = Charter::direct(account(1).id(), account(2).id()).unwrap();
    let refused = eve.lend(|provider, myself| Group::create(provider, NETWORK, myself, &charter));
    assert_eq!(refused.unwrap_err(), GroupError::Refused(Breach::NoAdminLeft));
}
