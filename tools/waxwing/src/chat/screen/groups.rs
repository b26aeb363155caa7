//! Who is in, and who asks to be: what the screen does about it.

use waxwing_core::limits::DAY_MS;
use waxwing_light::{ChannelId, GroupView, MessageView, RequestState, RequestView};
use waxwing_seal::display::display_safe_name;

use super::keys::Action;
use super::model::{Effect, GroupChange, Model, Over, Sure, Wanted};
use crate::chat::groups::who::Someone;
use crate::output::Tone;

/// For how long a link that was made here is shown again instead of a new one: shorter than it lets anybody in.
const LINK_MS: u64 = 6 * DAY_MS;

impl Model {
    /// Shows the link of the open channel: the one that was made here and not used yet, if there is one. Every link is an
    /// inbox to be looked into.
    pub(super) fn invite(&mut self, effects: &mut Vec<Effect>) {
        let Some(channel) = self.pointed_channel() else {
            return self.tell(Tone::Faint, "there is no channel here yet");
        };
        let now = self.now;
        self.links
            .retain(|_, (made, _)| now.saturating_sub(*made) < LINK_MS && *made <= now);
        match self.links.get(&channel) {
            Some((_, link)) => self.cover(Over::Invite(channel, link.clone())),
            None => effects.push(Effect::Invite(channel)),
        }
    }

    /// Makes another link than the one that is shown.
    pub(super) fn invite_anew(&mut self, effects: &mut Vec<Effect>) {
        if let Some(Over::Invite(channel, _)) = &self.over {
            effects.push(Effect::Invite(*channel));
        }
    }

    /// Who came in may have used the link, and a list of people that is on the screen is not right any more.
    pub(super) fn on_group_event(&mut self, view: &MessageView, effects: &mut Vec<Effect>) {
        let Some(event) = &view.event else { return };
        if !event.added.is_empty() {
            self.links.remove(&view.channel);
        }
        let is_shown = matches!(&self.over, Some(Over::Members(channel, ..)) if *channel == view.channel);
        if is_shown && event.is_visible() {
            effects.push(Effect::Members(view.channel));
        }
    }

    /// Takes the people of a channel in; the list still points at whom it pointed at if it is the one that is shown.
    pub(super) fn on_members(&mut self, channel: ChannelId, group: Box<GroupView>, people: Vec<Someone>) {
        let at = match &self.over {
            Some(Over::Members(shown, _, before, at)) if *shown == channel => {
                let meant = before.get(*at).map(|someone| &someone.account);
                let same = people.iter().position(|someone| Some(&someone.account) == meant);
                same.unwrap_or_else(|| (*at).min(people.len().saturating_sub(1)))
            }
            _ => 0,
        };
        self.cover(Over::Members(channel, group, people, at));
    }

    /// A key over the list of people.
    pub(super) fn act_on_members(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let Some(Over::Members(channel, _, people, at)) = &mut self.over else {
            return;
        };
        let last = people.len().saturating_sub(1);
        *at = match action {
            Action::Up => at.saturating_sub(1),
            Action::Down => at.saturating_add(1).min(last),
            Action::First => 0,
            Action::Last => last,
            Action::Close => {
                self.over = None;
                return;
            }
            _ => {
                let (channel, someone) = (*channel, people.get(*at).cloned());
                if let Some(someone) = someone {
                    self.act_on_member(channel, &someone, action, effects);
                }
                return;
            }
        };
    }

    fn act_on_member(&mut self, channel: ChannelId, someone: &Someone, action: Action, effects: &mut Vec<Effect>) {
        let name = someone.name();
        if someone.own {
            let says = "that is you: on the page of the channel (Esc, then F11) l leaves it";
            return self.tell(Tone::Faint, says);
        }
        match action {
            Action::Verify => effects.push(Effect::Person(channel, someone.account.clone())),
            Action::Appoint => self.ask_to_appoint(channel, someone),
            Action::Remove => self.cover(Over::Sure(Box::new(Sure {
                title: format!("take {name} out?"),
                says: format!(
                    "{name} ({}) reads nothing that is said from then on, and keeps what was said before. Everybody sees that \
                     it was you.",
                    someone.tag()
                ),
                yes: "take out".to_owned(),
                no: "leave in",
                effect: Effect::Group(channel, GroupChange::Remove(someone.account.clone())),
            }))),
            Action::Block => self.ask_to_block(someone),
            _ => {}
        }
    }

    fn ask_to_appoint(&mut self, channel: ChannelId, someone: &Someone) {
        let name = someone.name();
        let (title, says, yes) = if someone.admin {
            let says = "no longer lets others in, takes them out or says who is an admin";
            (format!("make {name} an ordinary member?"), says, "no admin any more")
        } else {
            let says = "lets others in, takes them out, you as well, and says who is an admin";
            (format!("make {name} an admin?"), says, "make an admin")
        };
        self.cover(Over::Sure(Box::new(Sure {
            title,
            says: format!("{name} ({}) {says}. Everybody sees that it was you.", someone.tag()),
            yes: yes.to_owned(),
            no: "leave it",
            effect: Effect::Group(channel, GroupChange::Appoint(someone.account.clone(), !someone.admin)),
        })));
    }

