//! `waxwing chat search`: messages of this device by their words.
//!
//! ```text
//! garden#12  2026-11-23 14:05 alice  the *roses* are out
//! ```
//!
//! Looks into the store of this device alone, and connects to nobody. Each line begins with what other commands take as
//! the message.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use waxwing_light::{ChannelId, ChannelView, Hit, Query};
use waxwing_seal::display::{display_safe, display_safe_name};

use super::show::{self, json_of};
use super::{Session, fault, find_channel, number};
use crate::args::SearchMessages;
use crate::output::{Output, Tone};
use crate::words::count;
use crate::{Done, clock};

/// Characters that are shown before the first match, and in all.
const BEFORE: usize = 60;
const SHOWN: usize = 300;

pub(super) async fn search(search: &SearchMessages, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let channel = match &search.channel {
        Some(channel) => Some(find_channel(&client, channel).await?.id),
        None => None,
    };
    let query = Query {
        words: search.words.clone(),
        channel,
        // One more, to know whether there are more.
        most: search.last.saturating_add(1),
    };
    let mut hits = client.search(query).await.map_err(|error| fault(&error))?;
    let wanted = usize::try_from(search.last).unwrap_or(usize::MAX);
    let more = hits.len() > wanted;
    hits.drain(..hits.len().saturating_sub(wanted));
    let channels = client.channels().await.map_err(|error| fault(&error))?;
    let channels: BTreeMap<ChannelId, ChannelView> = channels.into_iter().map(|view| (view.id, view)).collect();
    let mut text: String = hits.iter().map(|hit| line(hit, &channels, output)).collect();
    let found = count(u64::try_from(hits.len()).unwrap_or(u64::MAX), "message", "messages");
    let older = if more {
        ", older ones left out: --last shows more"
    } else {
        ""
    };
    text.push_str(&output.paint(Tone::Faint, &format!("{found}{older}")));
    let object = json!({
        "hits": hits.iter().map(|hit| object(hit, &channels)).collect::<Vec<_>>(),
        "more": more,
    });
    output.result("chat.search", object, &text)?;
    Ok(0)
}

fn object(hit: &Hit, channels: &BTreeMap<ChannelId, ChannelView>) -> Value {
    json!({
        "channel": channels.get(&hit.message.channel).map(|view| json!({ "id": view.id, "name": view.name })),
        "message": json_of(&hit.message),
        "matches": hit.matches,
    })
}

fn line(hit: &Hit, channels: &BTreeMap<ChannelId, ChannelView>, output: &Output) -> String {
    let view = &hit.message;
    let name = match channels.get(&view.channel) {
        // Two channels may have one name; their numbers differ.
        Some(channel) if is_alone(channel, channels) => display_safe_name(&channel.name),
        _ => number(view.channel).to_string(),
    };
    let place = match (view.log_index, show::id(view, output)) {
        (Some(index), _) => format!("{name}#{index}"),
        (None, Some(id)) => id,
        (None, None) => name,
    };
    let time = view
        .ordered_ms
        .or(view.written_ms)
        .map_or_else(String::new, clock::day_and_minute);
    let author = view
        .author
        .as_ref()
        .map_or_else(|| "unknown".to_owned(), |author| display_safe_name(&author.name));
    let text = format!(
        "{}  {} {}  {}",
        output.paint(Tone::Faint, &place),
        output.paint(Tone::Faint, &time),
        output.paint(Tone::Strong, &author),
        excerpt(hit, output)
    );
    format!("{}\n", output.wrapped(&text, 4))
}

fn is_alone(channel: &ChannelView, channels: &BTreeMap<ChannelId, ChannelView>) -> bool {
    let named = channels.values().filter(|other| other.name == channel.name);
    named.count() == 1 && !channel.name.is_empty()
}

/// The text around the first match, on one line, harmless, each match marked.
fn excerpt(hit: &Hit, output: &Output) -> String {
    let first = hit.matches.first().map_or(0, |(begin, _)| *begin);
    let from = first.saturating_sub(BEFORE);
    let (mut at, mut text) = (0, String::new());
    for (piece, is_match) in hit.pieces() {
        let letters: Vec<char> = piece.chars().collect();
        let (begin, end) = (
            from.clamp(at, at + letters.len()),
            (from + SHOWN).clamp(at, at + letters.len()),
        );
        let shown: String = letters.get(begin - at..end - at).unwrap_or_default().iter().collect();
        at += letters.len();
        text.push_str(&marked(&shown, is_match, output));
    }
    let (before, after) = (
        if from > 0 { "... " } else { "" },
        if at > from + SHOWN { " ..." } else { "" },
    );
    format!("{before}{text}{after}")
}

/// Each piece goes through the filter by itself: what it joins with must not be able to undo that.
fn marked(piece: &str, is_match: bool, output: &Output) -> String {
    if piece.is_empty() {
        return String::new();
    }
    let line = piece.replace(['\r', '\n'], " ");
    let safe = display_safe(&line);
    if is_match {
        output.mark(&safe)
    } else {
        safe.into_owned()
    }
}
