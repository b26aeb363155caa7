//! A comparison as people and programs read it: schema `waxwing.audit.compare/1`.
//!
//! Two comparisons of the same histories print the same bytes. Names (paths, addresses) come from whoever prints it.

use core::fmt;

use serde::Serialize;
use waxwing_core::codec::Encode;
use waxwing_core::evidence::Evidence;
use waxwing_core::keys::ValidatorId;
use waxwing_core::verdict::Verdict;

use super::{Comparison, Difference, Held, Outcome, Which};
use crate::report::Reached;
use crate::words::{count, time};

impl Which {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

impl Comparison {
    /// What was found, in one line after the verdict.
    #[must_use]
    pub fn claim(&self) -> String {
        match &self.outcome {
            Outcome::Agree { common, not_pinned } => self.agreement(common, not_pinned.is_some()),
            Outcome::Differ(difference) => format!(
                "two histories: they agree to height {}, and at height {} two different blocks are certified",
                difference.common.height,
                difference.file.evidence.height()
            ),
            Outcome::Broken { which, height, why } => {
                let note = match self.verdict {
                    Verdict::Malformed => "; this says nothing about tampering",
                    _ => "",
                };
                format!("the {} does not hold at height {height}: {why}{note}", which.word())
            }
            Outcome::Held(held) => format!(
                "the evidence holds: {}; {}",
                contradiction(&held.file.evidence),
                match &held.file.evidence {
                    Evidence::TwoHeads(_) => whose(held).to_owned(),
                    Evidence::TwoVotes(_) => self.beside_two_votes(),
                }
            ),
        }
    }

    /// Two votes are about a validator: what is said of the history is what it would be without them.
    fn beside_two_votes(&self) -> String {
        let sound = "it says nothing against the history";
        let pinned = self.anchor.as_ref().and_then(|anchor| anchor.pinned);
        match (self.verdict, &self.anchor) {
            (Verdict::Unanchored, None) => format!("{sound}; no policy says which network this should be"),
            (Verdict::Unanchored, Some(anchor)) => {
                format!("{sound}; the policy pins another network, {}", anchor.network)
            }
            (Verdict::Incomplete, _) => {
                let height = pinned.map_or(0, |pinned| pinned.height);
                format!("{sound}; the policy pins block {height}, which the history does not have")
            }
            (Verdict::Diverged, _) => "the history is not the one of which the policy pins a block".to_owned(),
            _ => sound.to_owned(),
        }
    }

    fn agreement(&self, common: &Reached, is_not_pinned: bool) -> String {
        let same = format!(
            "one history, the same block at height {} ({})",
            common.height,
            time(common.time)
        );
        let pinned = self.anchor.as_ref().and_then(|anchor| anchor.pinned);
        match (self.verdict, &self.anchor) {
            (Verdict::Unanchored, None) => format!("{same}; no policy says which network this should be"),
            (Verdict::Unanchored, Some(anchor)) => {
                format!(
                    "{same}, but of another network than {}, which the policy pins",
                    anchor.network
                )
            }
            _ if is_not_pinned => format!("{same}, and not the one of which the policy pins a block"),
            (Verdict::Incomplete, _) => {
                let height = pinned.map_or(0, |pinned| pinned.height);
                format!("{same}; the policy pins block {height}, which they do not both have")
            }
            _ => same,
        }
    }

    fn side(&self, which: Which) -> (&'static str, u64) {
        let [(first, one), (second, two)] = self.sides;
        match which {
            Which::First => (first.word(), one),
            Which::Second => (second.word(), two),
        }
    }

    /// `directory, block 207, 3 blocks more`.
    fn described(&self, which: Which) -> String {
        let (kind, newest) = self.side(which);
        let (_, other) = self.side(match which {
            Which::First => Which::Second,
            Which::Second => Which::First,
        });
        if kind == crate::source::SourceKind::Evidence.word() {
            return format!("evidence about height {newest}");
        }
        let more = match newest.checked_sub(other) {
            Some(more) if more > 0 && matches!(self.outcome, Outcome::Agree { .. }) => {
                format!(", {} longer", count(more, "block", "blocks"))
            }
            _ => String::new(),
        };
        let kind = match kind {
            "nodes" => "node",
            kind => kind,
        };
        format!("{kind} up to block {newest}{more}")
    }

