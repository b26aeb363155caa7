//! What the keys do: one table, from which they work and from which the help is written.
//!
//! Everything can be done with the keyboard alone, on terminals without function keys too. A key means something where
//! the person is; what is bound nowhere goes into the text that is being written.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where the person is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Not within a page or a question: wherever the focus is.
    Anywhere,
    /// In the text that is being written.
    Writing,
    /// Among the messages.
    Messages,
    /// Among the channels.
    Channels,
    /// On a page that lies over the screen.
    Page,
    /// Before a question to be answered with yes or no.
    Question,
    /// Choosing a reaction.
    Reaction,
    /// In a line that is being typed.
    Line,
    /// Looking for messages.
    Search,
    /// In the list of those who ask to be let in.
    Requests,
    /// In the list of those who are in a channel.
    Members,
    /// Comparing with somebody.
    Person,
    /// Choosing how a channel is used.
    Manners,
}

impl Place {
    /// In the help.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Anywhere => "Everywhere",
            Self::Writing => "While writing",
            Self::Messages => "Among the messages",
            Self::Channels => "Among the channels",
            Self::Page => "On a page like this one",
            Self::Question => "Before a question",
            Self::Reaction => "Choosing a reaction",
            Self::Line => "In a line to be filled",
            Self::Search => "While searching",
            Self::Requests => "Among those who ask to be let in",
            Self::Members => "Among those who are in a channel",
            Self::Person => "Comparing with somebody",
            Self::Manners => "On the page of a channel",
        }
    }

    /// All places, in the order of the help.
    pub(super) const ALL: [Self; 13] = [
        Self::Writing,
        Self::Messages,
        Self::Channels,
        Self::Anywhere,
        Self::Page,
        Self::Search,
        Self::Members,
        Self::Person,
        Self::Manners,
        Self::Requests,
        Self::Reaction,
        Self::Question,
        Self::Line,
    ];
}

/// What a key does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Quit,
    Suspend,
    Redraw,
    Help,
    Why,
    Network,
    Invite,
    Members,
    Requests,
    Accept,
    Decline,
    Density,
    Join,
    Attach,
    Save,
    Search,
    FocusNext,
    FocusBack,
    ChannelNext,
    ChannelBack,
    Send,
    NewLine,
    ToMessages,
    Leave,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Reply,
    Edit,
    Retract,
    React,
    Retry,
    Whole,
    Open,
    Close,
    Compare,
    Fresh,
    Verify,
    Match,
    Differ,
    Remove,
    Appoint,
    Block,
    Manners,
    Stay,
    Day,
    Week,
    Month,
    Year,
    Receipts,
    SeenBy,
    Rename,
    LeaveChannel,
    Found,
    Yes,
    No,
    Choose,
}

/// A key and what is held down with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chord(pub(super) KeyModifiers, pub(super) KeyCode);

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    /// Where it holds.
    pub(super) place: Place,
    /// Any of these keys.
    pub(super) keys: &'static [Chord],
    /// What they do.
    pub(super) action: Action,
    /// The same in words.
    pub(super) says: &'static str,
}

const fn plain(code: KeyCode) -> Chord {
    Chord(KeyModifiers::NONE, code)
}

const fn letter(letter: char) -> Chord {
    plain(KeyCode::Char(letter))
}

const fn control(letter: char) -> Chord {
    Chord(KeyModifiers::CONTROL, KeyCode::Char(letter))
}

const fn alt(code: KeyCode) -> Chord {
    Chord(KeyModifiers::ALT, code)
}

const fn bind(place: Place, keys: &'static [Chord], action: Action, says: &'static str) -> Binding {
    Binding {
        place,
        keys,
        action,
        says,
    }
}

const UP: &[Chord] = &[plain(KeyCode::Up), letter('k')];
const DOWN: &[Chord] = &[plain(KeyCode::Down), letter('j')];
const PAGE_UP: &[Chord] = &[plain(KeyCode::PageUp)];
const PAGE_DOWN: &[Chord] = &[plain(KeyCode::PageDown)];
const FIRST: &[Chord] = &[plain(KeyCode::Home), letter('g')];
const LAST: &[Chord] = &[plain(KeyCode::End), letter('G')];

