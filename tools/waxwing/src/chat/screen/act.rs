//! What keys do to the screen: looked up in the table of `keys.rs`, done here.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use waxwing_light::{BodyKind, Ladder, MessageView};
use zeroize::Zeroizing;

use super::draw;
use super::files;
use super::keys::{Action, Place, action};
use super::model::{Effect, Focus, GroupChange, Model, Over, Say, Wanted};
use super::text;
use super::window::Window;
use super::writing::{self, Purpose};
use crate::output::Tone;

/// Chosen by the digits 1 to 8.
pub(super) const REACTIONS: [&str; 8] = ["👍", "💛", "😂", "😮", "😢", "🎉", "🙏", "👀"];

/// Letters of a reaction that are taken while it is typed; what is too long is refused when it is sealed.
const REACTION_LETTERS: usize = 16;

impl Model {
    pub(super) fn on_key(&mut self, key: KeyEvent, effects: &mut Vec<Effect>) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let place = self.place();
        let found = action(place, &key);
        if found != Some(Action::Quit) {
            self.is_leaving = false;
        }
        // What is not seen is not answered, and not chosen.
        let is_harmless = matches!(found, Some(Action::Quit | Action::Suspend | Action::Redraw));
        let is_writing = found.is_none() && self.over.is_none();
        if !self.fits() && !is_harmless && !is_writing {
            return;
        }
        // The arrows belong to the text as long as there is one.
        if found == Some(Action::ToMessages) && !self.writing.text().is_empty() {
            return self.writing.key(key);
        }
        match found {
            Some(action) if is_of_all(action) => self.act(action, effects),
            Some(action) => match place {
                Place::Page | Place::Person | Place::Manners => self.turn_page(action, effects),
                Place::Requests => self.act_on_requests(action, effects),
                Place::Members => self.act_on_members(action, effects),
                _ => self.act(action, effects),
            },
            None => self.typed(key, effects),
        }
    }

    pub(super) fn on_paste(&mut self, text: &str) {
        match (&mut self.over, self.focus) {
            (Some(Over::Line(_, field)), _) => {
                field.insert_str(text.trim());
            }
            (Some(Over::Search(search)), _) => {
                search.field.insert_str(text.lines().next().unwrap_or_default());
            }
            (Some(Over::React(_, typed)), _) => {
                let letters = text.chars().filter(|letter| !letter.is_control());
                typed.extend(letters.take(REACTION_LETTERS));
            }
            (Some(_), _) => {}
            (None, _) => {
                self.focus = Focus::Writing;
                self.writing.paste(text);
            }
        }
    }

    /// A key that is bound to nothing.
    fn typed(&mut self, key: KeyEvent, effects: &mut Vec<Effect>) {
        match &mut self.over {
            Some(Over::Line(_, field)) => {
                field.input(key);
            }
            Some(Over::React(..)) => self.type_reaction(key, effects),
            Some(Over::Search(_)) => self.type_search(key),
            Some(_) => {}
            None if self.focus == Focus::Writing => self.writing.key(key),
            None => {}
        }
    }

    fn act(&mut self, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::Quit => self.quit(effects),
            Action::Suspend => effects.push(Effect::Suspend),
            Action::Redraw => effects.push(Effect::Redraw),
            Action::Help => self.cover(Over::Help),
            Action::Network => self.show_network(effects),
            Action::Density => self.change_density(),
            Action::Join => self.ask_for(Wanted::Link),
            Action::Attach => self.ask_for(Wanted::Path),
            Action::Found => self.ask_for_a_name(),
            Action::Invite => self.invite(effects),
            Action::Manners => effects.extend(self.pointed_channel().map(Effect::Manners)),
            Action::FocusNext => self.focus_on(match self.focus {
                Focus::Writing => Focus::Messages,
                Focus::Messages => Focus::Channels,
                Focus::Channels => Focus::Writing,
            }),
            Action::FocusBack => self.focus_on(match self.focus {
                Focus::Writing => Focus::Channels,
                Focus::Messages => Focus::Writing,
                Focus::Channels => Focus::Messages,
            }),
            Action::ChannelNext => self.step_channel(true, effects),
            Action::ChannelBack => self.step_channel(false, effects),
            Action::Open => self.focus_on(Focus::Writing),
            Action::Leave => self.leave(),
            Action::Close | Action::No => self.over = None,
            Action::Yes => self.answer(effects),
            Action::Choose => self.choose(effects),
            _ => self.act_on_text(action, effects),
        }
    }

    fn act_on_text(&mut self, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::Search => self.open_search(),
            Action::Members => self.show_members(effects),
            Action::Requests => self.show_requests(effects),
            Action::Up | Action::Down if self.place() == Place::Search => self.walk_hits(action),
            Action::Send => self.send(effects),
            Action::NewLine => self.writing.new_line(),
            Action::ToMessages => self.focus_on(Focus::Messages),
            Action::Up | Action::Down | Action::First | Action::Last if self.focus == Focus::Channels => {
                self.walk_channels(action, effects);
            }
            Action::Up => self.walk(-1, effects),
            Action::Down => self.walk(1, effects),
            Action::PageUp => self.walk_page(-1, effects),
            Action::PageDown => self.walk_page(1, effects),
            Action::First => self.show_start(effects),
            Action::Last => self.show_end(effects),
            _ => self.act_on_message(action, effects),
        }
    }

    fn act_on_message(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let Some(view) = self.current().cloned() else {
            return self.tell(Tone::Faint, "there is no message here yet");
        };
        match action {
            Action::Why => effects.push(Effect::Why(view.id)),
            Action::Whole => effects.push(Effect::Whole(view.id)),
            Action::Reply => self.reply(&view),
            Action::Edit => self.edit(&view),
            Action::Retract if can_be_changed(&view) => self.cover(Over::Retract(view.id)),
            Action::Retract => self.tell(Tone::Doubtful, "only what you wrote on this device can be taken back"),
            Action::React if is_standing(&view) => self.cover(Over::React(view.id, String::new())),
            Action::React => self.tell(Tone::Doubtful, "there is nothing here to react to"),
            Action::Save if view.attachment.is_some() => effects.push(Effect::Save(view.id)),
            Action::Save => self.tell(Tone::Faint, "this message hands over no file"),
            Action::Retry if view.state == Ladder::Failed => effects.push(Effect::Retry(view.id)),
            Action::Retry => self.tell(Tone::Faint, "this message did not fail"),
            _ => {}
        }
    }

    fn quit(&mut self, effects: &mut Vec<Effect>) {
        let is_written = !self.writing.is_empty() || !self.drafts.is_empty();
        if is_written && !self.is_leaving {
            self.is_leaving = true;
            return self.tell(
                Tone::Doubtful,
                "what you have written is not sent: Ctrl-C once more leaves without it",
            );
        }
        effects.push(Effect::Quit);
    }

    fn show_network(&mut self, effects: &mut Vec<Effect>) {
        let network = match self.pointed_channel().and_then(|channel| self.channel(channel)) {
            Some(channel) => channel.network.clone(),
            None => return self.tell(Tone::Faint, "no network is known here yet"),
        };
        effects.push(Effect::Networks);
        let is_forked = self
            .networks
            .get(&network)
            .is_some_and(|known| known.view.forked_at.is_some());
        self.cover(if is_forked {
            Over::Fork(network)
        } else {
            Over::Network(network)
        });
    }

    fn change_density(&mut self) {
        self.density = self.density.next();
        self.tell(Tone::Faint, format!("density: {}", self.density.word()));
    }

    /// Asks for a line.
    pub(super) fn ask_for(&mut self, wanted: Wanted) {
        let hint = match wanted {
            Wanted::Link => "Paste the link here",
            Wanted::Path => "Type its path here",
            Wanted::Name(_) | Wanted::Found(_) => "Type the name here",
        };
        self.cover(Over::Line(wanted, Box::new(writing::area(self.look, hint))));
    }

    pub(super) fn pointed_channel(&self) -> Option<waxwing_light::ChannelId> {
        self.window.as_ref().map(|window| window.channel)
    }

    fn focus_on(&mut self, focus: Focus) {
        self.focus = focus;
        match focus {
            Focus::Messages if self.selected.is_none() => self.selected = self.current().map(|view| view.id),
            Focus::Messages | Focus::Channels => {}
            Focus::Writing => self.follow_if_at_end(),
        }
    }

    fn follow_if_at_end(&mut self) {
        let Some(window) = &self.window else { return };
        let is_last = self.position().saturating_add(1) >= window.rows().len();
        if is_last && window.is_at_end() {
            self.selected = None;
            self.below = 0;
        }
    }

    fn leave(&mut self) {
        if self.focus != Focus::Writing {
            self.selected = None;
            self.below = 0;
            return self.focus_on(Focus::Writing);
        }
        match self.writing.purpose {
            // The words of an edit are those of a message that is there; those of an answer are new.
            Purpose::Edit(_) => self.writing.clear(),
            Purpose::Reply(..) => self.writing.turn(Purpose::Text),
            Purpose::Text => {}
        }
    }

    fn step_channel(&mut self, forward: bool, effects: &mut Vec<Effect>) {
        self.walk_channels(if forward { Action::Down } else { Action::Up }, effects);
    }

    fn walk_channels(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let open = self.pointed_channel();
        let at = self
            .channels
            .iter()
            .position(|channel| Some(channel.id) == open)
            .unwrap_or(0);
        let last = self.channels.len().saturating_sub(1);
        let to = match action {
            Action::Up => at.saturating_sub(1),
            Action::Down => at.saturating_add(1).min(last),
            Action::First => 0,
            _ => last,
        };
        if let Some(channel) = self.channels.get(to).map(|channel| channel.id) {
            self.switch(channel, effects);
        }
    }

    /// Moves the selection by so many messages, and asks for more where they end.
    pub(super) fn walk(&mut self, by: isize, effects: &mut Vec<Effect>) {
        let at = self.position();
        let Some(window) = &self.window else { return };
        let last = window.rows().len().saturating_sub(1);
        let to = at.saturating_add_signed(by).min(last);
        self.selected = window.rows().get(to).map(|row| row.id);
        if to == last && window.is_at_end() {
            self.below = 0;
            if self.focus == Focus::Writing {
                self.selected = None;
            }
        }
        self.settle(effects);
    }

    fn walk_page(&mut self, direction: isize, effects: &mut Vec<Effect>) {
        let by = isize::try_from(draw::messages_on_a_page(self, direction)).unwrap_or(1);
        self.walk(by.saturating_mul(direction), effects);
    }

    fn show_start(&mut self, effects: &mut Vec<Effect>) {
        let Some(window) = &self.window else { return };
        if window.is_at_start() {
            self.selected = window.rows().first().map(|row| row.id);
            return self.settle(effects);
        }
        let (window, range) = Window::around(window.channel, 0);
        effects.push(Effect::Read(window.channel, range));
        self.window = Some(window);
        (self.selected, self.aim) = (None, Some(0));
    }

    fn show_end(&mut self, effects: &mut Vec<Effect>) {
        self.below = 0;
        let Some(window) = &self.window else { return };
        if window.is_at_end() {
            self.selected = window.rows().last().map(|row| row.id);
            return self.settle(effects);
        }
        let (window, range) = Window::newest(window.channel);
        effects.push(Effect::Read(window.channel, range));
        self.window = Some(window);
        (self.selected, self.aim) = (None, None);
    }

    fn reply(&mut self, view: &MessageView) {
        if !is_standing(view) {
            return self.tell(Tone::Doubtful, "there is nothing here to answer");
        }
        let beginning = text::line_of(view.text.as_deref().unwrap_or_default(), 60, self.look.more());
        let name = view
            .author
            .as_ref()
            .map(|author| self.names.label(author, view.own).name);
        let beginning = format!("{}: {beginning}", name.unwrap_or_default());
        self.selected = None;
        self.below = 0;
        self.focus_on(Focus::Writing);
        match self.writing.purpose {
            Purpose::Edit(_) => self.writing.begin(Purpose::Reply(view.id, beginning), ""),
            _ => self.writing.turn(Purpose::Reply(view.id, beginning)),
        }
    }

    fn edit(&mut self, view: &MessageView) {
        if !can_be_changed(view) {
            return self.tell(Tone::Doubtful, "only what you wrote on this device can be edited");
        }
        if !self.writing.is_empty() {
            return self.tell(Tone::Doubtful, "send or delete what you have written first");
        }
        let words = view.text.clone().unwrap_or_default();
        self.selected = None;
        self.focus_on(Focus::Writing);
        self.writing.begin(Purpose::Edit(view.id), &words);
    }

    fn send(&mut self, effects: &mut Vec<Effect>) {
        let Some(channel) = self.pointed_channel() else {
            return self.tell(
                Tone::Doubtful,
                "there is no channel to write to yet: F6 joins one by its link",
            );
        };
        if self.writing.is_empty() {
            return;
        }
        if self.open().is_some_and(|open| open.closed) {
            return self.tell(
                Tone::Bad,
                "this device is out of the channel: nothing can be written here",
            );
        }
        if let Some(height) = self.forked_at() {
            return self.tell(
                Tone::Bad,
                format!("sending is paused: two final blocks at height {height}; F3 says more"),
            );
        }
        let words = self.writing.text().trim_end().to_owned();
        let purpose = self.writing.purpose.clone();
        effects.push(Effect::Say(Say::Words(channel, purpose, words)));
        self.writing.clear();
        self.marks.remove(&channel);
        self.notice = None;
        if self.window.as_ref().is_some_and(|window| !window.is_at_end()) {
            self.show_end(effects);
        }
        self.selected = None;
        self.below = 0;
    }

    fn answer(&mut self, effects: &mut Vec<Effect>) {
        match self.over.take() {
            Some(Over::Retract(message)) => effects.push(Effect::Say(Say::Retract(message))),
            Some(Over::Sure(sure)) => effects.push(sure.effect),
            _ => {}
        }
    }

    fn choose(&mut self, effects: &mut Vec<Effect>) {
        if self.place() == Place::Search {
            return self.search_or_go(effects);
        }
        match self.over.take() {
            Some(Over::React(message, typed)) if !typed.trim().is_empty() => {
                self.react(message, typed.trim(), effects);
            }
            Some(Over::Line(wanted, field)) => {
                let typed = Zeroizing::new(field.lines().concat());
                if !typed.trim().is_empty() {
                    self.filled(wanted, typed.trim(), effects);
                }
            }
            other => self.over = other,
        }
    }

    /// A line was filled.
    fn filled(&mut self, wanted: Wanted, typed: &str, effects: &mut Vec<Effect>) {
        match wanted {
            Wanted::Link => {
                self.tell(Tone::Faint, "asking the nodes that the link names");
                effects.push(Effect::Join(Zeroizing::new(typed.to_owned())));
            }
            Wanted::Path => self.attach(typed, effects),
            Wanted::Name(channel) => effects.push(Effect::Group(channel, GroupChange::Rename(typed.to_owned()))),
            Wanted::Found(network) => effects.push(Effect::Found(network, typed.to_owned())),
        }
    }

    /// Sends a file, with what is written, unless that is an answer or an edit.
    fn attach(&mut self, typed: &str, effects: &mut Vec<Effect>) {
        let Some(channel) = self.pointed_channel().filter(|_| !typed.trim().is_empty()) else {
            return;
        };
        if let Some(height) = self.forked_at() {
            let says = format!("sending is paused: two final blocks at height {height}; F3 says more");
            return self.tell(Tone::Bad, says);
        }
        let mut words = String::new();
        if self.writing.purpose == Purpose::Text {
            self.writing.text().trim_end().clone_into(&mut words);
            self.writing.clear();
        }
        self.tell(Tone::Faint, "sealing the file");
        effects.push(Effect::Attach(channel, files::path_of(typed), words));
    }

    fn type_reaction(&mut self, key: KeyEvent, effects: &mut Vec<Effect>) {
        let Some(Over::React(message, typed)) = &mut self.over else {
            return;
        };
        let message = *message;
        let is_plain = (key.modifiers - KeyModifiers::SHIFT).is_empty();
        match key.code {
            KeyCode::Backspace => {
                typed.pop();
            }
            KeyCode::Char(letter) if is_plain => {
                let digit = letter.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
                let chosen = digit.and_then(|digit| REACTIONS.get(digit.checked_sub(1)?));
                match chosen {
                    Some(emoji) if typed.is_empty() => {
                        self.over = None;
                        self.react(message, emoji, effects);
                    }
                    _ if typed.chars().count() < REACTION_LETTERS => typed.push(letter),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// The same reaction once more takes it back.
    fn react(&mut self, message: waxwing_light::MessageId, emoji: &str, effects: &mut Vec<Effect>) {
        let window = self.window.as_ref();
        let view = window.and_then(|window| window.rows().get(window.position(message)?));
        let is_there = view.is_some_and(|view| {
            let mut reactions = view.reactions.iter();
            reactions.any(|reaction| reaction.author.device == self.me.device && reaction.emoji == emoji)
        });
        let emoji = emoji.to_owned();
        effects.push(Effect::Say(if is_there {
            Say::Unreact(message, emoji)
        } else {
            Say::React(message, emoji)
        }));
    }

    fn turn_page(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let (lines, height) = draw::page_size(self);
        let last = lines.saturating_sub(height);
        let page = height.saturating_sub(1).max(1);
        self.scroll = match action {
            Action::Up => self.scroll.saturating_sub(1),
            Action::Down => self.scroll.saturating_add(1),
            Action::PageUp => self.scroll.saturating_sub(page),
            Action::PageDown => self.scroll.saturating_add(page),
            Action::First => 0,
            Action::Last => last,
            Action::Compare => {
                if let Some(Over::Network(network)) = &self.over {
                    effects.push(Effect::Compare(network.clone()));
                }
                self.scroll
            }
            Action::Close => {
                self.over = None;
                0
            }
            Action::Fresh => return self.invite_anew(effects),
            other if self.place() == Place::Person => return self.act_on_person(other, effects),
            other if self.place() == Place::Manners => return self.act_on_manners(other, effects),
            other => return self.act(other, effects),
        }
        .min(last);
    }
}

/// What works wherever somebody is.
const fn is_of_all(action: Action) -> bool {
    matches!(action, Action::Quit | Action::Suspend | Action::Redraw)
}

/// Whether a message says something that can be answered.
pub(super) fn is_standing(view: &MessageView) -> bool {
    view.body == BodyKind::Here && !view.retracted && view.content_id.is_some()
}

/// Whether this device wrote it, and it says something.
fn can_be_changed(view: &MessageView) -> bool {
    view.own && is_standing(view) && matches!(view.kind, Some("text" | "reply"))
}
