//! A ledger as this device holds it: what is proven, who vouches, how the nodes stand and why.

use ratatui::text::{Line, Span};
use waxwing_light::{FaultView, NodeView};
use waxwing_seal::display::{display_safe, display_safe_name};

use super::super::super::model::{Known, Model};
use super::super::super::text::{line_of, wrapped};
use super::super::super::when::ago;
use super::super::{facts, toned};
use crate::ids::{self, Kind};
use crate::output::Tone;
use crate::words::{count, grouped};

/// The column in which facts stand.
const FACTS: usize = 12;

pub(super) fn lines(model: &Model, network: &str, width: usize) -> Vec<Line<'static>> {
    let Some(known) = model.networks.get(network) else {
        return vec![Line::from("nothing is known about this network yet")];
    };
    let mut lines = Vec::new();
    for (name, tone, says) in summary(model, known) {
        fact(model, name, tone, &says, width, &mut lines);
    }
    lines.push(Line::default());
    lines.push(Line::from(toned(model, Tone::Strong, "nodes, best first")));
    for node in &known.view.nodes {
        lines.extend(node_lines(model, node, width));
    }
    if known.view.nodes.is_empty() {
        lines.push(Line::from(toned(model, Tone::Doubtful, "  none is known")));
    }
    lines.push(Line::default());
    lines.push(Line::from(toned(
        model,
        Tone::Strong,
        "why nodes were left, newest first",
    )));
    for fault in &known.view.faults {
        lines.extend(fault_lines(model, fault, width));
    }
    if known.view.faults.is_empty() {
        lines.push(Line::from(toned(model, Tone::Faint, "  none was")));
    }
    lines
}

fn summary(model: &Model, known: &Known) -> Vec<(&'static str, Tone, String)> {
    let view = &known.view;
    let short = |kind, hex: &str| ids::hex_32(hex).map_or_else(|| hex.to_owned(), |id| ids::short(kind, &id));
    let plain = Tone::Strong;
    let mut facts = vec![
        (
            "network",
            plain,
            format!(
                "{}  {}",
                display_safe_name(&view.name),
                short(Kind::Network, &view.network)
            ),
        ),
        (
            "held",
            Tone::Good,
            format!("{}  {}", facts::height(known), short(Kind::Block, &view.head)),
        ),
        ("certified", plain, signature_strip(model, known)),
        ("block time", plain, model.zone.whole(view.head_ms)),
        ("freshness", plain, facts::age(known, model.now)),
        (
            "tolerates",
            plain,
            format!("up to {} of {} validators may lie", view.tolerated, view.validators),
        ),
        (
            "trust from",
            plain,
            format!(
                "block {}, by the founding facts or an invitation",
                grouped(view.started_at)
            ),
        ),
        (
            "clock",
            if facts::is_clock_wrong(known) {
                Tone::Doubtful
            } else {
                plain
            },
            view.clock.to_string(),
        ),
    ];
    facts.push(evidence(known));
    facts.push(compared(model, known));
    if let Some(trouble) = &view.trouble {
        facts.push(("trouble", Tone::Doubtful, trouble.clone()));
    }
    facts
}

fn evidence(known: &Known) -> (&'static str, Tone, String) {
    let pieces = u64::try_from(known.evidence).unwrap_or(u64::MAX);
    if pieces == 0 {
        let says = "none: nobody signed two things that contradict each other, as far as this device saw";
        return ("evidence", Tone::Strong, says.to_owned());
    }
    let says = format!(
        "{}; `waxwing chat evidence` writes it to files",
        count(pieces, "piece", "pieces")
    );
    ("evidence", Tone::Bad, says)
}

fn compared(model: &Model, known: &Known) -> (&'static str, Tone, String) {
    let Some((agreed, at)) = known.compared else {
        let says = "not since this screen was opened: c asks all nodes for their heads now";
        return ("compared", Tone::Faint, says.to_owned());
    };
    let agreed = u64::try_from(agreed).unwrap_or(u64::MAX);
    let when = ago(model.now.saturating_sub(at));
    let says = format!("{} agreed with what is held, {when}", count(agreed, "node", "nodes"));
    ("compared", Tone::Strong, says)
}

/// One sign per validator: who signed the head is not said, how many is.
fn signature_strip(model: &Model, known: &Known) -> String {
    let says = format!("by {}", facts::signers(known));
    let Some(signers) = known.view.signers.filter(|_| known.view.validators <= 40) else {
        return says;
    };
    let (full, empty) = if model.look.ascii { ("#", ".") } else { ("■", "□") };
    let missing = known.view.validators.saturating_sub(signers);
    format!("{}{}  {says}", full.repeat(signers), empty.repeat(missing))
}

fn fact(model: &Model, name: &str, tone: Tone, says: &str, width: usize, lines: &mut Vec<Line<'static>>) {
    let column = FACTS.min(width / 3);
    let mut name = format!("{name:column$}");
    for line in wrapped(&display_safe(says), width.saturating_sub(column).max(1)) {
        let span = if tone == Tone::Strong {
            Span::raw(line)
        } else {
            toned(model, tone, line)
        };
        lines.push(Line::from(vec![toned(model, Tone::Faint, name), span]));
        name = " ".repeat(column);
    }
}

fn node_lines(model: &Model, node: &NodeView, width: usize) -> Vec<Line<'static>> {
    let key = ids::hex_32(&node.node).map_or_else(|| node.node.clone(), |id| ids::short(Kind::Node, &id));
    let tone = match node.standing {
        "fine" => Tone::Good,
        "lies" => Tone::Bad,
        _ => Tone::Doubtful,
    };
    let served = node.served_ms.map_or_else(
        || "has not served yet".to_owned(),
        |served| format!("served {}", ago(model.now.saturating_sub(served))),
    );
    let named = if node.named_by_person {
        "named by you"
    } else {
        "named by another node"
    };
    let address = line_of(&node.address, width.saturating_sub(10), model.look.more());
    let dot = model.look.dot();
    let mut lines = vec![Line::from(vec![
        Span::raw("  "),
        toned(model, tone, format!("{:6}", node.standing)),
        Span::raw(address),
    ])];
    let says = format!("{key}{dot}{served}{dot}{named}");
    let room = width.saturating_sub(8).max(1);
    let rest = wrapped(&says, room).into_iter();
    lines.extend(rest.map(|line| Line::from(toned(model, Tone::Faint, format!("        {line}")))));
    lines
}

fn fault_lines(model: &Model, fault: &FaultView, width: usize) -> Vec<Line<'static>> {
    let key = ids::hex_32(&fault.node).map_or_else(|| fault.node.clone(), |id| ids::short(Kind::Node, &id));
    let when = ago(model.now.saturating_sub(fault.time_ms));
    let head = format!("  {}  {when}  {key}", fault.code);
    let mut lines = vec![Line::from(line_of(&head, width, model.look.more()).trim().to_owned())];
    if let Some(line) = lines.first_mut() {
        line.spans.insert(0, Span::raw("  "));
    }
    let says = display_safe(&fault.says).into_owned();
    let rest = wrapped(&says, width.saturating_sub(8).max(1)).into_iter();
    lines.extend(rest.map(|line| Line::from(toned(model, Tone::Faint, format!("        {line}")))));
    lines
}