    /// The facts below the first line, names and values; `names` are what the two were called.
    #[must_use]
    pub fn facts(&self, names: [&str; 2]) -> Vec<(&'static str, String)> {
        let [first, second] = names;
        let mut facts = vec![
            ("first", format!("{first}  {}", self.described(Which::First))),
            ("second", format!("{second}  {}", self.described(Which::Second))),
        ];
        match &self.outcome {
            Outcome::Agree { common, not_pinned } => {
                facts.push(("block", format!("{} {}", common.height, common.id)));
                let pinned = self.anchor.as_ref().and_then(|anchor| anchor.pinned);
                if let Some((pinned, found)) = pinned.zip(*not_pinned) {
                    facts.push(("pinned", format!("{} {}, both have {found}", pinned.height, pinned.id)));
                }
            }
            Outcome::Differ(difference) => facts.extend(differing(difference)),
            Outcome::Held(held) => {
                facts.extend(beside(held));
                let pinned = self.anchor.as_ref().and_then(|anchor| anchor.pinned);
                if let Some((pinned, found)) = pinned.zip(held.not_pinned) {
                    facts.push((
                        "pinned",
                        format!("{} {}, the history has {found}", pinned.height, pinned.id),
                    ));
                }
            }
            Outcome::Broken { .. } => {}
        }
        facts.push(("network", format!("{} {}", self.network.id, self.network.name)));
        let policy = self.anchor.as_ref().map(|anchor| anchor.fingerprint.to_string());
        facts.push(("policy", policy.unwrap_or_else(|| "none given".to_owned())));
        facts.push((
            "checked",
            "block ids, each of which covers all blocks before it, and the certificates where the histories were looked \
             at; what the blocks hold is checked by `waxwing audit run`"
                .to_owned(),
        ));
        facts.extend(self.next_steps().into_iter().map(|step| ("next", step)));
        facts
    }

    fn next_steps(&self) -> Vec<String> {
        let steps: &[&str] = match &self.outcome {
            Outcome::Agree { not_pinned: None, .. } => &[],
            Outcome::Agree { .. } => &["keep both histories and the policy: together they are evidence"],
            Outcome::Broken { .. } => &["`waxwing audit run` on that history names what was changed"],
            Outcome::Held(held) if matches!(held.file.evidence, Evidence::TwoVotes(_)) => return two_votes(held),
            Outcome::Differ(_) | Outcome::Held(_) => &[
                "show the evidence to everybody who uses this network, and to its operators; anybody can check it with \
                 `waxwing-verify` and a policy",
                "until it is explained, believe nothing that these validators certified from that height on",
            ],
        };
        steps.iter().map(|&step| step.to_owned()).collect()
    }

