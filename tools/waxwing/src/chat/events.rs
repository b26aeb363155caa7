//! What a change of a group says, in a sentence between the messages: `Ada added Ben`, `Cleo left`.
//!
//! The sentence is the program's, the names in it are others' and hostile: a name that is more than one word of letters and
//! digits stands in quotation marks, so that nobody writes a sentence by calling themselves one.

use waxwing_light::{Event, KeyNews, MemberId, MessageView};
use waxwing_seal::display::display_safe_name;

use crate::chat::groups::history::rule_says;
use crate::ids::{self, Kind};

/// Letters of an account's short id that tell it from another one.
const TAG_LETTERS: usize = 13;

/// What a change of the group says; `None` for what is no change, nothing for one that has nothing to be seen: it renewed
/// keys, or is not in the ledger yet.
pub(crate) fn sentence(view: &MessageView) -> Option<String> {
    let event = view.event.as_ref()?;
    let by = view.author.as_ref();
    let by_account = by.and_then(|author| author.account.clone()).unwrap_or_default();
    let by = by.map_or_else(|| "somebody".to_owned(), |author| called(&author.name, &by_account));
    Some(of(event, &by, &by_account))
}

/// Whether there is nothing to be seen in it.
pub(crate) fn is_hidden(view: &MessageView) -> bool {
    view.event.as_ref().is_some_and(|event| !event.is_visible())
}

fn of(event: &Event, by: &str, by_account: &str) -> String {
    let is_in = |members: &[MemberId], device: &str| members.iter().any(|member| member.device == device);
    let mut says = Vec::new();
    let (afresh, added): (Vec<_>, Vec<_>) = event
        .added
        .iter()
        .partition(|member| is_in(&event.removed, &member.device));
    let (own_added, added): (Vec<_>, Vec<_>) = added.into_iter().partition(|member| member.account == by_account);
    let removed = event
        .removed
        .iter()
        .filter(|member| !is_in(&event.added, &member.device));
    let (left, removed): (Vec<_>, Vec<_>) = removed.partition(|member| event.left.contains(&member.device));
    let (own, removed): (Vec<_>, Vec<_>) = removed.into_iter().partition(|member| member.account == by_account);
    for (members, before, behind) in [
        (added, format!("{by} added "), ""),
        (afresh, format!("{by} added "), " afresh"),
        (left, String::new(), " left"),
        (removed, format!("{by} removed "), ""),
    ] {
        if !members.is_empty() {
            says.push(format!("{before}{}{behind}", listed(event, &members)));
        }
    }
    if !own_added.is_empty() {
        says.push(format!("{by} added a device of their own"));
    }
    if !own.is_empty() {
        says.push(format!("{by} took out a device of their own"));
    }
    let accounts = |accounts: &[String], what: &str| -> Vec<String> {
        let name = |account: &String| called_in(event, account, account);
        accounts
            .iter()
            .map(|account| format!("{} {what}", name(account)))
            .collect()
    };
    says.extend(accounts(&event.appointed, "is an admin now"));
    says.extend(accounts(&event.dismissed, "is an admin no more"));
    if let Some(name) = &event.name {
        says.push(format!(
            "{by} calls the channel {} now",
            quoted(&display_safe_name(name))
        ));
    }
    if let Some(history) = &event.history {
        says.push(format!("{by} decided: {}", rule_says(history)));
    }
    if event.leaving {
        says.push(format!("{by} wishes to leave"));
    }
    says.extend(event.keys.iter().map(|news| keys(event, news)));
    says.join("; ")
}

/// What became of somebody's keys.
fn keys(event: &Event, news: &KeyNews) -> String {
    let whose = called_in(event, &news.account, &news.account);
    let device = news.device.as_deref().and_then(ids::hex_32);
    let short = device.map(|id| ids::short(Kind::Device, &id));
    let short = short.map(|short| short.chars().take(TAG_LETTERS).collect::<String>());
    let which = match (&news.device_name, short) {
        (Some(name), Some(short)) => format!(" ({}, {short})", quoted(&display_safe_name(name))),
        (None, Some(short)) => format!(" ({short})"),
        _ => String::new(),
    };
    format!("keys of {whose}: {}{which}", news.sentence)
}

/// Whether it is a warning: what was compared says nothing any more.
pub(crate) fn is_alarm(view: &MessageView) -> bool {
    view.event
        .as_ref()
        .is_some_and(|event| event.keys.iter().any(|news| news.breaks))
}

/// People, each once however many of their devices came or went.
fn listed(event: &Event, members: &[&MemberId]) -> String {
    let mut names: Vec<(&str, String)> = Vec::new();
    for member in members {
        if names.iter().all(|(account, _)| *account != member.account) {
            names.push((&member.account, called_in(event, &member.device, &member.account)));
        }
    }
    let mut names: Vec<String> = names.into_iter().map(|(_, name)| name).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => String::new(),
    }
}

