//! `waxwing chat receipts` and `timer`: what this device tells of itself in a channel, and for how long what is written stays.
//!
//! ```text
//! garden: receipts off, seen by all on (up to eight members)
//!   bob    holds 12   delivered 12   read 9
//!   carol  holds 7
//! ```

use serde_json::json;
use waxwing_core::envelope::KeepFor;
use waxwing_light::{ChannelView, Client, Manners, MemberReach, Seen};
use waxwing_seal::display::display_safe_name;

use super::show::json_of;
use super::{Session, fault, find_channel, number, sending};
use crate::Done;
use crate::args::{MannerVerb, Receipts, SeenSwitch, Switch, Timer, TimerTime};
use crate::failure::Failure;
use crate::ids::{self, Kind};
use crate::output::{Output, Tone};
use crate::words::{count, grouped};

pub(super) async fn act(verb: &MannerVerb, session: &Session<'_>) -> Done {
    match verb {
        MannerVerb::Receipts(choice) => receipts(choice, session).await,
        MannerVerb::Timer(choice) => timer(choice, session).await,
    }
}

async fn receipts(choice: &Receipts, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let channel = find_channel(&client, &choice.channel).await?;
    if let Some(switch) = choice.switch {
        let chosen = client.set_receipts(channel.id, switch == Switch::On).await;
        chosen.map_err(|error| fault(&error))?;
    }
    if let Some(seen) = choice.seen {
        let seen = match seen {
            SeenSwitch::Auto => Seen::Auto,
            SeenSwitch::On => Seen::On,
            SeenSwitch::Off => Seen::Off,
        };
        let chosen = client.set_seen(channel.id, seen).await;
        chosen.map_err(|error| fault(&error))?;
    }
    let told = if choice.now { Some(tell(&client).await?) } else { None };
    let manners = client.manners(channel.id).await.map_err(|error| fault(&error))?;
    let mut text = summary(&channel, &manners);
    for member in &manners.members {
        text.push_str(&line(member, output));
    }
    if manners.members.is_empty() {
        text.push_str("  nobody has written here yet\n");
    }
    let limit =
        "holds: proven by signed views; delivered and read: as their receipts say. Whoever only reads is not listed.";
    text.push_str(&output.wrapped(&output.paint(Tone::Faint, limit), 2));
    text.push('\n');
    let mut object = json_of(&manners);
    if let Some(fields) = object.as_object_mut() {
        fields.insert("channel".to_owned(), json!(number(channel.id)));
        fields.insert("told".to_owned(), json!(told));
    }
    output.result("chat.receipts", object, &text)?;
    Ok(0)
}

/// Fetches what is new, tells what is owed for it, and hands that on.
async fn tell(client: &Client) -> Result<u64, Failure> {
    client.refresh().await.map_err(|error| fault(&error))?;
    let told = client.tell_now().await.map_err(|error| fault(&error))?;
    if told > 0 {
        client.refresh().await.map_err(|error| fault(&error))?;
    }
    Ok(told)
}

fn summary(channel: &ChannelView, manners: &Manners) -> String {
    let receipts = if manners.receipts { "on" } else { "off" };
    let seen = match (manners.seen, manners.tells_seen) {
        (Seen::Auto, true) => "on, as long as there are at most eight members",
        (Seen::Auto, false) => "off, since there are more than eight members",
        (Seen::On, _) => "on",
        (Seen::Off, _) => "off",
    };
    format!(
        "{}: receipts {receipts}, telling what you hold {seen}\n",
        display_safe_name(&channel.name)
    )
}

fn line(member: &MemberReach, output: &Output) -> String {
    let device = ids::hex_32(&member.device).map_or_else(String::new, |id| output.id(Kind::Device, &id));
    let name = if member.name.is_empty() {
        "(has not written)".to_owned()
    } else {
        display_safe_name(&member.name)
    };
    let you = if member.own { " (you)" } else { "" };
    let mut says = format!("  {name}{you}  {device}  holds {}", grouped(member.held));
    if member.delivered > 0 {
        says.push_str(&format!(
            ", delivered {}, read {}",
            grouped(member.delivered),
            grouped(member.read)
        ));
    }
    says + "\n"
}

async fn timer(choice: &Timer, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let channel = find_channel(&client, &choice.channel).await?;
    let Some(time) = choice.time else {
        let object = json!({ "channel": number(channel.id), "timer_days": channel.timer_days });
        let says = format!(
            "{}: {}\n",
            display_safe_name(&channel.name),
            timer_says(channel.timer_days)
        );
        output.result("chat.timer", object, &says)?;
        return Ok(0);
    };
    let keep_for = match time {
        TimerTime::Day => KeepFor::Day,
        TimerTime::Week => KeepFor::Week,
        TimerTime::Month => KeepFor::Month,
        TimerTime::Year => KeepFor::Year,
        TimerTime::Off => KeepFor::Ever,
    };
    output.note("it binds honest members and nodes only: whoever wants to can keep what they have read");
    let queue = client.set_timer(channel.id, keep_for);
    let carried = sending::carry(&client, channel.id, &choice.waiting, session, queue).await?;
    carried.tell("chat.timer", output)
}

/// How far a member has come with the entry of a number: `bob holds it, has it, has read it`.
pub(crate) fn member_says(member: &MemberReach, number: Option<u64>) -> String {
    let name = if member.name.is_empty() {
        "somebody who has not written".to_owned()
    } else {
        display_safe_name(&member.name)
    };
    let device = ids::hex_32(&member.device).map_or_else(String::new, |id| ids::short(Kind::Device, &id));
    let reaches = |count: u64| number.is_some_and(|number| count > number);
    let says = match (reaches(member.held), reaches(member.delivered), reaches(member.read)) {
        (_, _, true) => "has read it, it says",
        (_, true, false) => "got it, it says, and has not read it as far as that is told",
        (true, false, false) => "holds it: its signed view proves so",
        (false, false, false) => "has not shown that it holds it",
    };
    format!("{name} {device} {says}")
}

/// `messages disappear after 7 days`.
pub(crate) fn timer_says(days: u32) -> String {
    match days {
        0 => "messages stay until they are erased".to_owned(),
        _ => format!("messages disappear after {}", count(u64::from(days), "day", "days")),
    }
}
