//! Who is in, and who asks to be: what the screen does about it.

use waxwing_light::{RequestState, RequestView};
use waxwing_seal::display::display_safe_name;

use super::keys::Action;
use super::model::{Effect, Model, Over};
use crate::output::Tone;

impl Model {
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

    /// Takes the requests in; says so once when somebody asks.
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
        self.requests = requests;
        if let Some(Over::Requests(at)) = &mut self.over {
            *at = (*at).min(self.requests.len().saturating_sub(1));
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
