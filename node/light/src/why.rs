//! Why a message is shown as it is: every check behind it, those that failed, and those that nobody did.
//!
//! The list is the same for every message, so that what was *not* done cannot hide by being left out. "Verified" is
//! not a word here: a signature, a place in the ledger, a quorum and a person are four different things.

use serde::Serialize;
use waxwing_core::HashKeys;
use waxwing_core::genesis::Genesis;

use waxwing_seal::Content;

use crate::chat::whole;
use crate::client::Client;
use crate::doubt::{self, OnCard};
use crate::error::Error;
use crate::history::ToldView;
use crate::message::{MessageId, MessageView};
use crate::reach::MemberReach;
use crate::store::channels::{self, Channel, ChannelKind};
use crate::store::contacts;
use crate::store::manners::{self, Manner, is_seen_told};
use crate::store::members;
use crate::store::messages::{self, BodyState, Message, ViewCheck};
use crate::store::networks::{self, Network};
use crate::store::outbox::{self, Submission};
use crate::store::{StoreError, Transaction};

/// What came of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// It was done here, and it holds.
    Holds,
    /// It was done here, and it does not hold.
    Fails,
    /// Nobody did it, or it cannot be done yet.
    NotDone,
}

/// One check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Check {
    /// A stable word.
    pub check: &'static str,
    /// What came of it.
    pub result: Finding,
    /// In a sentence: what was compared with what, or why it was not done.
    pub says: String,
}

/// What one node said about an own message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Said {
    /// The node.
    pub node: String,
    /// The envelope it was about.
    pub entry: String,
    /// When, by this device's clock.
    pub time_ms: u64,
    /// Whether it promised, under its signature, to include it.
    pub promised: bool,
    /// Why it did not take it.
    pub refusal: Option<String>,
}

/// Everything that stands behind a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Why {
    /// The message.
    pub message: MessageView,
    /// All checks, in the order in which a message travels.
    pub checks: Vec<Check>,
    /// How often the envelope of an own message on its way was signed: more than once if one of them died.
    pub signings: Option<u32>,
    /// What nodes said to an own message.
    pub nodes: Vec<Said>,
    /// How far the members have come with an own message, as far as they are known.
    pub members: Vec<MemberReach>,
}

impl Client {
    /// Every check behind a message, including those not done.
    ///
    /// # Errors
    /// If there is no such message.
    pub async fn why(&self, message: MessageId) -> Result<Why, Error> {
        self.core.read(move |tx| why(tx, message)).await
    }
}

fn why(tx: &Transaction<'_>, id: MessageId) -> Result<Why, Error> {
    let message = messages::load(tx, id)?.ok_or(Error::UnknownMessage)?;
    let channel = channels::load(tx, message.channel)?.ok_or(Error::UnknownChannel)?;
    let network = networks::load(tx, channel.network)?.ok_or(Error::UnknownNetwork(channel.network))?;
    let author = doubt::author(tx, &message)?;
    let ordered = message.place.map(|place| place.time);
    let case = Case {
        on_card: match &author {
            Some(author) => author.on_card(tx, message.device, ordered)?,
            None => OnCard::NoCard,
        },
        is_stopped: author.is_some_and(|author| author.is_stopped()),
        keys: network.genesis.keys(),
        message: &message,
        channel: &channel,
        network: &network,
        counter_before: counter_before(tx, &message)?,
        is_compared: match message.account {
            Some(account) => contacts::find(tx, account)?.is_some_and(|contact| contact.compared.is_some()),
            None => false,
        },
    };
    let view = whole(tx, &message)?;
    let manner = manners::load(tx, channel.id)?;
    let mut checks = match &view.told {
        Some(told) => told_checks(told),
        None => case.checks(),
    };
    checks.push(seen(&view, &manner));
    Ok(Why {
        checks,
        members: match &view.reach {
            Some(_) => members::all(tx, channel.id)?.into_iter().map(Into::into).collect(),
            None => Vec::new(),
        },
        message: view,
        signings: outbox::load(tx, id)?.map(|item| item.signings),
        nodes: outbox::submissions(tx, id)?.into_iter().map(said).collect(),
    })
}

