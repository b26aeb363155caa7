//! `waxwing network committee`: who votes, and a change of it that a quorum of them wants.
//!
//! ```text
//! propose ──> change.wxc ──> sign (operator 1) ──> sign (operator 2) ──> sign (operator 3: the quorum) ──> submitted
//! ```
//!
//! The change is a file that goes from hand to hand, or in copies whose signatures are put together (`--with`). Each
//! operator holds it against his own copy of the ledger, so nobody has to believe who proposed it; and the ledger counts
//! the signatures again when it is ordered.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use waxwing_audit::compare::committees;
use waxwing_audit::report::Reached;
use waxwing_core::change::CommitteeChange;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::Committee;
use waxwing_core::genesis::Genesis;
use waxwing_core::keys::ValidatorId;
use waxwing_core::ladder::Ladder;

use super::key::{line, own_key_file, read_lines, read_vote_key};
use super::new::distinct;
use super::{quorum_line, submit};
use crate::args::{Committee as Verb, ProposeChange, SignChange};
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::home::{Home, quoted};
use crate::ids::{self, Kind, Typed};
use crate::output::Output;
use crate::words::count;
use crate::{Done, clock};

/// A change of a committee of 100 by one of 100 takes 10 kB.
const CHANGE_FILE_MAX: u64 = 64 << 10;

/// Blocks after the newest one in which signatures are collected and the change is ordered, unless said otherwise.
const NOTICE_BLOCKS: u64 = 64;

pub(super) fn run(verb: &Verb, home: &Home, output: &Output) -> Done {
    match verb {
        Verb::Show { source } => Known::read(source.as_deref(), home)?.show(output),
        Verb::Propose(propose) => self::propose(propose, home, output),
        Verb::Sign(sign) => self::sign(sign, home, output),
    }
}

/// What a history says about its committees, checked.
struct Known {
    genesis: Genesis,
    ladder: Ladder,
    newest: Reached,
}

impl Known {
    fn read(source: Option<&Path>, home: &Home) -> Result<Self, Failure> {
        let source = match source {
            Some(source) => source.to_owned(),
            None => home.folder()?.to_owned(),
        };
        let mut history = crate::audit::history(&source)?;
        let genesis = history.genesis().clone();
        let (ladder, newest) = committees(history.as_mut())
            .map_err(|why| Failure::failed(format!("{}: {why}; `waxwing audit run` says more", source.display())))?;
        Ok(Self {
            genesis,
            ladder,
            newest,
        })
    }

    fn current(&self) -> &Committee {
        self.ladder.current()
    }