    fn ask_to_block(&mut self, someone: &Someone) {
        let name = someone.name();
        let mut contacts = self.contacts.iter().flatten();
        let Some(contact) = contacts.find(|contact| contact.account == someone.account) else {
            let says = format!("{name} is no contact yet: Enter compares, and makes one");
            return self.tell(Tone::Faint, says);
        };
        let (id, is_blocked) = (contact.id, contact.blocked_ms.is_some());
        let (verb, says) = if is_blocked {
            ("unblock", format!("{name} is heard again on this device."))
        } else {
            (
                "block",
                format!("This device shows nothing more of {name}, who is not told. It stays on this device."),
            )
        };
        self.cover(Over::Sure(Box::new(Sure {
            title: format!("{verb} {name}?"),
            says,
            yes: verb.to_owned(),
            no: "not now",
            effect: Effect::Block(id, !is_blocked),
        })));
    }

    /// Asks what a new channel is to be called: it is founded on the ledger of the open one.
    pub(super) fn ask_for_a_name(&mut self) {
        let open = self.open().map(|channel| channel.network.clone());
        match open.or_else(|| self.networks.keys().next().cloned()) {
            Some(network) => self.ask_for(Wanted::Found(network)),
            None => self.tell(
                Tone::Faint,
                "no network is known here yet: F6 joins a channel; `waxwing chat new` founds the first one",
            ),
        }
    }

    /// The people of the open channel.
    pub(super) fn show_members(&mut self, effects: &mut Vec<Effect>) {
        match self.open() {
            Some(channel) if channel.group => effects.push(Effect::Members(channel.id)),
            Some(_) => self.tell(
                Tone::Faint,
                "this channel has no members: everybody with its link is in, from its beginning",
            ),
            None => self.tell(Tone::Faint, "there is no channel here yet"),
        }
    }

    /// Those who ask to be let in.
    pub(super) fn show_requests(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Requests);
        self.cover(Over::Requests(0));
    }

    /// Takes the requests in; says so once when somebody asks. The list still points at the one it pointed at: the newest
    /// comes in above it, and a key that was meant for one person must not let another one in.
    pub(super) fn on_requests(&mut self, requests: Vec<RequestView>) {
        let waits = |request: &&RequestView| request.state == RequestState::Waiting;
        let new = requests
            .iter()
            .filter(waits)
            .rfind(|request| !self.asking.contains(&request.id));
        if let (Some(request), false) = (new, matches!(self.over, Some(Over::Requests(_)))) {
            let name = display_safe_name(&request.name);
            self.tell(
                Tone::Strong,
                format!("{name} asks to be let in: F10 shows who, and asks you"),
            );
        }
        self.asking
            .extend(requests.iter().filter(waits).map(|request| request.id));
        let Some(Over::Requests(at)) = self.over else {
            self.requests = requests;
            return;
        };
        let meant = self.listed_requests().get(at).map(|request| request.id);
        self.requests = requests;
        let same = |meant| self.listed_requests().iter().position(|request| request.id == meant);
        match meant.map(same) {
            None => {}
            Some(Some(at)) => self.over = Some(Over::Requests(at)),
            Some(None) => {
                self.over = None;
                self.tell(
                    Tone::Faint,
                    "the request that was pointed at is gone: F10 shows those that are left",
                );
            }
        }
    }

    /// The requests in the order in which they are shown: those that wait first, the newest on top.
    pub(super) fn listed_requests(&self) -> Vec<&RequestView> {
        let mut listed: Vec<&RequestView> = self.requests.iter().rev().collect();
        listed.sort_by_key(|request| request.state != RequestState::Waiting);
        listed
    }

    /// A key over the list of requests.
    pub(super) fn act_on_requests(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let (Some(Over::Requests(at)), count) = (&self.over, self.requests.len()) else {
            return;
        };
        let at = *at;
        let moved = match action {
            Action::Up => at.saturating_sub(1),
            Action::Down => at.saturating_add(1).min(count.saturating_sub(1)),
            Action::Accept | Action::Decline => {
                return self.answer_request(at, action, effects);
            }
            _ => {
                self.over = None;
                return;
            }
        };
        self.over = Some(Over::Requests(moved));
    }

    fn answer_request(&mut self, at: usize, action: Action, effects: &mut Vec<Effect>) {
        let Some(request) = self.listed_requests().get(at).map(|request| (*request).clone()) else {
            return;
        };
        let name = display_safe_name(&request.name);
        if request.state != RequestState::Waiting {
            return self.tell(Tone::Faint, format!("{name} has an answer already"));
        }
        if action == Action::Accept {
            effects.push(Effect::Accept(request.id));
            self.tell(Tone::Good, format!("{name} is let in as soon as the ledger has it"));
        } else {
            effects.push(Effect::Decline(request.id));
            self.tell(Tone::Faint, format!("{name} is told no"));
        }
    }
}
