//! `waxwing chat members|remove|role|leave|rename`: who is in, and changes that the ledger orders.

use serde_json::{Value, json};
use waxwing_light::{Adding, ChannelView, Client, Error, GroupView, Range};
use waxwing_seal::display::display_safe_name;
use waxwing_seal::identity::AccountId;

use super::history::rule_says;
use super::who::{self, Someone};
use super::{account, not_yet, until};
use crate::args::{Add, Leave, MemberRole, Remove, Rename, Role, Settling};
use crate::chat::show::json_of;
use crate::chat::{Session, contacts, fault, find_channel, find_channel_or_only, number};
use crate::failure::Failure;
use crate::home::quoted;
use crate::output::{Output, Tone};
use crate::words::count;
use crate::{Done, confirm, ids};

/// A channel and its group.
pub(super) async fn group_of(client: &Client, channel: &ChannelView) -> Result<GroupView, Failure> {
    let group = client.group(channel.id).await.map_err(|error| fault(&error))?;
    group.ok_or_else(|| {
        Failure::usage(format!(
            "{} was opened with --by-link: it has no members, everybody with its link is in",
            display_safe_name(&channel.name)
        ))
    })
}

pub(super) async fn list(channel: Option<&str>, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    // Who is here is worth showing even when nobody can be reached; the fault is said below it.
    let refreshed = client.refresh().await;
    let channel = find_channel_or_only(&client, channel).await?;
    let group = group_of(&client, &channel).await?;
    let people = who::of(&client, &group).await?;
    let object = json!({
        "channel": number(channel.id),
        "name": channel.name,
        "group": json_of(&group),
        "people": people.iter().map(person).collect::<Vec<Value>>(),
    });
    output.result("chat.members", object, &listing(&channel, &group, &people, output))?;
    refreshed.map_err(|error| fault(&error))?;
    Ok(0)
}

fn person(someone: &Someone) -> Value {
    json!({
        "account": someone.account,
        "devices": someone.devices,
        "claimed": someone.claimed,
        "petname": someone.petname,
        "admin": someone.admin,
        "own": someone.own,
        "leaving": someone.leaving,
        "compared": someone.compared,
        "warning": someone.warning,
    })
}

fn listing(channel: &ChannelView, group: &GroupView, people: &[Someone], output: &Output) -> String {
    let heading = format!(
        "{}  {}",
        output.paint(Tone::Strong, &display_safe_name(&channel.name)),
        output.paint(
            Tone::Faint,
            &format!(
                "{}, epoch {}",
                count(length(people.len()), "member", "members"),
                group.epoch
            )
        )
    );
    let names: Vec<String> = people.iter().map(own_name).collect();
    let width = names.iter().map(|name| unicode_width(name)).max().unwrap_or(0);
    let mut text = heading + "\n";
    for (someone, name) in people.iter().zip(&names) {
        let gap = " ".repeat(width.saturating_sub(unicode_width(name)));
        text.push_str(&format!(
            "  {name}{gap}  {:<6}  {}{}\n",
            if someone.admin { "admin" } else { "" },
            account(&someone.account, output),
            devices(someone)
        ));
        text.push_str(&about(someone, people, output));
    }
    if group.standing != "member" {
        text.push_str(&format!(
            "  {}\n",
            output.paint(Tone::Bad, &format!("! {}", standing(group)))
        ));
    }
    if !group.direct {
        let says = rule_says(&group.history);
        text.push_str(&format!("  {}\n", output.paint(Tone::Faint, &says)));
    }
    if group.changes_waiting > 0 {
        let changes = count(group.changes_waiting, "change", "changes");
        text.push_str(&format!("  {changes} on the way\n"));
    }
    text
}

fn own_name(someone: &Someone) -> String {
    let own = if someone.own { " (you)" } else { "" };
    format!("{}{own}", someone.name())
}

fn unicode_width(text: &str) -> usize {
    ratatui::text::Span::raw(text).width()
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn devices(someone: &Someone) -> String {
    match someone.devices.len() {
        1 => String::new(),
        several => format!(", {}", count(length(several), "device", "devices")),
    }
}

/// What must be known of a member, below the name.
fn about(someone: &Someone, people: &[Someone], output: &Output) -> String {
    let mut says: Vec<(Tone, String)> = Vec::new();
    if let (Some(_), Some(claimed)) = (&someone.petname, someone.claimed.first()) {
        says.push((Tone::Faint, format!("calls themselves {}", display_safe_name(claimed))));
    }
    if someone.compared {
        says.push((Tone::Faint, "compared with you".to_owned()));
    }
    if someone.leaving {
        says.push((Tone::Faint, "wishes to leave".to_owned()));
    }
    let alike = people.iter().filter(|other| someone.is_like(other));
    says.extend(alike.map(|other| (Tone::Bad, format!("! looks like {} ({})", other.name(), other.tag()))));
    says.extend(someone.warning.map(|warning| (Tone::Bad, format!("! {warning}"))));
    says.iter()
        .map(|(tone, text)| format!("    {}\n", output.paint(*tone, text)))
        .collect()
}

/// Why a group is closed for this device.
pub(crate) fn standing(group: &GroupView) -> &'static str {
    match group.standing {
        "removed" => "this device is out: nothing new is read, and nothing can be written",
        "stranded" => {
            "this device cannot follow the group any more: ask a member for an invitation, and it is the same channel when it \
             is back in"
        }
        "in-doubt" => {
            "a change of the group did not open here, and nobody has written since: if you miss what others say, ask a member \
             for an invitation, and it is the same channel when this device is in again"
        }
        _ => "this device is in",
    }
}