    fn show(&self, output: &Output) -> Done {
        let current = self.current();
        let mut facts = vec![
            ("network", output.id(Kind::Network, self.genesis.network().as_bytes())),
            (
                "term",
                format!("{}, since block {}", current.term(), self.ladder.from()),
            ),
            ("quorum", quorum_line(current)),
        ];
        let members = current.members().iter();
        facts.extend(members.map(|member| ("validator", output.id(Kind::Validator, member.as_bytes()))));
        let terms: Vec<_> = self.ladder.terms().collect();
        for (term, next) in terms.iter().zip(terms.iter().skip(1)) {
            let blocks = format!("blocks {} to {}", term.from.max(1), next.from.saturating_sub(1));
            let members = u64::try_from(term.committee.members().len()).unwrap_or(u64::MAX);
            let validators = count(members, "validator", "validators");
            facts.push((
                "before",
                format!("term {}: {validators}, {blocks}", term.committee.term()),
            ));
        }
        facts.push((
            "checked",
            format!(
                "from the genesis to block {} ({}), each change by the certificate of the committee before it",
                self.newest.height,
                clock::local(self.newest.time)
            ),
        ));
        let listed = terms.iter().map(|term| {
            let committee = &term.committee;
            json!({
                "term": committee.term(),
                "from_height": term.from,
                "quorum": committee.quorum(),
                "validators": committee.members().iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        });
        let object = json!({
            "network": self.genesis.network().to_string(),
            "name": self.genesis.name,
            "term": current.term(),
            "from_height": self.ladder.from(),
            "height": self.newest.height,
            "quorum": current.quorum(),
            "validators": current.members().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "terms": listed.collect::<Vec<_>>(),
        });
        let heading = format!("committee of {}", self.genesis.name);
        output.result("network.committee.show", object, &output.facts(&heading, &facts))?;
        Ok(0)
    }
}

fn propose(propose: &ProposeChange, home: &Home, output: &Output) -> Done {
    let known = Known::read(propose.source.as_deref(), home)?;
    let current = known.current();
    let members = next_members(current, &propose.add, &propose.remove)?;
    let newest = known.newest.height;
    let from_height = propose.from_height.unwrap_or(newest.saturating_add(NOTICE_BLOCKS));
    if from_height <= newest.saturating_add(1) {
        return Err(Failure::usage(format!(
            "--from-height {from_height} is too early: block {newest} is the newest, and the change must be ordered before \
             it takes over"
        )));
    }
    let keys = known.genesis.keys();
    let change = CommitteeChange::propose(&keys, current, from_height, members)
        .map_err(|error| Failure::usage(format!("that would be no committee: {error}")))?;
    files::write_new(&propose.out, &change.to_bytes(), Readers::Anybody)?;
    let view = View::of(&change, current);
    let mut object = view.as_json();
    if let Some(fields) = object.as_object_mut() {
        fields.insert("out".to_owned(), json!(propose.out));
    }
    let text = output.facts(
        &format!("a change of the committee of {}", known.genesis.name),
        &view.facts(output),
    );
    output.result("network.committee.propose", object, &text)?;
    output.next(&format!(
        "waxwing network committee sign {}",
        quoted(&propose.out.to_string_lossy())
    ))?;
    Ok(0)
}

/// The members after the change.
fn next_members(current: &Committee, add: &[String], remove: &[String]) -> Result<Vec<ValidatorId>, Failure> {
    if add.is_empty() && remove.is_empty() {
        return Err(Failure::usage("say who joins (--add) or leaves (--remove)"));
    }
    let mut members = current.members().to_vec();
    for text in remove {
        let typed = ids::parse(Kind::Validator, text).map_err(|error| Failure::usage(format!("--remove: {error}")))?;
        let place = members.iter().position(|member| names(&typed, member)).ok_or_else(|| {
            Failure::usage(format!(
                "--remove {text}: nobody of that key votes; `waxwing network committee show` lists who does"
            ))
        })?;
        members.remove(place);
    }
    let joining = distinct(read_lines(add)?)?;
    if let Some(member) = joining.iter().find(|member| current.members().contains(member)) {
        return Err(Failure::usage(format!("--add {}: it votes already", line(member))));
    }
    members.extend(joining);
    Ok(members)
}

fn names(typed: &Typed, member: &ValidatorId) -> bool {
    typed.names(member.as_bytes())
}

fn sign(sign: &SignChange, home: &Home, output: &Output) -> Done {
    let known = Known::read(sign.source.as_deref(), home)?;
    let current = known.current();
    let mut change = read_change(&sign.file)?;
    fits(&change, &known, &sign.file)?;
    for file in &sign.with {
        let other = read_change(file)?;
        change.merge(current, &other).map_err(|_| {
            Failure::usage(format!(
                "{} is another change than {}",
                file.display(),
                sign.file.display()
            ))
        })?;
    }
    let view = View::of(&change, current);
    output.note(&output.facts("this change", &view.facts(output)));
    if !sign.collect {
        crate::confirm::ask("this gives your vote to that change", output)?;
        let path = own_key(sign, home)?;
        let key = read_vote_key(&path)?;
        change.sign(current, &key).map_err(|_| {
            Failure::usage(format!(
                "{} does not vote now, so its signature would not count: only those who vote decide",
                path.display()
            ))
        })?;
    }
    drop_bad(&mut change, current, output);
    files::replace(&sign.file, &change.to_bytes())?;
    let view = View::of(&change, current);
    let (mut ordered, mut object) = (None, view.as_json());
    if view.missing() == 0 && !sign.no_submit {
        let node = submit::node(sign.node.as_deref(), home)?;
        ordered = Some(submit::submit(&change, &known.genesis, current, &node)?);
    }
    tell_signed(&view, ordered, &mut object, sign, output)?;
    Ok(0)
}

fn tell_signed(
    view: &View<'_>,
    ordered: Option<u64>,
    object: &mut Value,
    sign: &SignChange,
    output: &Output,
) -> Result<(), Failure> {
    if let Some(fields) = object.as_object_mut() {
        fields.insert("file".to_owned(), json!(sign.file));
        fields.insert("ordered_in".to_owned(), json!(ordered));
    }
    let mut facts = view.facts(output);
    let heading = match (ordered, view.missing()) {
        (Some(height), _) => {
            facts.push(("ordered", format!("in block {height}, proven by its certificate")));
            "the change is agreed on".to_owned()
        }
        (None, 0) => "a quorum has signed; not submitted".to_owned(),
        (None, missing) => format!("{} still missing", count(missing, "signature", "signatures")),
    };
    output.result(
        "network.committee.sign",
        object.clone(),
        &output.facts(&heading, &facts),
    )?;
    if ordered.is_none() && view.missing() > 0 {
        output.next(&format!(
            "send {} to another validator's operator: waxwing network committee sign FILE",
            quoted(&sign.file.to_string_lossy())
        ))?;
    }
    Ok(())
}

fn own_key(sign: &SignChange, home: &Home) -> Result<PathBuf, Failure> {
    match &sign.vote_key {
        Some(path) => Ok(path.clone()),
        None => own_key_file(home.folder()?).ok_or_else(|| {
            Failure::usage(
                "there is no vote key in --home: name it with --vote-key, or only collect signatures (--collect)",
            )
        }),
    }
}

fn read_change(path: &Path) -> Result<CommitteeChange, Failure> {
    let bytes = files::read(path, "committee change", CHANGE_FILE_MAX)?;
    CommitteeChange::from_bytes(&bytes).map_err(|error| {
        Failure::usage(format!(
            "{} is no change of a committee ({error}): make one with `waxwing network committee propose`",
            path.display()
        ))
    })
}

/// Whether those who vote now, by one's own copy of the ledger, can decide about it.
fn fits(change: &CommitteeChange, known: &Known, file: &Path) -> Result<(), Failure> {
    let (keys, current) = (known.genesis.keys(), known.current());
    let refuse = |why: &str| Err(Failure::usage(format!("{}: {why}", file.display())));
    if change.network != keys.network() {
        return refuse("it is about another network than the one here");
    }
    if change.current != current.hash(&keys) || Some(change.next.term()) != current.term().checked_add(1) {
        return refuse(
            "it was made for another committee than the one that votes now: it took over already, or came too late; \
             propose it again",
        );
    }
    if change.from_height <= known.newest.height.saturating_add(1) {
        return refuse("the height from which it should hold has passed: propose it again with a later one");
    }
    Ok(())
}

/// A signature that does not count would spoil those that do; whoever added it is no reason to stop.
fn drop_bad(change: &mut CommitteeChange, current: &Committee, output: &Output) {
    let message = change.message();
    let members = current.members();
    let counts = |(member, signature): &(usize, waxwing_core::keys::Signature)| {
        members
            .get(*member)
            .is_some_and(|key| key.verify(&message, signature).is_ok())
    };
    let all: Vec<_> = change.signatures.pairs().collect();
    let good: Vec<_> = all.iter().copied().filter(counts).collect();
    if good.len() < all.len() {
        let bad = u64::try_from(all.len() - good.len()).unwrap_or(u64::MAX);
        output.note(&format!(
            "left out {} that nobody made",
            count(bad, "signature", "signatures")
        ));
        change.signatures = waxwing_core::committee::Signatures::collect(current, good);
    }
}

/// A change as people read it.
struct View<'a> {
    change: &'a CommitteeChange,
    current: &'a Committee,
}

impl<'a> View<'a> {
    const fn of(change: &'a CommitteeChange, current: &'a Committee) -> Self {
        Self { change, current }
    }