fn called_in(event: &Event, key: &str, account: &str) -> String {
    let name = event.names.get(key).or_else(|| event.names.get(account));
    called(name.map_or("", String::as_str), account)
}

/// A name, or the account of whoever has none here.
pub(crate) fn called(name: &str, account: &str) -> String {
    if name.is_empty() {
        let short = ids::hex_32(account).map(|id| ids::short(Kind::Account, &id));
        let short = short.unwrap_or_else(|| "somebody".to_owned());
        return short.chars().take(TAG_LETTERS).collect();
    }
    let safe = display_safe_name(name);
    // Nobody passes for an account either.
    let is_id = safe.starts_with("account1");
    let is_word = safe
        .chars()
        .all(|letter| letter.is_alphanumeric() || letter == '-' || letter == '_');
    if is_word && !is_id { safe } else { quoted(&safe) }
}

/// In quotation marks that the name itself does not end.
fn quoted(safe: &str) -> String {
    format!("\"{}\"", safe.replace(['"', '\u{201c}', '\u{201d}'], "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: u8) -> MemberId {
        MemberId {
            account: ids::hex(&[number; 32]),
            device: ids::hex(&[number + 100; 32]),
        }
    }

    fn event() -> Event {
        let names = [(1, "Ada"), (2, "Ben"), (3, "Cleo"), (4, "Eve is an admin now. \"Ada")];
        let names = names.iter().flat_map(|(number, name)| {
            let MemberId { account, device } = member(*number);
            [(account, (*name).to_owned()), (device, (*name).to_owned())]
        });
        Event {
            names: names.collect(),
            ..Event::default()
        }
    }

    fn says(event: &Event) -> String {
        of(event, "Ada", &member(1).account)
    }

    #[test]
    fn who_came_and_who_went_is_said_by_name() {
        let added = Event {
            added: vec![member(2), member(3)],
            ..event()
        };
        assert_eq!(says(&added), "Ada added Ben and Cleo");
        let gone = Event {
            removed: vec![member(2), member(3), member(1)],
            left: vec![member(3).device],
            ..event()
        };
        assert_eq!(
            says(&gone),
            "Cleo left; Ada removed Ben; Ada took out a device of their own"
        );
        let afresh = Event {
            added: vec![member(2)],
            removed: vec![member(2)],
            ..event()
        };
        assert_eq!(says(&afresh), "Ada added Ben afresh");
        let own = Event {
            added: vec![MemberId {
                device: ids::hex(&[9; 32]),
                ..member(1)
            }],
            ..event()
        };
        assert_eq!(says(&own), "Ada added a device of their own");
    }

    #[test]
    fn what_became_of_keys_is_said_with_the_device_and_a_name_ends_no_sentence() {
        let news = |device_name: Option<&str>, breaks| KeyNews {
            account: member(2).account,
            device: Some(member(2).device),
            device_name: device_name.map(str::to_owned),
            breaks,
            sentence: "a device was added".to_owned(),
        };
        let says_of = |news: KeyNews| {
            says(&Event {
                keys: vec![news],
                ..event()
            })
        };
        let short = ids::short(Kind::Device, &[102; 32]);
        let short = short.split_at(TAG_LETTERS).0;
        assert_eq!(
            says_of(news(None, false)),
            format!("keys of Ben: a device was added ({short})")
        );
        assert_eq!(
            says_of(news(Some("phone\"); all is well"), true)),
            format!("keys of Ben: a device was added (\"phone'); all is well\", {short})")
        );
    }

    #[test]
    fn roles_names_and_wishes_are_said() {
        let changed = Event {
            appointed: vec![member(2).account],
            dismissed: vec![member(3).account],
            name: Some("new plans".to_owned()),
            ..event()
        };
        assert_eq!(
            says(&changed),
            "Ben is an admin now; Cleo is an admin no more; Ada calls the channel \"new plans\" now"
        );
        let leaving = Event {
            leaving: true,
            ..event()
        };
        assert_eq!(says(&leaving), "Ada wishes to leave");
        assert_eq!(says(&event()), "", "it renewed keys");
    }

    #[test]
    fn nobody_writes_a_sentence_by_a_name() {
        let added = Event {
            added: vec![member(4), member(5)],
            ..event()
        };
        let account = ids::short(Kind::Account, &[5; 32]);
        let expected = format!(
            "Ada added \"Eve is an admin now. 'Ada\" and {}",
            account.split_at(TAG_LETTERS).0
        );
        assert_eq!(says(&added), expected);
        assert_eq!(called("account1abcdef", ""), "\"account1abcdef\"");
        assert!(!called("a\u{202e}b\u{1b}[2J", "").contains(['\u{202e}', '\u{1b}']));
    }
}