/// The table.
pub(super) const BINDINGS: &[Binding] = {
    use Action as A;
    use KeyCode::{BackTab, Delete, Down, Enter, Esc, F, Tab, Up};
    use Place::{
        Anywhere, Channels, Line, Manners, Members, Messages, Page, Person, Question, Reaction, Requests, Search,
        Writing,
    };
    &[
        bind(Writing, &[plain(Enter)], A::Send, "send"),
        bind(
            Writing,
            &[alt(Enter), Chord(KeyModifiers::SHIFT, Enter), control('j')],
            A::NewLine,
            "a new line",
        ),
        bind(
            Writing,
            &[plain(Up)],
            A::ToMessages,
            "with nothing written: to the messages",
        ),
        bind(Writing, &[plain(Esc)], A::Leave, "give up the reply or edit"),
        bind(Messages, UP, A::Up, "the message above"),
        bind(Messages, DOWN, A::Down, "the message below"),
        bind(Messages, FIRST, A::First, "the beginning"),
        bind(Messages, LAST, A::Last, "the end"),
        bind(Messages, &[letter('r')], A::Reply, "reply"),
        bind(Messages, &[letter('+'), letter('a')], A::React, "react"),
        bind(Messages, &[letter('e')], A::Edit, "edit an own message"),
        bind(
            Messages,
            &[letter('d'), plain(Delete)],
            A::Retract,
            "take an own message back",
        ),
        bind(Messages, &[letter('t')], A::Retry, "try a failed message again"),
        bind(Messages, &[letter('f')], A::Attach, "attach a file"),
        bind(Messages, &[letter('s')], A::Save, "save its file here"),
        bind(Messages, &[plain(Enter)], A::Whole, "read all of a long message"),
        bind(Messages, &[letter('w')], A::Why, "every check behind it"),
        bind(Messages, &[letter('n')], A::Network, "the network and its nodes"),
        bind(Messages, &[letter('i')], A::Invite, "invite to this channel"),
        bind(Messages, &[letter('m')], A::Members, "who is in"),
        bind(
            Messages,
            &[letter('c')],
            A::Manners,
            "this channel: timer, receipts, name",
        ),
        bind(Messages, &[letter('v')], A::Density, "calm, detailed, auditor"),
        bind(Messages, &[letter('/')], A::Search, "search all channels"),
        bind(Messages, &[letter('?')], A::Help, "these keys"),
        bind(Messages, &[plain(Esc)], A::Leave, "back to writing"),
        bind(Channels, UP, A::Up, "the channel above"),
        bind(Channels, DOWN, A::Down, "the channel below"),
        bind(Channels, FIRST, A::First, "the first"),
        bind(Channels, LAST, A::Last, "the last"),
        bind(Channels, &[plain(Enter)], A::Open, "write there"),
        bind(Channels, &[letter('i')], A::Invite, "invite to it"),
        bind(Channels, &[letter('m')], A::Members, "who is in"),
        bind(Channels, &[letter('c')], A::Manners, "its timer, receipts and name"),
        bind(Channels, &[letter('o')], A::Join, "join by a link"),
        bind(Channels, &[letter('a')], A::Found, "open a new one"),
        bind(Channels, &[letter('n')], A::Network, "the network and its nodes"),
        bind(Channels, &[letter('?')], A::Help, "these keys"),
        bind(Channels, &[plain(Esc)], A::Leave, "back to writing"),
        bind(Anywhere, &[plain(Tab)], A::FocusNext, "writing, messages, channels"),
        bind(
            Anywhere,
            &[plain(BackTab), Chord(KeyModifiers::SHIFT, BackTab)],
            A::FocusBack,
            "the other way round",
        ),
        bind(Anywhere, &[control('n'), alt(Down)], A::ChannelNext, "the next channel"),
        bind(Anywhere, &[control('p'), alt(Up)], A::ChannelBack, "the channel before"),
        bind(Anywhere, PAGE_UP, A::PageUp, "a page up"),
        bind(Anywhere, PAGE_DOWN, A::PageDown, "a page down"),
        bind(Anywhere, &[plain(F(1))], A::Help, "these keys"),
        bind(Anywhere, &[plain(F(2))], A::Why, "every check behind a message"),
        bind(Anywhere, &[plain(F(3))], A::Network, "the network and its nodes"),
        bind(Anywhere, &[plain(F(4))], A::Invite, "invite: link and QR code"),
        bind(Anywhere, &[plain(F(5))], A::Density, "calm, detailed, auditor"),
        bind(Anywhere, &[plain(F(6))], A::Join, "join by a link"),
        bind(Anywhere, &[plain(F(7))], A::Search, "search all channels"),
        bind(Anywhere, &[plain(F(8))], A::Attach, "attach a file"),
        bind(Anywhere, &[plain(F(9))], A::Members, "who is in this channel"),
        bind(Anywhere, &[plain(F(10))], A::Requests, "who asks to be let in"),
        bind(
            Anywhere,
            &[plain(F(11))],
            A::Manners,
            "this channel: timer, receipts, name",
        ),
        bind(Anywhere, &[plain(F(12))], A::Found, "open a new channel"),
        bind(Page, UP, A::Up, "a line up"),
        bind(Page, DOWN, A::Down, "a line down"),
        bind(Page, PAGE_UP, A::PageUp, "a page up"),
        bind(Page, PAGE_DOWN, A::PageDown, "a page down"),
        bind(Page, FIRST, A::First, "to its top"),
        bind(Page, LAST, A::Last, "to its end"),
        bind(
            Page,
            &[letter('c')],
            A::Compare,
            "on the network's page: ask all nodes now",
        ),
        bind(Page, &[letter('n')], A::Fresh, "on an invitation: another link"),
        bind(Page, &[plain(Esc), letter('q'), plain(Enter)], A::Close, "close"),
        bind(Members, UP, A::Up, "the one above"),
        bind(Members, DOWN, A::Down, "the one below"),
        bind(Members, FIRST, A::First, "the first"),
        bind(Members, LAST, A::Last, "the last"),
        bind(Members, &[plain(Enter), letter('c')], A::Verify, "compare with them"),
        bind(Members, &[letter('a')], A::Appoint, "make an admin, or no more"),
        bind(Members, &[letter('x'), plain(Delete)], A::Remove, "take out"),
        bind(Members, &[letter('b')], A::Block, "block on this device, or no more"),
        bind(Members, &[plain(Esc), letter('q')], A::Close, "close"),
        bind(Person, UP, A::Up, "a line up"),
        bind(Person, DOWN, A::Down, "a line down"),
        bind(Person, PAGE_UP, A::PageUp, "a page up"),
        bind(Person, PAGE_DOWN, A::PageDown, "a page down"),
        bind(Person, &[letter('y')], A::Match, "match"),
        bind(Person, &[letter('n'), plain(Enter)], A::Differ, "don't match"),
        bind(Person, &[plain(Esc), letter('q')], A::Close, "not now"),
        bind(Manners, UP, A::Up, "a line up"),
        bind(Manners, DOWN, A::Down, "a line down"),
        bind(Manners, &[letter('0')], A::Stay, "messages stay"),
        bind(Manners, &[letter('1')], A::Day, "they disappear after a day"),
        bind(Manners, &[letter('2')], A::Week, "after 7 days"),
        bind(Manners, &[letter('3')], A::Month, "after 30 days"),
        bind(Manners, &[letter('4')], A::Year, "after 365 days"),
        bind(Manners, &[letter('r')], A::Receipts, "receipts on or off"),
        bind(Manners, &[letter('s')], A::SeenBy, "telling what you hold"),
        bind(Manners, &[letter('n')], A::Rename, "another name, for all"),
        bind(Manners, &[letter('l')], A::LeaveChannel, "leave the channel"),
        bind(Manners, &[plain(Esc), letter('q'), plain(Enter)], A::Close, "close"),
        bind(Question, &[letter('y')], A::Yes, "yes"),
        bind(Question, &[letter('n'), plain(Esc), plain(Enter)], A::No, "no"),
        bind(
            Reaction,
            &[plain(Enter)],
            A::Choose,
            "the one typed; 1 to 8 choose at once",
        ),
        bind(Reaction, &[plain(Esc)], A::Close, "close"),
        bind(Requests, UP, A::Up, "the one above"),
        bind(Requests, DOWN, A::Down, "the one below"),
        bind(Requests, &[letter('y')], A::Accept, "let in"),
        bind(Requests, &[letter('n')], A::Decline, "say no"),
        bind(Requests, &[plain(Esc), letter('q'), plain(Enter)], A::Close, "close"),
        bind(Search, &[plain(Enter)], A::Choose, "look for it; then go there"),
        bind(Search, &[plain(Up)], A::Up, "the one above"),
        bind(Search, &[plain(Down)], A::Down, "the one below"),
        bind(Search, &[plain(Esc)], A::Close, "close"),
        bind(Line, &[plain(Enter)], A::Choose, "go"),
        bind(Line, &[plain(Esc)], A::Close, "close"),
        bind(Anywhere, &[control('c'), control('q')], A::Quit, "leave"),
        bind(Anywhere, &[control('z')], A::Suspend, "to the shell; `fg` comes back"),
        bind(Anywhere, &[control('l')], A::Redraw, "draw anew"),
    ]
};