/// Of what a member tells nothing was checked but that the member tells it.
fn told_checks(told: &ToldView) -> Vec<Check> {
    const SEALED: &str = "an envelope commits to a sealed body, whose keys are forgotten, and not to words: what is told cannot be held \
        against the ledger";
    const WORD: &str = "that is the teller's word";
    let not_done = |(name, says): (&'static str, &str)| check(name, Finding::NotDone, says);
    let mut checks = vec![check(
        "teller",
        Finding::Holds,
        format!(
            "device {} of account {} says so: it signed what it told this device, and that stands in the group's log",
            told.device, told.account
        ),
    )];
    checks.push(if told.differs {
        check(
            "tellers-agree",
            Finding::Fails,
            "its author, or another member, says it otherwise",
        )
    } else {
        check(
            "tellers-agree",
            Finding::NotDone,
            "nobody has said it otherwise to this device",
        )
    });
    checks.extend(
        [
            ("device-signature", SEALED),
            ("account", WORD),
            ("terms", SEALED),
            ("nothing-missing-before", "a teller may leave out what it likes"),
            ("log-signature", SEALED),
            ("stamp", SEALED),
            ("in-the-ledger", SEALED),
            ("final", "when it was ordered is the teller's word"),
            ("same-history", SEALED),
            ("written-before-ordered", "when it was written is the teller's word"),
            ("anchor", SEALED),
            ("witnesses", SEALED),
            ("name", WORD),
            (
                "person",
                "that the author whom it names was compared says nothing about words that others tell",
            ),
            ("hands", "whose hands held the devices cannot be known"),
            (
                "forward-secrecy",
                "it was handed on: whoever takes a device that was told it reads it",
            ),
        ]
        .map(not_done),
    );
    checks
}

/// Whether every member has proven to hold an own message, and who is taken for a member.
fn seen(view: &MessageView, manner: &Manner) -> Check {
    const LIMIT: &str =
        "members are known here by what they wrote or by the group's changes: who only reads is not counted";
    let name = "seen-by-all";
    let Some(reach) = view.reach else {
        return check(
            name,
            Finding::NotDone,
            "that is told to whoever wrote a message, once it is final",
        );
    };
    let others = reach.others;
    if others == 0 {
        return check(
            name,
            Finding::NotDone,
            format!("nobody else is known to be here; {LIMIT}"),
        );
    }
    if !is_seen_told(manner, others.saturating_add(1)) {
        let says =
            format!("members do not tell each other here what they hold, {others} others are known: `chat receipts`");
        return check(name, Finding::NotDone, says);
    }
    let held = reach.held;
    if held == others {
        let says = format!("the signed view of each of {others} others covers it, compared by the root; {LIMIT}");
        return check(name, Finding::Holds, says);
    }
    check(
        name,
        Finding::NotDone,
        format!("the signed views of {held} of {others} others cover it so far; {LIMIT}"),
    )
}

fn said(submission: Submission) -> Said {
    Said {
        node: submission.node.to_string(),
        entry: submission.entry.to_string(),
        time_ms: submission.time,
        promised: submission.acknowledgement.is_some(),
        refusal: submission.refusal,
    }
}

/// Whether the message that the same device counted before this one is here.
fn counter_before(tx: &Transaction<'_>, message: &Message) -> Result<Option<bool>, StoreError> {
    let (Some(device), Some(counter)) = (message.device, message.counter) else {
        return Ok(None);
    };
    match counter.checked_sub(1) {
        None | Some(0) => Ok(Some(true)),
        Some(before) => messages::has_counter(tx, message.channel, device, before).map(Some),
    }
}

struct Case<'a> {
    keys: HashKeys,
    message: &'a Message,
    channel: &'a Channel,
    network: &'a Network,
    counter_before: Option<bool>,
    on_card: OnCard,
    /// Whether the keys of that account stop the sending to it.
    is_stopped: bool,
    /// Whether this person has compared the account of whoever wrote it.
    is_compared: bool,
}

fn check(check: &'static str, result: Finding, says: impl Into<String>) -> Check {
    Check {
        check,
        result,
        says: says.into(),
    }
}