    fn signers(&self) -> Vec<ValidatorId> {
        let signers = self.change.signatures.signers();
        signers
            .filter_map(|member| self.current.members().get(member).copied())
            .collect()
    }

    fn missing(&self) -> u64 {
        let missing = self.current.quorum().saturating_sub(self.signers().len());
        u64::try_from(missing).unwrap_or(u64::MAX)
    }

    fn only_in(these: &Committee, those: &Committee) -> Vec<ValidatorId> {
        let members = these.members().iter();
        members
            .filter(|member| !those.members().contains(member))
            .copied()
            .collect()
    }

    fn facts(&self, output: &Output) -> Vec<(&'static str, String)> {
        let next = &self.change.next;
        let named = |validator: &ValidatorId| output.id(Kind::Validator, validator.as_bytes());
        let mut facts = vec![
            ("from", format!("block {}", self.change.from_height)),
            ("then", quorum_line(next)),
        ];
        facts.extend(
            Self::only_in(next, self.current)
                .iter()
                .map(|joining| ("joins", named(joining))),
        );
        facts.extend(
            Self::only_in(self.current, next)
                .iter()
                .map(|leaving| ("leaves", named(leaving))),
        );
        facts.push(("signed", signed(self.signers().len(), self.current.quorum())));
        facts.extend(self.signers().iter().map(|signer| ("by", named(signer))));
        facts
    }