/// These work whatever lies over the screen.
const ALWAYS: [Action; 3] = [Action::Quit, Action::Suspend, Action::Redraw];

/// What a key does at a place.
pub(super) fn action(place: Place, key: &KeyEvent) -> Option<Action> {
    let is_over = !matches!(
        place,
        Place::Anywhere | Place::Writing | Place::Messages | Place::Channels
    );
    let chord = chord(key);
    let found = |wanted: Place| {
        let mut bindings = BINDINGS.iter().filter(|binding| binding.place == wanted);
        bindings
            .find(|binding| binding.keys.contains(&chord))
            .map(|binding| binding.action)
    };
    let anywhere = found(Place::Anywhere).filter(|action| !is_over || ALWAYS.contains(action));
    found(place).or(anywhere)
}

/// Terminals differ in whether a capital letter comes with the key that makes it one.
fn chord(key: &KeyEvent) -> Chord {
    let wanted = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
    let held = key.modifiers & wanted;
    match key.code {
        KeyCode::Char(letter) if held.contains(KeyModifiers::CONTROL) => {
            Chord(KeyModifiers::CONTROL, KeyCode::Char(letter.to_ascii_lowercase()))
        }
        KeyCode::Char(letter) => Chord(held - KeyModifiers::SHIFT, KeyCode::Char(letter)),
        code => Chord(held, code),
    }
}