impl Case<'_> {
    fn checks(&self) -> Vec<Check> {
        vec![
            self.opened(),
            self.certified(),
            self.on_card(),
            self.terms(),
            self.counter(),
            self.log_signature(),
            self.stamp(),
            self.in_log(),
            self.is_final(),
            self.same_history(),
            self.written(),
            check(
                "anchor",
                Finding::NotDone,
                "that the block its envelope names was a valid one is left to the validators; a quorum certified so",
            ),
            check(
                "witnesses",
                Finding::NotDone,
                "no independent witness has cosigned this history",
            ),
            check(
                "name",
                Finding::NotDone,
                "the name is what the writer claims; only the device is proven",
            ),
            self.person(),
            check("hands", Finding::NotDone, "whose hands held the device cannot be known"),
            self.forward_secrecy(),
        ]
    }

    fn person(&self) -> Check {
        let name = "person";
        if self.is_stopped {
            let says = "you compared the account, and its keys changed since as no sound account's can: compare again";
            check(name, Finding::Fails, says)
        } else if self.is_compared {
            let says =
                "you compared the account that certified the device with its person, and its keys went on soundly";
            check(name, Finding::Holds, says)
        } else {
            check(name, Finding::NotDone, "nobody compared this device with a person")
        }
    }

    fn opened(&self) -> Check {
        let name = "device-signature";
        match (self.message.body, &self.message.content, &self.message.device) {
            (BodyState::Here, Some(_), Some(device)) => check(
                name,
                Finding::Holds,
                format!("the body opened with this channel's keys, and device {device} signed what is in it"),
            ),
            (BodyState::Unopened, ..) => {
                let reason = self.message.reason.as_deref().unwrap_or("it does not open");
                check(name, Finding::Fails, reason)
            }
            (BodyState::Withheld, ..) => check(name, Finding::NotDone, "no node gave its body so far"),
            (BodyState::Expired, ..) => check(name, Finding::NotDone, "the time its author gave it has passed"),
            _ => check(name, Finding::NotDone, "its author erased it"),
        }
    }

    /// Whose device wrote it.
    fn certified(&self) -> Check {
        let name = "account";
        match (self.channel.kind, self.message.account) {
            (ChannelKind::Group, Some(account)) => check(
                name,
                Finding::Holds,
                format!("account {account} certified the device, which was checked when it came into the group"),
            ),
            (ChannelKind::Group, None) => {
                check(name, Finding::NotDone, "who wrote it is not known before it is opened")
            }
            _ => check(
                name,
                Finding::NotDone,
                "everybody with the link is in: no account has to stand behind a device here",
            ),
        }
    }

    /// What the account's card says of the device.
    fn on_card(&self) -> Check {
        let name = "device-on-card";
        match self.on_card {
            OnCard::Speaks => check(
                name,
                Finding::Holds,
                "the account's card lists the device, and did not put it out before the message was ordered",
            ),
            OnCard::Unknown => check(
                name,
                Finding::Fails,
                "the account's card, as it was read here, does not list the device",
            ),
            OnCard::Out => check(
                name,
                Finding::Fails,
                "the account suspended or revoked the device before the message was ordered: it may be in other hands",
            ),
            OnCard::NoCard => check(name, Finding::NotDone, "no card of its writer's account was read here"),
        }
    }

    fn forward_secrecy(&self) -> Check {
        let name = "forward-secrecy";
        if self.channel.kind != ChannelKind::Group {
            return check(
                name,
                Finding::NotDone,
                "there is none in a channel by link: whoever gets its secret reads the past and the future",
            );
        }
        let Some(signed) = self
            .message
            .signed
            .as_ref()
            .filter(|_| self.message.body == BodyState::Here)
        else {
            return check(name, Finding::NotDone, "it is not in the ledger yet, or does not open");
        };
        let says = if signed.header.log == self.channel.log() {
            "its key was for it alone, and this device has forgotten it; what is said after the next change of the group is \
             sealed with keys that those of today do not lead to"
        } else {
            "its epoch is over, and this device has forgotten the keys: whoever takes it finds none that opens the sealed \
             body. That the other members' devices forget theirs, and what they keep of the words, is up to them"
        };
        check(name, Finding::Holds, says)
    }

    fn terms(&self) -> Check {
        let name = "terms";
        match (&self.message.signed, &self.message.content) {
            (Some(_), Some(_)) => check(
                name,
                Finding::Holds,
                "the envelope states the log, the erasure commitment and the keep-for that the device signed",
            ),
            _ => check(
                name,
                Finding::NotDone,
                "there is no opened body under a certified envelope to compare",
            ),
        }
    }

    fn counter(&self) -> Check {
        let name = "nothing-missing-before";
        match (self.counter_before, self.message.counter) {
            (Some(true), Some(counter)) => check(
                name,
                Finding::Holds,
                format!("it is number {counter} of its device here, and the one before is here"),
            ),
            (Some(false), Some(counter)) => check(
                name,
                Finding::Fails,
                format!(
                    "it is number {counter} of its device here, and the one before is not: not \
                        sent, on its way, or not readable"
                ),
            ),
            _ => check(name, Finding::NotDone, "its device's count is not known"),
        }
    }

    fn log_signature(&self) -> Check {
        let name = "log-signature";
        match &self.message.signed {
            None => check(name, Finding::NotDone, "it is not in the ledger yet"),
            Some(signed) => match signed.clone().verify_signature(&self.keys) {
                Ok(_) => check(
                    name,
                    Finding::Holds,
                    "the conversation's key signed the envelope: no node could make it up",
                ),
                Err(_) => check(name, Finding::Fails, "the conversation's key never signed the envelope"),
            },
        }
    }

    fn stamp(&self) -> Check {
        let name = "stamp";
        let Some(signed) = &self.message.signed else {
            return check(name, Finding::NotDone, "it is not in the ledger yet");
        };
        let genesis: &Genesis = &self.network.genesis;
        let bits = signed.header.stamp(&self.keys).leading_zero_bits();
        let needed = waxwing_core::envelope::stamp_bits(genesis.parameters.stamp_bits, signed.header.body_length);
        let says = format!("the stamp has {bits} zero bits, {needed} are asked for");
        check(name, if bits >= needed { Finding::Holds } else { Finding::Fails }, says)
    }

    fn in_log(&self) -> Check {
        let name = "in-the-ledger";
        match (self.message.log_index, self.channel.proven) {
            (Some(index), Some(proven)) => check(
                name,
                Finding::Holds,
                format!(
                    "entry {index} of the conversation's log, which was recomputed here to the \
                        root that block {} proves",
                    proven.height.max(self.message.place.map_or(0, |place| place.height))
                ),
            ),
            _ => check(name, Finding::NotDone, "no checked log shows it yet"),
        }
    }

    fn is_final(&self) -> Check {
        let name = "final";
        let Some(place) = &self.message.place else {
            return check(name, Finding::NotDone, "it is in no certified block yet");
        };
        let committee = &self.network.held.committee;
        let (all, quorum, tolerated) = (committee.members().len(), committee.quorum(), committee.tolerated());
        check(
            name,
            Finding::Holds,
            format!(
                "ordered in block {} by at least {quorum} of {all} validators; up to {tolerated} of them may lie",
                place.height
            ),
        )
    }

    fn same_history(&self) -> Check {
        let name = "same-history";
        match self.message.view {
            ViewCheck::Agrees => check(
                name,
                Finding::Holds,
                "its writer had proven the same entries before it as this client, compared by their root",
            ),
            ViewCheck::Differs => check(
                name,
                Finding::Fails,
                "its writer claims to have proven other entries than this client: one of you was \
                    shown another history, or it lies",
            ),
            ViewCheck::None => check(
                name,
                Finding::NotDone,
                "its writer had proven nothing that could be compared",
            ),
        }
    }

    fn written(&self) -> Check {
        let name = "written-before-ordered";
        let content: Option<&Content> = self.message.content.as_ref();
        match (content.map(|content| content.time_ms), &self.message.place) {
            (Some(written), Some(place)) if written <= place.time.saturating_add(60_000) => check(
                name,
                Finding::Holds,
                "it claims to have been written before it was ordered",
            ),
            (Some(_), Some(_)) => check(
                name,
                Finding::Fails,
                "it claims to have been written after it was ordered: its writer's clock is wrong, or it lies",
            ),
            _ => check(name, Finding::NotDone, "there is no certified time to compare with"),
        }
    }
}
