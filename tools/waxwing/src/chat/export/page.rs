//! The conversation as one page of HTML: for reading and printing, without script, and nothing to be fetched.
//!
//! Texts of others go through the same filter as on a terminal and are escaped by the template library; each stands in an
//! element whose direction is its own, so that no text turns its surroundings around. The page forbids itself everything
//! but its own style.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use waxwing_light::MessageView;
use waxwing_seal::display::{display_safe, display_safe_name};

use super::{Transcript, not_proven, proven};
use crate::chat::events;
use crate::chat::mentions::pieces;
use crate::chat::show::{against, file_facts, said, step};
use crate::chat::told;
use crate::clock;
use crate::ids::{self, Kind};

/// Nothing of the text ever gets in here.
const STYLE: &str = "
:root { color-scheme: light dark; }
body { font: 16px/1.45 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt, .meta, .reactions { opacity: .75; }
dd { margin: 0; overflow-wrap: anywhere; }
section.limits { border: 1px solid; padding: 0 1rem; margin: 1rem 0; }
ol.messages { list-style: none; padding: 0; }
ol.messages > li { margin: 0 0 1rem; break-inside: avoid; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: .1rem 0; unicode-bidi: isolate; }
.gone { font-style: italic; }
.against { font-weight: bold; margin: .1rem 0; }
.meta, .reactions { font-size: .85rem; margin: .1rem 0; }
@page { size: A4; margin: 18mm; }
@media print { body { font-size: 10.5pt; max-width: none; margin: 0; padding: 0; } a { color: inherit; } }
";

pub(super) fn of(transcript: &Transcript) -> String {
    let name = display_safe_name(&transcript.channel.name);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="referrer" content="no-referrer";
                title { (name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 dir="auto" { (name) }
                    (facts(transcript))
                }
                main {
                    (limits("What the device that wrote this had checked", &proven(transcript)))
                    (limits("What is not proven", &not_proven(transcript)))
                    h2 { "Messages" }
                    @if transcript.messages.is_empty() { p { "There are none." } }
                    ol.messages { @for view in &transcript.messages { (message(view)) } }
                }
            }
        }
    };
    page.into_string()
}

fn facts(transcript: &Transcript) -> Markup {
    let (channel, network) = (&transcript.channel, &transcript.network);
    html! {
        dl {
            dt { "log" } dd { (channel.log) }
            dt { "network" } dd { (network.name) " " (network.network) }
            dt { "checked to" } dd { "block " (network.height) " " (network.head) ", " (clock::local(network.head_ms)) }
            dt { "entries" } dd { (channel.checked) }
        }
    }
}

fn limits(heading: &str, says: &[String]) -> Markup {
    html! {
        section.limits {
            h2 { (heading) }
            ul { @for sentence in says { li { (sentence) } } }
        }
    }
}

/// A change of the group: a sentence, and no speaker.
fn event(view: &MessageView, says: &str) -> Markup {
    html! {
        li id=[view.log_index.map(|index| format!("entry-{index}"))] {
            p.gone { bdi { (says) } }
            p.meta { (place(view)) }
        }
    }
}

fn message(view: &MessageView) -> Markup {
    if let Some(says) = events::sentence(view) {
        return if says.is_empty() {
            html! {}
        } else {
            event(view, &says)
        };
    }
    let name = view
        .author
        .as_ref()
        .map_or_else(|| "unknown".to_owned(), |author| display_safe_name(&author.name));
    html! {
        li id=[view.log_index.map(|index| format!("entry-{index}"))] {
            strong { bdi { (name) } }
            p.meta { (place(view)) }
            @if let Some(quote) = &view.quotes {
                p.meta {
                    "to "
                    @match quote.log_index {
                        Some(index) => a href=(format!("#entry-{index}")) { "entry " (index) },
                        None => "a message on its way",
                    }
                    @if let Some(text) = &quote.text { ": " bdi { (display_safe(text)) } }
                }
            }
            (words(view))
            @if !view.reactions.is_empty() {
                ul.reactions {
                    @for reaction in &view.reactions {
                        li { (display_safe(&reaction.emoji)) " " bdi { (display_safe_name(&reaction.author.name)) } }
                    }
                }
            }
            @for exception in &view.exceptions { p.against { "! " (against(*exception)) } }
            @if let Some(reason) = &view.reason { p.against { "! " (display_safe(reason)) } }
        }
    }
}

/// The words, with whom they mean by the names that the exporting home knows.
fn meaning(view: &MessageView) -> Markup {
    html! {
        @for piece in pieces(view) {
            @if piece.is_mention { strong { bdi { (piece.text) } } } @else { (piece.text) }
        }
    }
}

/// What it says; or, told apart from any text, why there is nothing.
fn words(view: &MessageView) -> Markup {
    html! {
        @match (&view.text, view.kind) {
            (text, Some("attachment")) => {
                @match &view.attachment {
                    Some(attachment) => {
                        p.gone { "file: " bdi { (file_facts(attachment)) } }
                        p.meta { "BLAKE3 " (attachment.hash) }
                    },
                    None => p.gone { (said(view)) },
                }
                @if text.is_some() { p.text dir="auto" { (meaning(view)) } }
            },
            (Some(_), Some("text" | "reply")) => p.text dir="auto" { (meaning(view)) },
            _ => p.gone { (said(view)) },
        }
        @if view.edited { p.meta { "edited by its author" } }
    }
}

fn place(view: &MessageView) -> String {
    let mut parts = Vec::new();
    if let (Some(label), Some(told)) = (told::label(view), &view.told) {
        parts.push(label);
        parts.push(format!("ordered {}, it says", clock::local(told.ordered_ms)));
    }
    parts.extend(
        view.ordered_ms
            .map(|ordered| format!("ordered {}", clock::local(ordered))),
    );
    parts.extend(
        view.written_ms
            .map(|written| format!("written {}", clock::local(written))),
    );
    match (view.log_index, view.height) {
        (Some(index), Some(height)) => parts.push(format!("entry {index}, block {height}")),
        _ if view.told.is_some() => {}
        _ => parts.push(step(view.state).word().to_owned()),
    }
    let device = view.author.as_ref().and_then(|author| ids::hex_32(&author.device));
    parts.extend(device.map(|device| ids::short(Kind::Device, &device)));
    parts.join(" · ")
}