/// A key as people call it.
pub(super) fn name(chord: Chord) -> String {
    let Chord(held, code) = chord;
    let key = match code {
        KeyCode::Char(letter) if held.is_empty() => letter.to_string(),
        KeyCode::Char(letter) => letter.to_ascii_uppercase().to_string(),
        KeyCode::F(number) => format!("F{number}"),
        KeyCode::BackTab => "Shift-Tab".to_owned(),
        KeyCode::PageUp => "PgUp".to_owned(),
        KeyCode::PageDown => "PgDn".to_owned(),
        other => format!("{other:?}"),
    };
    let mut before = String::new();
    for (modifier, word) in [
        (KeyModifiers::CONTROL, "Ctrl-"),
        (KeyModifiers::ALT, "Alt-"),
        (KeyModifiers::SHIFT, "Shift-"),
    ] {
        // The name of Shift-Tab says it.
        if held.contains(modifier) && code != KeyCode::BackTab {
            before.push_str(word);
        }
    }
    before + &key
}

/// The keys of a binding, as people call them.
pub(super) fn names(binding: &Binding) -> String {
    let mut names: Vec<String> = Vec::new();
    for chord in binding.keys {
        let name = name(*chord);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_at_one_place() {
        for (index, one) in BINDINGS.iter().enumerate() {
            for other in BINDINGS.iter().skip(index + 1).filter(|other| other.place == one.place) {
                let both: Vec<_> = one.keys.iter().filter(|chord| other.keys.contains(chord)).collect();
                assert!(
                    both.is_empty(),
                    "{both:?} at {:?}: {:?} and {:?}",
                    one.place,
                    one.action,
                    other.action
                );
            }
        }
    }

    #[test]
    fn every_binding_is_reached_by_each_of_its_keys() {
        for binding in BINDINGS {
            for Chord(held, code) in binding.keys {
                let found = action(binding.place, &KeyEvent::new(*code, *held));
                assert_eq!(found, Some(binding.action), "{} at {:?}", names(binding), binding.place);
            }
        }
    }

    #[test]
    fn letters_are_text_while_writing_and_over_the_screen_nothing_reaches_what_lies_under_it() {
        let letters = ['r', 'k', 'q', '?', 'G'];
        for typed in letters {
            assert_eq!(
                action(Place::Writing, &KeyEvent::from(KeyCode::Char(typed))),
                None,
                "{typed}"
            );
        }
        assert_eq!(action(Place::Question, &KeyEvent::from(KeyCode::F(4))), None);
        assert_eq!(action(Place::Line, &KeyEvent::from(KeyCode::Tab)), None);
        let quit = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(action(Place::Question, &quit), Some(Action::Quit));
    }

    #[test]
    fn a_capital_letter_is_the_same_with_and_without_its_key() {
        let bare = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::NONE);
        let shifted = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(action(Place::Messages, &bare), Some(Action::Last));
        assert_eq!(action(Place::Messages, &shifted), Some(Action::Last));
    }

    #[test]
    fn keys_are_called_what_people_call_them() {
        assert_eq!(name(Chord(KeyModifiers::CONTROL, KeyCode::Char('q'))), "Ctrl-Q");
        assert_eq!(name(Chord(KeyModifiers::ALT, KeyCode::Enter)), "Alt-Enter");
        assert_eq!(name(Chord(KeyModifiers::SHIFT, KeyCode::BackTab)), "Shift-Tab");
        assert_eq!(name(Chord(KeyModifiers::NONE, KeyCode::Char('k'))), "k");
    }
}
