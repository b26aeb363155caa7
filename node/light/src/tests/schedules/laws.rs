//! The laws of a schedule, over what devices have of the conversation. The founder was never out and has all of it.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_core::Hash;
use waxwing_core::keys::LogId;

use super::play::Said;

/// One entry of the conversation as one device has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    pub(super) entry: Hash,
    pub(super) log: LogId,
    pub(super) body_hash: Hash,
    /// Who says or does what; the same for everybody who has it.
    pub(super) seen: String,
    /// What was said, and by which device.
    pub(super) words: Option<(String, String)>,
    pub(super) added: BTreeSet<String>,
    pub(super) removed: BTreeSet<String>,
    /// Why it is nothing.
    pub(super) void: Option<String>,
    pub(super) is_commit: bool,
}

/// Everything final that a device has of the conversation, and the words of what it gave up.
pub(super) struct Transcript {
    pub(super) lines: Vec<Line>,
    pub(super) failed: Vec<String>,
}

/// What a device has is what the founder has, in its order, from each time that it came in to the time that it went.
pub(super) fn has_its_runs(device: &str, own: &[Line], all: &[Line]) -> Result<(), String> {
    let places: BTreeMap<Hash, usize> = (0..).zip(all).map(|(at, line)| (line.entry, at)).collect();
    if places.len() != all.len() {
        return Err("an entry stands twice".to_owned());
    }
    let mut before: Option<usize> = None;
    for line in own {
        let Some(at) = places.get(&line.entry).copied() else {
            return Err(format!("has what the founder has not: {line:?}"));
        };
        if line.seen != all[at].seen {
            return Err(format!("sees {} where the founder sees {}", line.seen, all[at].seen));
        }
        let follows = match before {
            // Whoever was put out reads on only if it came in again at once.
            Some(before) => at == before + 1 && !all[before].removed.contains(device),
            None => at == 0,
        };
        if !follows {
            if before.is_some_and(|before| before >= at) {
                return Err(format!("has another order, at {line:?}"));
            }
            if !at.checked_sub(1).is_some_and(|at| all[at].added.contains(device)) {
                return Err(format!(
                    "has what it was no member for, or misses what comes before: {line:?}"
                ));
            }
            if !before.is_none_or(|before| all[before].removed.contains(device)) {
                return Err("misses the rest of what it was a member for".to_owned());
            }
        }
        before = Some(at);
    }
    // Whoever was not put out behind its last line is still reading.
    let rest = before.map_or(all.len(), |before| before + 1);
    let went = before.is_some_and(|before| all[before].removed.contains(device));
    if went || rest == all.len() {
        Ok(())
    } else {
        Err("has not read to the end".to_owned())
    }
}

/// Whatever was promised stands there once; or its author was put out before it was ordered, and was told so.
pub(super) fn keeps_promises(device: &str, said: &[Said], failed: &[String], all: &[Line]) -> Result<(), String> {
    let was_out = all.iter().any(|line| line.removed.contains(device));
    for said in said {
        let line_of = (said.words.clone(), device.to_owned());
        let times = all.iter().filter(|line| line.words.as_ref() == Some(&line_of)).count();
        let gave_up = failed.contains(&said.words);
        match times {
            0 if said.is_certain && !(was_out && gave_up) => return Err(format!("{:?} is lost", said.words)),
            0 => {}
            1 if gave_up => return Err(format!("{:?} was sent and given up", said.words)),
            1 => {}
            _ => return Err(format!("{:?} stands {times} times", said.words)),
        }
    }
    if was_out || failed.is_empty() {
        Ok(())
    } else {
        Err(format!("gave up {failed:?}"))
    }
}

