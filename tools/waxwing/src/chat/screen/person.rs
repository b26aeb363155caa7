//! Comparing with somebody, and how a channel is used: what the screen does about it.
//!
//! ```text
//! members ── Enter ──> the person: digits, emoji, a code ── y ──> noted as compared
//!                                                        └─ n ──> what that means; block them?
//! ```
//!
//! "Don't match" is what Enter means there: whoever presses it without looking has noted nothing.

use waxwing_core::envelope::KeepFor;
use waxwing_light::{ChannelId, ContactDetail, ContactId, ContactView, Manners, Seen, Standstill};
use waxwing_seal::display::display_safe_name;

use super::keys::Action;
use super::model::{Effect, GroupChange, Model, Over, Sure, Wanted};
use crate::output::Tone;

/// Somebody, and what is compared with them on one ledger.
pub(super) struct Person {
    /// All that is known of them.
    pub(super) detail: ContactDetail,
    /// The twelve groups of digits.
    pub(super) digits: Vec<String>,
    /// The same as emoji, three for each group.
    pub(super) emoji: Vec<String>,
    /// The code for them to scan.
    pub(super) code: String,
}

impl Model {
    /// A key on the page of somebody.
    pub(super) fn act_on_person(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let Some(Over::Person(person)) = &self.over else { return };
        let contact = person.detail.contact.clone();
        match action {
            Action::Match => {
                self.over = None;
                effects.push(Effect::Compared(contact.id, true));
            }
            Action::Differ => self.differs(&contact, effects),
            _ => {}
        }
    }

    /// What was noted before counts no longer, unless there is a change of keys behind it, which that would agree to.
    fn differs(&mut self, contact: &ContactView, effects: &mut Vec<Effect>) {
        if contact.compared_ms.is_some() && contact.standstill == Standstill::None {
            effects.push(Effect::Compared(contact.id, false));
        }
        let name = display_safe_name(&contact.name);
        self.cover(Over::Sure(Box::new(Sure {
            title: "they don't match".to_owned(),
            says: format!(
                "Nothing is noted. Read them to each other once more: if they differ again, somebody may stand between you \
                 and {name}. Say nothing here that matters, and speak with them over another way. Blocking them on this \
                 device shows nothing more of whoever it is."
            ),
            yes: format!("block {name}"),
            no: "not now",
            effect: Effect::Block(contact.id, true),
        })));
    }

    /// Takes in everybody who was met; says so once when keys change.
    pub(super) fn on_contacts(&mut self, contacts: Vec<ContactView>) {
        let before = self.contacts.take();
        let changed_before = |id: ContactId| {
            let before = before.iter().flatten().find(|contact| contact.id == id);
            before.and_then(|contact| contact.changed_ms)
        };
        // Of what became of keys before this screen was opened, only what stops something is news.
        let is_news = |contact: &&ContactView| match before {
            Some(_) => contact.changed_ms > changed_before(contact.id),
            None => contact.standstill == Standstill::KeysChanged,
        };
        if let Some(contact) = contacts.iter().find(is_news) {
            let name = display_safe_name(&contact.name);
            let (tone, says) = match contact.standstill {
                Standstill::KeysChanged => (
                    Tone::Bad,
                    format!("the keys of {name} changed after you compared: F9 and Enter compare again"),
                ),
                _ => (
                    Tone::Doubtful,
                    format!("the keys of {name} changed: F9 and Enter show how"),
                ),
            };
            self.tell(tone, says);
        }
        self.contacts = Some(contacts);
    }

    /// Somebody who wrote what is on the screen, and whose keys changed after they were compared.
    pub(super) fn changed_keys(&self) -> Option<&ContactView> {
        let rows = self.window.as_ref()?.rows();
        let mut contacts = self.contacts.iter().flatten();
        contacts.find(|contact| {
            let is_theirs = |account: &Option<String>| account.as_deref() == Some(contact.account.as_str());
            let mut authors = rows.iter().filter_map(|row| row.author.as_ref());
            contact.standstill == Standstill::KeysChanged && authors.any(|author| is_theirs(&author.account))
        })
    }

    /// Shows how a channel is used; a page that is there stays where it was.
    pub(super) fn on_manners(&mut self, channel: ChannelId, manners: Box<Manners>) {
        match &mut self.over {
            Some(Over::Manners(shown, before)) if *shown == channel => *before = manners,
            _ => self.cover(Over::Manners(channel, manners)),
        }
    }

    /// A key on the page of a channel.
    pub(super) fn act_on_manners(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let Some(Over::Manners(channel, manners)) = &self.over else {
            return;
        };
        let (channel, receipts, seen) = (*channel, manners.receipts, manners.seen);
        let is_group = self.channel(channel).is_some_and(|channel| channel.group);
        match action {
            Action::Stay => effects.push(Effect::Timer(channel, KeepFor::Ever)),
            Action::Day => effects.push(Effect::Timer(channel, KeepFor::Day)),
            Action::Week => effects.push(Effect::Timer(channel, KeepFor::Week)),
            Action::Month => effects.push(Effect::Timer(channel, KeepFor::Month)),
            Action::Year => effects.push(Effect::Timer(channel, KeepFor::Year)),
            Action::Receipts => effects.push(Effect::Receipts(channel, !receipts)),
            Action::SeenBy => effects.push(Effect::SeenBy(channel, after(seen))),
            Action::Rename if is_group => self.ask_for(Wanted::Name(channel)),
            Action::LeaveChannel if is_group => self.ask_to_leave(channel),
            Action::Rename | Action::LeaveChannel => self.tell(
                Tone::Faint,
                "everybody with its link is in this channel: it has no name for all, and nobody to leave",
            ),
            _ => {}
        }
    }

    fn ask_to_leave(&mut self, channel: ChannelId) {
        let name = self
            .channel(channel)
            .map_or_else(String::new, |channel| display_safe_name(&channel.name));
        self.cover(Over::Sure(Box::new(Sure {
            title: format!("leave {name}?"),
            says: "The members see that you leave. Once one of them is connected you are out, and read nothing that is said \
                   from then on; what is here stays until `waxwing chat forget` deletes it."
                .to_owned(),
            yes: "leave".to_owned(),
            no: "stay",
            effect: Effect::Group(channel, GroupChange::Leave),
        })));
    }
}

/// By the number of members, always, never, and from the beginning.
const fn after(seen: Seen) -> Seen {
    match seen {
        Seen::Auto => Seen::On,
        Seen::On => Seen::Off,
        Seen::Off => Seen::Auto,
    }
}