/// Opens the client and learns what others changed meanwhile, as far as somebody can be reached: who means a member, or asks
/// to change something, does so by what is true now.
pub(super) async fn opened(settling: Settling, session: &Session<'_>) -> Result<Client, Failure> {
    let client = session.open().await?;
    if !settling.no_wait
        && let Err(error) = client.refresh().await
    {
        session
            .output
            .note(&format!("going by what is on this device: {error}"));
    }
    Ok(client)
}

/// What somebody asked to be changed, and the group as it is when that is final.
pub(super) async fn settled(
    client: &Client,
    channel: &ChannelView,
    settling: Settling,
    is_done: impl Fn(&GroupView) -> bool,
) -> Result<State, Failure> {
    if settling.no_wait {
        return Ok(State::Queued);
    }
    let look = async || {
        let group = client.group(channel.id).await?.ok_or(Error::NoGroup)?;
        Ok((is_done(&group) || group.changes_waiting == 0).then_some(group))
    };
    match until(client, settling, look).await? {
        Some(group) if is_done(&group) => Ok(State::Final),
        Some(_) => Err(Failure::failed(
            "it was not done: another admin's change came first, and this one is not allowed any more; `waxwing chat members` \
             shows who may do what",
        )),
        None => Err(not_yet("the change")),
    }
}

/// How far a change is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Queued,
    Final,
}

impl State {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Final => "final",
        }
    }

    /// The sentence, or that it will be so.
    pub(super) fn says(self, done: &str) -> String {
        match self {
            Self::Final => done.to_owned(),
            Self::Queued => format!("queued, to go out with the next command that connects: {done}"),
        }
    }
}

fn account_id(someone: &Someone) -> Result<AccountId, Failure> {
    let id = ids::hex_32(&someone.account).ok_or_else(|| Failure::failed("the member has no account"))?;
    Ok(AccountId(id))
}

pub(super) async fn add(add: &Add, session: &Session<'_>) -> Done {
    let (client, output) = (opened(add.settling, session).await?, session.output);
    let channel = find_channel(&client, &add.channel).await?;
    group_of(&client, &channel).await?;
    let contact = contacts::find(&client, &add.who).await?;
    let id = ids::hex_32(&contact.account).ok_or_else(|| Failure::failed("the contact has no account"))?;
    let adding = if add.afresh { Adding::Afresh } else { Adding::Missing };
    let added = client.add_member(channel.id, AccountId(id), adding).await;
    let added = added.map_err(|error| fault(&error))?;
    let is_in = |group: &GroupView| {
        let theirs = group.members.iter().filter(|member| member.account == contact.account);
        group.changes_waiting == 0 && theirs.count() > 0
    };
    let state = settled(&client, &channel, add.settling, is_in).await?;
    let is_told = async || Ok((client.answers_waiting().await? == 0).then_some(()));
    if state == State::Final && until(&client, add.settling, is_told).await?.is_none() {
        return Err(not_yet("the welcome"));
    }
    let name = display_safe_name(&contact.name);
    let devices = count(length(added), "device", "devices");
    let says = state.says(&format!(
        "{name} is added with {devices}, and reads along once they agree"
    ));
    let object = json!({
        "channel": number(channel.id),
        "account": contact.account,
        "devices": added,
        "state": state.word(),
    });
    output.result("chat.add", object, &says)?;
    Ok(0)
}

pub(super) async fn remove(remove: &Remove, session: &Session<'_>) -> Done {
    let (client, output) = (opened(remove.settling, session).await?, session.output);
    let channel = find_channel(&client, &remove.channel).await?;
    let people = who::of(&client, &group_of(&client, &channel).await?).await?;
    let someone = who::find(&people, &remove.who)?;
    if someone.own {
        return Err(Failure::usage(
            "that is you: `waxwing chat leave` takes this device out",
        ));
    }
    let (name, id) = (someone.name(), account_id(someone)?);
    client
        .remove_member(channel.id, id)
        .await
        .map_err(|error| fault(&error))?;
    let is_out = |group: &GroupView| group.members.iter().all(|member| member.account != someone.account);
    let state = settled(&client, &channel, remove.settling, is_out).await?;
    let says = state.says(&format!("{name} is out, and reads nothing that is said from now on"));
    let object = json!({ "channel": number(channel.id), "account": someone.account, "state": state.word() });
    output.result("chat.remove", object, &says)?;
    Ok(0)
}