    /// For programs, without the schema, which the printer adds.
    ///
    /// # Panics
    /// Never: nothing in a comparison has a form that JSON lacks.
    #[must_use]
    pub fn to_json(&self, names: [&str; 2]) -> serde_json::Value {
        let object = Json::of(self, names);
        serde_json::to_value(object).expect("strings, numbers and lists of them have a form in JSON")
    }
}

/// What to do about a validator that cast two votes.
fn two_votes(held: &Held) -> Vec<String> {
    let mut steps = vec![
        "have the validator replaced: `waxwing network committee propose --remove KEY --add KEY`; it may be an accident of \
         its operator (one key on two machines)"
            .to_owned(),
        "show the evidence to the network's operators; anybody can check it with `waxwing-verify` and a policy".to_owned(),
    ];
    if held.not_pinned.is_some() {
        steps.push("keep the history and the policy: together they are evidence, too".to_owned());
    }
    steps
}

fn differing(difference: &Difference) -> Vec<(&'static str, String)> {
    let named = |reached: &Reached| format!("{} {}, {}", reached.height, reached.id, time(reached.time));
    let [first, second] = &difference.blocks;
    let mut facts = vec![
        ("agree to", named(&difference.common)),
        ("first has", named(first)),
        ("second has", named(second)),
    ];
    facts.extend(culprits(&difference.convicted, &difference.file.evidence));
    facts
}

fn beside(held: &Held) -> Vec<(&'static str, String)> {
    let [first, second] = held.blocks;
    let height = held.file.evidence.height();
    let own = held
        .own
        .map_or_else(|| "no block there yet".to_owned(), |own| format!("{height} {own}"));
    let mut facts = vec![
        ("one", format!("{height} {first}")),
        ("other", format!("{height} {second}")),
        ("history", own),
    ];
    facts.extend(culprits(&held.convicted, &held.file.evidence));
    facts
}

fn culprits(convicted: &[ValidatorId], evidence: &Evidence) -> Vec<(&'static str, String)> {
    let what = match evidence {
        Evidence::TwoVotes(_) => "cast both votes",
        Evidence::TwoHeads(_) => "signed both blocks in one round",
    };
    let named = convicted
        .iter()
        .map(|validator| ("broke", format!("{validator}  {what}")));
    let mut named: Vec<_> = named.collect();
    if named.is_empty() {
        let nobody = "more than a third of the validators; the rounds differ, so nobody is convicted by name";
        named.push(("broke", nobody.to_owned()));
    }
    named
}

fn contradiction(evidence: &Evidence) -> String {
    match evidence {
        Evidence::TwoHeads(heads) => format!(
            "two different blocks are certified at height {}",
            heads.first.header.height
        ),
        Evidence::TwoVotes(votes) => format!(
            "a validator cast two contradicting votes at height {}, round {}",
            votes.height, votes.round
        ),
    }
}

fn whose(held: &Held) -> &'static str {
    match held.own {
        None => "the history does not reach so far",
        Some(own) if held.blocks.first() == Some(&own) => "the history has the first of the two",
        Some(own) if held.blocks.last() == Some(&own) => "the history has the second of the two",
        Some(_) => "the history has neither of the two",
    }
}

/// [`Comparison::facts`] with the words of [`Which`] as names.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}  {}", self.verdict, self.claim())?;
        for (name, value) in self.facts(["A", "B"]) {
            writeln!(f, "  {name:<10} {value}")?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Json<'a> {
    verdict: &'static str,
    exit_code: u8,
    headline: String,
    network: String,
    policy: Option<String>,
    first: JsonSide<'a>,
    second: JsonSide<'a>,
    /// Height to which they agree, and the block there.
    agree_height: Option<u64>,
    agree_block: Option<String>,
    /// Where they contradict each other, and what each has there.
    differ_height: Option<u64>,
    first_block: Option<String>,
    second_block: Option<String>,
    convicted: Vec<String>,
    /// The evidence file, in hexadecimal.
    evidence: Option<String>,
    next: Vec<String>,
}

#[derive(Serialize)]
struct JsonSide<'a> {
    name: &'a str,
    source: &'static str,
    height: u64,
}

impl<'a> Json<'a> {
    fn of(comparison: &Comparison, [first, second]: [&'a str; 2]) -> Self {
        let side = |name, which| {
            let (source, height) = comparison.side(which);
            JsonSide { name, source, height }
        };
        let (common, blocks, convicted, file) = match &comparison.outcome {
            Outcome::Agree { common, .. } => (Some(common), None, &[][..], None),
            Outcome::Differ(found) => {
                let ids = found.blocks.map(|block| block.id);
                (Some(&found.common), Some(ids), &found.convicted[..], Some(&found.file))
            }
            Outcome::Held(held) => (None, Some(held.blocks), &held.convicted[..], Some(&held.file)),
            Outcome::Broken { .. } => (None, None, &[][..], None),
        };
        let [one, other] = blocks.map_or([None, None], |[one, other]| [Some(one), Some(other)]);
        Self {
            verdict: comparison.verdict.word(),
            exit_code: comparison.exit_code(),
            headline: comparison.claim(),
            network: comparison.network.id.to_string(),
            policy: comparison.anchor.as_ref().map(|anchor| anchor.fingerprint.to_string()),
            first: side(first, Which::First),
            second: side(second, Which::Second),
            agree_height: common.map(|common| common.height),
            agree_block: common.map(|common| common.id.to_string()),
            differ_height: file.map(|file| file.evidence.height()),
            first_block: one.map(|id| id.to_string()),
            second_block: other.map(|id| id.to_string()),
            convicted: convicted.iter().map(ToString::to_string).collect(),
            evidence: file.map(|file| file.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()),
            next: comparison.next_steps(),
        }
    }
}