    fn as_json(&self) -> Value {
        let listed = |validators: Vec<ValidatorId>| {
            let texts = validators.iter().map(ToString::to_string);
            texts.collect::<Vec<_>>()
        };
        json!({
            "network": self.change.network.to_string(),
            "term": self.change.next.term(),
            "from_height": self.change.from_height,
            "validators": listed(self.change.next.members().to_vec()),
            "joins": listed(Self::only_in(&self.change.next, self.current)),
            "leaves": listed(Self::only_in(self.current, &self.change.next)),
            "signed_by": listed(self.signers()),
            "needed": self.current.quorum(),
            "missing": self.missing(),
        })
    }
}

/// More may sign than are needed, so it is no fraction.
fn signed(signers: usize, quorum: usize) -> String {
    format!("{signers} signed, {quorum} needed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_core::keys::VoteKey;

    fn committee(seeds: core::ops::RangeInclusive<u8>) -> Committee {
        let mut members: Vec<_> = seeds.map(|seed| VoteKey::from_seed(&[seed; 32]).public()).collect();
        members.sort_unstable();
        Committee::new(0, members).unwrap()
    }

    fn id(seed: u8) -> String {
        line(&VoteKey::from_seed(&[seed; 32]).public())
    }

    #[test]
    fn members_join_and_leave_by_name() {
        let current = committee(1..=4);
        let mut next = next_members(&current, &[id(5)], &[id(2)]).unwrap();
        next.sort_unstable();
        assert!(next.contains(&VoteKey::from_seed(&[5; 32]).public()) && next.len() == 4);
        let told = |add: &[String], remove: &[String]| match next_members(&current, add, remove) {
            Err(Failure::Usage(text)) => text,
            other => panic!("{other:?}"),
        };
        assert!(told(&[], &[]).contains("--add"));
        assert!(told(&[id(3)], &[]).contains("it votes already"));
        assert!(told(&[], &[id(9)]).contains("nobody of that key votes"));
        assert!(told(&[id(5), id(5)], &[]).contains("the same key"));
    }
}
