//! Two histories of one ledger: what that means, what still holds, and what to do.

use ratatui::text::Line;
use waxwing_seal::display::display_safe_name;

use super::super::super::model::Model;
use super::super::super::text::wrapped;
use super::super::toned;
use crate::output::Tone;
use crate::words::{count, grouped};

pub(super) fn lines(model: &Model, network: &str, width: usize) -> Vec<Line<'static>> {
    let Some(known) = model.networks.get(network) else {
        return Vec::new();
    };
    let height = grouped(known.view.forked_at.unwrap_or(known.view.height));
    let name = display_safe_name(&known.view.name);
    let pieces = u64::try_from(known.evidence).unwrap_or(u64::MAX);
    let kept = match pieces {
        0 => "It is kept on this device.".to_owned(),
        _ => format!(
            "{} on this device.",
            count(pieces, "piece of evidence is kept", "pieces of evidence are kept")
        ),
    };
    let says = [
        (
            Tone::Bad,
            format!("Two different blocks at height {height} of the network {name} were both certified."),
        ),
        (
            Tone::Strong,
            "At least a third of its validators signed both: they lie, or their keys were stolen. Sending is paused on \
             this network, and nothing new on it is believed."
                .to_owned(),
        ),
        (
            Tone::Strong,
            "What still holds: messages stay sealed, and what was final before that height is in both histories."
                .to_owned(),
        ),
        (Tone::Strong, format!("What to do now. {kept}")),
        (
            Tone::Strong,
            "1. Leave this screen and type `waxwing chat evidence --out DIR`: it writes files that convince anybody."
                .to_owned(),
        ),
        (
            Tone::Strong,
            "2. Speak with the other members over another way, and compare which history they were shown.".to_owned(),
        ),
        (Tone::Strong, "3. Hand the files to the network's operators, and found a new one without the liars.".to_owned()),
    ];
    let mut lines = Vec::new();
    for (tone, sentence) in says {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        for line in wrapped(&sentence, width) {
            let span = if tone == Tone::Bad {
                toned(model, tone, line)
            } else {
                ratatui::text::Span::raw(line)
            };
            lines.push(Line::from(span));
        }
    }
    lines
}
