//! What the screen does with what reaches it: news of the client here, keys in `act.rs`. Pure: effects are returned.

use waxwing_light::{ChannelId, ChannelView, MessageView, NetworkView, Range};

use super::model::{Effect, Event, Focus, Known, Model, Over, Say};
use super::window::{Change, Window, is_about};
use super::writing::Writing;
use crate::output::Tone;

/// How often the age of what is proven is looked up anew; between two looks it is counted on.
const LOOK_MS: u64 = 4_000;

impl Model {
    /// Takes an event in; returns what is to be done.
    pub(super) fn on(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Key(key) => self.on_key(key, &mut effects),
            Event::Paste(text) => self.on_paste(&text),
            Event::Resize(width, height) => self.size = (width, height),
            Event::Tick(now) => self.on_tick(now, &mut effects),
            Event::Channels(channels) => self.on_channels(channels, &mut effects),
            Event::Network(view, evidence) => self.on_network(*view, evidence),
            Event::Page(channel, range, views) => self.on_page(channel, range, views, &mut effects),
            Event::Again(view) => self.on_again(*view),
            Event::Changed(view) => self.on_changed(*view, &mut effects),
            Event::Queued => self.is_outdated = true,
            Event::Refused(say, why) => self.on_refused(say, why),
            Event::Why(why) => self.cover(Over::Why(why)),
            Event::Whole(view) => self.cover(Over::Whole(view)),
            Event::Members(channel, group, people) => self.on_members(channel, group, people),
            Event::Requests(requests) => self.on_requests(requests),
            Event::Contacts(contacts) => self.on_contacts(contacts),
            Event::Person(person) => self.cover(Over::Person(person)),
            Event::Manners(channel, manners) => self.on_manners(channel, manners),
            Event::Invited(channel, link) => {
                self.links.insert(channel, (self.now, link.clone()));
                self.cover(Over::Invite(channel, link));
            }
            Event::Joined(channel) => {
                self.over = None;
                self.switch(channel, &mut effects);
                effects.push(Effect::Channels);
                self.tell(Tone::Good, "the channel is open");
            }
            Event::Found(asked, hits) => self.on_found(asked, hits),
            Event::Compared(network, agreed) => {
                if let Some(known) = self.networks.get_mut(&network) {
                    known.compared = Some((agreed, self.now));
                }
            }
            Event::Told(tone, says) => self.tell(tone, says),
            Event::Failed(why) => self.tell(Tone::Bad, why),
            Event::Gone => effects.push(Effect::Quit),
        }
        effects
    }

    /// Puts a page over the screen, at its top.
    pub(super) fn cover(&mut self, over: Over) {
        self.scroll = 0;
        self.over = Some(over);
    }

    fn on_tick(&mut self, now: u64, effects: &mut Vec<Effect>) {
        self.now = now;
        if self.notice.as_ref().is_some_and(|notice| notice.until <= now) {
            self.notice = None;
            self.is_leaving = false;
        }
        let is_due = now.saturating_sub(self.listed_at) >= LOOK_MS || now < self.listed_at;
        if self.is_outdated || is_due {
            self.is_outdated = false;
            self.listed_at = now;
            effects.extend([Effect::Channels, Effect::Networks, Effect::Requests, Effect::Contacts]);
        }
    }

    fn on_channels(&mut self, channels: Vec<ChannelView>, effects: &mut Vec<Effect>) {
        self.channels = channels;
        self.is_listed = true;
        self.count_unread();
        let is_open = self.open().is_some();
        if let (false, Some(first)) = (is_open, self.channels.first()) {
            self.switch(first.id, effects);
        }
        // A page may have waited for the length of the log.
        self.more(effects);
    }

    /// What the store counts, but for the channel whose end is on the screen.
    fn count_unread(&mut self) {
        let open = self
            .is_at_end()
            .then(|| self.window.as_ref().map(|window| window.channel))
            .flatten();
        let unread = self
            .channels
            .iter()
            .filter(|channel| channel.unread > 0 && Some(channel.id) != open);
        self.unread = unread.map(|channel| (channel.id, channel.unread)).collect();
    }

    /// Whether the newest messages of the open channel are on the screen.
    fn is_at_end(&self) -> bool {
        let window = self.window.as_ref();
        self.selected.is_none() && window.is_some_and(|window| window.is_at_end() && !window.is_waiting())
    }

    /// Tells the store what was shown, as far as that is news.
    fn tell_shown(&mut self, effects: &mut Vec<Effect>) {
        if !self.is_at_end() {
            return;
        }
        let Some(window) = &self.window else { return };
        let (channel, newest) = (window.channel, window.rows().iter().map(|row| row.id).max());
        if let Some(newest) = newest.filter(|newest| self.shown.get(&channel) < Some(newest)) {
            self.shown.insert(channel, newest);
            effects.push(Effect::Shown(channel, newest));
        }
    }

    fn on_network(&mut self, view: NetworkView, evidence: usize) {
        let compared = self.networks.get(&view.network).and_then(|known| known.compared);
        let (network, is_forked) = (view.network.clone(), view.forked_at.is_some());
        let known = Known {
            view,
            at: self.now,
            evidence,
            compared,
        };
        self.networks.insert(network.clone(), known);
        if is_forked && self.alarmed.insert(network.clone()) {
            self.cover(Over::Fork(network));
        }
    }

    /// Opens a channel at its end; what is being written stays with the one it is for.
    pub(super) fn switch(&mut self, channel: ChannelId, effects: &mut Vec<Effect>) {
        let before = self.window.as_ref().map(|window| window.channel);
        if before == Some(channel) {
            return;
        }
        let (window, range) = Window::newest(channel);
        self.window = Some(window);
        effects.push(Effect::Read(channel, range));
        (self.selected, self.aim) = (None, None);
        self.below = 0;
        self.unread.remove(&channel);
        // Where reading goes on, if something is unread.
        if let Some(first) = self.channel(channel).and_then(|channel| channel.first_unread) {
            self.marks.insert(channel, first);
        }
        let draft = self.drafts.remove(&channel);
        let draft = draft.unwrap_or_else(|| Writing::new(self.look));
        let written = std::mem::replace(&mut self.writing, draft);
        if let Some(before) = before {
            self.marks.remove(&before);
            if !written.is_empty() {
                self.drafts.insert(before, written);
            }
        }
    }

    fn on_page(&mut self, channel: ChannelId, range: Range, views: Vec<MessageView>, effects: &mut Vec<Effect>) {
        let entries = self.channel(channel).map_or(0, |channel| channel.entries);
        let Some(window) = self.window.as_mut().filter(|window| window.channel == channel) else {
            return;
        };
        for view in &views {
            if let Some(author) = &view.author {
                self.names.learn(&author.device, &author.name);
            }
        }
        window.take(range, views, entries);
        let is_lost = self
            .selected
            .is_some_and(|selected| window.position(selected).is_none());
        if is_lost {
            self.selected = None;
        }
        if let Some(aim) = self.aim.take() {
            let aimed = window.rows().iter().find(|row| row.log_index >= Some(aim));
            self.selected = aimed.map(|row| row.id);
        }
        self.settle(effects);
        self.tell_shown(effects);
    }

    /// Asks for what is missing around the selection, and lets go of what is far from it.
    pub(super) fn settle(&mut self, effects: &mut Vec<Effect>) {
        let at = self.position();
        if let Some(window) = &mut self.window {
            window.trim(at);
        }
        self.more(effects);
    }

    fn more(&mut self, effects: &mut Vec<Effect>) {
        let at = self.position();
        let (entries, waiting) = self.open().map_or((0, 0), |channel| (channel.entries, channel.waiting));
        if let Some(window) = &mut self.window {
            let channel = window.channel;
            effects.extend(
                window
                    .wants(at, entries, waiting)
                    .map(|range| Effect::Read(channel, range)),
            );
        }
    }

    /// What was read again for what others did to it is no news, and is of no concern if it has been let go of since.
    fn on_again(&mut self, view: MessageView) {
        let window = self.window.as_mut();
        if let Some(window) = window.filter(|window| window.position(view.id).is_some()) {
            window.change(view);
        }
    }

    fn on_changed(&mut self, view: MessageView, effects: &mut Vec<Effect>) {
        self.is_outdated = true;
        if let Some(author) = &view.author {
            self.names.learn(&author.device, &author.name);
        }
        self.on_group_event(&view, effects);
        let (channel, index) = (view.channel, view.log_index);
        let is_news = !view.own && view.state.is_final() && !is_about(&view) && view.event.is_none();
        let is_open = self.window.as_ref().is_some_and(|window| window.channel == channel);
        let was_here = self
            .window
            .as_ref()
            .is_some_and(|window| window.position(view.id).is_some());
        let change = self
            .window
            .as_mut()
            .map_or(Change::Elsewhere, |window| window.change(view));
        match change {
            Change::About(message) => effects.push(Effect::Again(message)),
            Change::Below if is_news => self.below = self.below.saturating_add(1),
            Change::Shown if is_news && !was_here && self.selected.is_some() => {
                self.below = self.below.saturating_add(1);
            }
            _ => {}
        }
        if let (true, false, Some(index)) = (is_news, was_here, index) {
            let mark = self.marks.entry(channel).or_insert(index);
            *mark = (*mark).min(index);
            if !is_open {
                let unread = self.unread.entry(channel).or_insert(0);
                *unread = unread.saturating_add(1);
            }
        }
        self.settle(effects);
        self.tell_shown(effects);
    }

    /// What was not taken is put back where it was written; below what is being written there by now, if something is.
    fn on_refused(&mut self, say: Say, why: String) {
        self.tell(Tone::Bad, why);
        let Say::Words(channel, purpose, words) = say else {
            return;
        };
        if self.window.as_ref().is_none_or(|window| window.channel == channel) {
            self.focus = Focus::Writing;
            return self.writing.put_back(purpose, &words);
        }
        let look = self.look;
        let draft = self.drafts.entry(channel).or_insert_with(|| Writing::new(look));
        draft.put_back(purpose, &words);
    }
}