pub(super) async fn role(role: &Role, session: &Session<'_>) -> Done {
    let (client, output) = (opened(role.settling, session).await?, session.output);
    let channel = find_channel(&client, &role.channel).await?;
    let people = who::of(&client, &group_of(&client, &channel).await?).await?;
    let someone = who::find(&people, &role.who)?;
    let (name, is_admin) = (someone.name(), role.role == MemberRole::Admin);
    client
        .appoint(channel.id, account_id(someone)?, is_admin)
        .await
        .map_err(|error| fault(&error))?;
    let is_so = |group: &GroupView| {
        let mut members = group.members.iter().filter(|member| member.account == someone.account);
        members.all(|member| member.admin == is_admin)
    };
    let state = settled(&client, &channel, role.settling, is_so).await?;
    let says = state.says(&match role.role {
        MemberRole::Admin => format!("{name} is an admin now"),
        MemberRole::Member => format!("{name} is an admin no more"),
    });
    let object = json!({
        "channel": number(channel.id),
        "account": someone.account,
        "admin": is_admin,
        "state": state.word(),
    });
    output.result("chat.role", object, &says)?;
    Ok(0)
}

pub(super) async fn leave(leave: &Leave, session: &Session<'_>) -> Done {
    let (client, output) = (opened(leave.settling, session).await?, session.output);
    let channel = find_channel_or_only(&client, leave.channel.as_deref()).await?;
    let (group, option) = (group_of(&client, &channel).await?, session.home.as_option());
    let name = display_safe_name(&channel.name);
    if group.members.iter().all(|member| member.own) {
        return Err(Failure::usage(format!(
            "nobody else is in {name}: `waxwing chat forget {}{option}` deletes it",
            quoted(&channel.name)
        )));
    }
    confirm::ask(&format!("the members of {name} see that you leave"), output)?;
    client.leave_group(channel.id).await.map_err(|error| fault(&error))?;
    let is_said = async || {
        let is_out = client
            .group(channel.id)
            .await?
            .is_some_and(|group| ["removed", "stranded"].contains(&group.standing));
        let views = client.read(channel.id, Range::Last(LOOKED_AT)).await?;
        let is_told = |view: &waxwing_light::MessageView| {
            let leaving = view
                .event
                .as_ref()
                .is_some_and(|event| event.leaving && event.epoch >= group.epoch);
            view.own && leaving && view.state.is_final()
        };
        Ok((is_out || views.iter().any(is_told)).then_some(is_out))
    };
    let (word, says) = if leave.settling.no_wait {
        (
            "queued",
            "queued: it is said with the next command that connects".to_owned(),
        )
    } else {
        match until(&client, leave.settling, is_said).await? {
            Some(true) => ("out", format!("you are out of {name}")),
            Some(false) => (
                "said",
                format!(
                    "the members of {name} are told; you are out as soon as one of them is connected, and until then this \
                     device reads along"
                ),
            ),
            None => return Err(not_yet("your wish to leave")),
        }
    };
    output.result(
        "chat.leave",
        json!({ "channel": number(channel.id), "state": word }),
        &says,
    )?;
    output.next(&format!(
        "waxwing chat forget {}{option} deletes what was read",
        quoted(&channel.name)
    ))?;
    Ok(0)
}

/// Messages among which the own wish to leave is looked for.
const LOOKED_AT: u32 = 100;

pub(super) async fn rename(rename: &Rename, session: &Session<'_>) -> Done {
    let (settling, output) = (rename.settling, session.output);
    // What this device alone calls it concerns nobody else.
    let client = if rename.here {
        session.open().await?
    } else {
        opened(settling, session).await?
    };
    let channel = find_channel(&client, &rename.channel).await?;
    let name = display_safe_name(&rename.name);
    if rename.here {
        let renamed = client.rename_channel(channel.id, &rename.name).await;
        renamed.map_err(|error| fault(&error))?;
        let object = json!({ "channel": number(channel.id), "name": rename.name, "here": true, "state": "final" });
        output.result("chat.rename", object, &format!("this device calls it {name} now"))?;
        return Ok(0);
    }
    if !channel.group {
        return Err(Failure::usage(format!(
            "{} was opened with --by-link: it has no name that all share; --here changes what this device calls it",
            display_safe_name(&channel.name)
        )));
    }
    let renamed = client.rename_group(channel.id, &rename.name).await;
    renamed.map_err(|error| fault(&error))?;
    let state = settled(&client, &channel, settling, |group| group.changes_waiting == 0).await?;
    let says = state.says(&format!("all members see it as {name} now"));
    let object = json!({ "channel": number(channel.id), "name": rename.name, "here": false, "state": state.word() });
    output.result("chat.rename", object, &says)?;
    Ok(0)
}