/// What honest members wrote opens for everybody, unless the same body stood there before, or the group did not allow the
/// change. If a ratchet's state had been used twice, the second message under it would be one that does not open.
pub(super) fn opens_what_is_honest(posted_by_liar: &BTreeSet<Hash>, all: &[Line]) -> Result<(), String> {
    for (at, line) in (0..).zip(all) {
        let Some(reason) = &line.void else { continue };
        let is_same = |before: &Line| before.body_hash == line.body_hash && before.log == line.log;
        let is_forbidden = reason.contains("that the group does not allow") || reason.contains("not allowed any more");
        if !posted_by_liar.contains(&line.entry) && !all[..at].iter().any(is_same) && !is_forbidden {
            return Err(format!("an honest entry is nothing: {reason}"));
        }
    }
    Ok(())
}

/// Laws that nothing can break are none.
mod tests {
    use super::*;

    fn line(number: u8) -> Line {
        Line {
            entry: Hash([number; 32]),
            log: LogId([1; 32]),
            body_hash: Hash([number; 32]),
            seen: number.to_string(),
            words: Some((number.to_string(), "me".to_owned())),
            added: BTreeSet::new(),
            removed: BTreeSet::new(),
            void: None,
            is_commit: false,
        }
    }

    /// Six entries; the second lets this device in, the fifth puts it out.
    fn all() -> Vec<Line> {
        let mut all: Vec<Line> = (0..6).map(line).collect();
        all[1].added.insert("me".to_owned());
        all[4].removed.insert("me".to_owned());
        all
    }

    #[test]
    fn who_lacks_doubles_swaps_or_alters_an_entry_is_found() {
        let all = all();
        let has = |own: &[usize]| {
            let own: Vec<Line> = own.iter().map(|at| all[*at].clone()).collect();
            has_its_runs("me", &own, &all)
        };
        assert_eq!(has(&[2, 3, 4]), Ok(()));
        assert_eq!(has(&[]), Ok(()), "it was never in");
        for wrong in [
            &[3, 4][..],
            &[2, 4],
            &[2, 3],
            &[3, 2, 4],
            &[2, 2, 3, 4],
            &[2, 3, 4, 5],
            &[0, 1],
        ] {
            assert!(has(wrong).is_err(), "{wrong:?}");
        }
        let mut altered = all[2..5].to_vec();
        altered[1].seen.push('!');
        assert!(has_its_runs("me", &altered, &all).is_err());
        let foreign = [&all[2..5], &[line(9)]].concat();
        assert!(has_its_runs("me", &foreign, &all).is_err());
    }

    #[test]
    fn what_is_lost_doubled_or_given_up_without_a_reason_is_found() {
        let (mut all, said) = (all(), |words: &str, is_certain| {
            vec![Said {
                words: words.to_owned(),
                is_certain,
            }]
        });
        let lost = ["7".to_owned()];
        assert_eq!(keeps_promises("me", &said("2", true), &[], &all), Ok(()));
        assert_eq!(keeps_promises("me", &said("7", false), &[], &all), Ok(()));
        assert_eq!(
            keeps_promises("me", &said("7", true), &lost, &all),
            Ok(()),
            "it was put out"
        );
        assert!(keeps_promises("me", &said("7", true), &[], &all).is_err());
        assert!(keeps_promises("me", &said("2", true), &["2".to_owned()], &all).is_err());
        all.push(line(2));
        assert!(keeps_promises("me", &said("2", true), &[], &all).is_err());
        all[4].removed.clear();
        assert!(
            keeps_promises("me", &said("7", true), &lost, &all).is_err(),
            "it was always in"
        );
    }

    #[test]
    fn an_honest_entry_that_does_not_open_is_found() {
        let (mut all, nobody) = (all(), BTreeSet::new());
        all[3].void = Some("it does not open: a replay, a forgery, or too late".to_owned());
        assert!(opens_what_is_honest(&nobody, &all).is_err());
        assert_eq!(opens_what_is_honest(&[all[3].entry].into(), &all), Ok(()));
        all[3].body_hash = all[2].body_hash;
        assert_eq!(
            opens_what_is_honest(&nobody, &all),
            Ok(()),
            "the same body stood there before"
        );
    }
}
