//! What somebody types in the line mode: a message, or a command behind a slash.

use waxwing_core::envelope::KeepFor;

/// A line that was typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Typed {
    /// Nothing.
    Nothing,
    /// A message.
    Text(String),
    /// List the channels.
    Channels,
    /// Open one: its name or number.
    Open(String),
    /// Print the newest so many messages again.
    Read(u32),
    /// Print some before an entry.
    Before(u64),
    /// Answer an entry.
    Reply(u64, String),
    /// Put other words in the place of an entry's.
    Edit(u64, String),
    /// React to an entry.
    React(u64, String),
    /// Take a reaction back.
    Unreact(u64, String),
    /// Take an entry back; whether that was confirmed.
    Retract(u64, bool),
    /// List the checks behind an entry.
    Why(u64),
    /// Print an invitation.
    Invite,
    /// Say who is in.
    Members,
    /// Say who asked to be let in.
    Requests,
    /// Let somebody in: the number of the request.
    Accept(i64),
    /// Tell somebody no.
    Decline(i64),
    /// Send a file.
    Attach(String),
    /// Save the file of an entry.
    Save(u64),
    /// Something about the channel that is open, or somebody in it.
    About(About),
    /// Find messages by their words.
    Search(String),
    /// Join by a link.
    Join(String),
    /// Say what is proven.
    Status,
    /// Say what can be typed.
    Help,
    /// Leave.
    Quit,
    /// Something that is no command: what to type instead.
    Wrong(String),
}

/// What is typed about the open channel and those who are in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// Say what is compared with somebody.
    Compare(String),
    /// It matched.
    Match(String),
    /// It did not.
    Differ(String),
    /// Block somebody on this device, or no more.
    Block(String, bool),
    /// Take somebody out; whether that was confirmed.
    Remove(String, bool),
    /// Make somebody an admin, or no more.
    Admin(String, bool),
    /// Call the channel something else, for all.
    Rename(String),
    /// Leave it; whether that was confirmed.
    Leave(bool),
    /// Say or set after what time messages disappear.
    Timer(Option<KeepFor>),
    /// Say how far members are; turn receipts on or off.
    Receipts(Option<bool>),
    /// Open a new channel beside it.
    New(String),
}

/// What can be typed.
pub(super) const HELP: &str = "\
Type a message and press Enter to send it. A line that begins with a slash is a command; two slashes begin a message
with one. Messages are named by the number in front of them.
/channels             list the channels
/open CHANNEL         write in another one: its name or number
/read COUNT           print the newest messages again
/before NUMBER        print messages before this one
/reply NUMBER WORDS   answer a message
/edit NUMBER WORDS    put other words in the place of your message's
/react NUMBER EMOJI   react; /unreact takes it back
/retract NUMBER       take your message back
/attach FILE          send a file
/save NUMBER          save the file of a message in the folder where this was started
/why NUMBER           every check behind a message
/status               what is proven, and how old that is
/invite               the link that lets somebody in
/join LINK            join a channel, or ask to be let in
/members              who is in the channel
/compare NAME         the digits that you and somebody compare; then /match NAME or /differ NAME
/match NAME           note that they are the same
/differ NAME          say that they are not
/block NAME           show nothing more of somebody on this device; /unblock ends it
/admin NAME           make somebody an admin; /member ends it
/remove NAME          take somebody out
/timer TIME           messages disappear after 1d, 7d, 30d or 365d, or stay: off
/receipts on          say what was delivered to you and read by you; /receipts off ends it; alone, how far members are
/rename NAME          another name for the channel, for all
/leave                leave the channel
/new NAME             open a new channel on the same network
/search WORDS         find messages on this device
/requests             who asks to be let in
/accept NUMBER        let somebody in who asks; /decline says no
/quit                 leave; the end of the input does so too
";

/// Messages that are printed when a channel is opened.
pub(super) const FIRST: u32 = 10;

/// Messages that can be asked for at once.
const READ_MAX: u32 = 1000;

/// Reads a line.
pub(super) fn typed(line: &str) -> Typed {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() {
        return Typed::Nothing;
    }
    let Some(command) = line.strip_prefix('/') else {
        return Typed::Text(line.to_owned());
    };
    if command.starts_with('/') {
        return Typed::Text(command.to_owned());
    }
    let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
    let rest = rest.trim();
    match verb {
        "channels" => Typed::Channels,
        "open" if !rest.is_empty() => Typed::Open(rest.to_owned()),
        "read" if rest.is_empty() => Typed::Read(FIRST),
        "read" => rest.parse().map_or_else(
            |_| wrong("/read COUNT"),
            |count: u32| Typed::Read(count.clamp(1, READ_MAX)),
        ),
        "before" => number(rest).map_or_else(|| wrong("/before NUMBER"), Typed::Before),
        "reply" => two(rest).map_or_else(|| wrong("/reply NUMBER WORDS"), |(at, words)| Typed::Reply(at, words)),
        "edit" => two(rest).map_or_else(|| wrong("/edit NUMBER WORDS"), |(at, words)| Typed::Edit(at, words)),
        "react" => two(rest).map_or_else(|| wrong("/react NUMBER EMOJI"), |(at, emoji)| Typed::React(at, emoji)),
        "unreact" => two(rest).map_or_else(
            || wrong("/unreact NUMBER EMOJI"),
            |(at, emoji)| Typed::Unreact(at, emoji),
        ),
        "retract" => match two(rest) {
            Some((at, word)) if word == "yes" => Typed::Retract(at, true),
            _ => number(rest).map_or_else(|| wrong("/retract NUMBER"), |at| Typed::Retract(at, false)),
        },
        "why" => number(rest).map_or_else(|| wrong("/why NUMBER"), Typed::Why),
        "attach" if !rest.is_empty() => Typed::Attach(rest.to_owned()),
        "attach" => wrong("/attach FILE"),
        "save" => number(rest).map_or_else(|| wrong("/save NUMBER"), Typed::Save),
        "invite" => Typed::Invite,
        "members" => Typed::Members,
        "requests" => Typed::Requests,
        "accept" => rest.parse().map_or_else(|_| wrong("/accept NUMBER"), Typed::Accept),
        "decline" => rest.parse().map_or_else(|_| wrong("/decline NUMBER"), Typed::Decline),
        "join" if !rest.is_empty() => Typed::Join(rest.to_owned()),
        "search" if !rest.is_empty() => Typed::Search(rest.to_owned()),
        "status" => Typed::Status,
        "help" | "?" => Typed::Help,
        "quit" | "exit" => Typed::Quit,
        _ => about(verb, rest),
    }
}

/// Commands about the open channel and those who are in it.
fn about(verb: &str, rest: &str) -> Typed {
    let name = || rest.to_owned();
    let (who, is_sure) = match rest.strip_suffix(" yes") {
        Some(who) => (who.trim().to_owned(), true),
        None => (name(), false),
    };
    Typed::About(match verb {
        "leave" if rest.is_empty() => About::Leave(false),
        "leave" if rest == "yes" => About::Leave(true),
        "leave" => return wrong("/leave"),
        "timer" if rest.is_empty() => About::Timer(None),
        "timer" => match keep_for(rest) {
            Some(keep_for) => About::Timer(Some(keep_for)),
            None => return wrong("/timer 1d, 7d, 30d, 365d or off"),
        },
        "receipts" => match rest {
            "" => About::Receipts(None),
            "on" => About::Receipts(Some(true)),
            "off" => About::Receipts(Some(false)),
            _ => return wrong("/receipts on or off"),
        },
        _ if rest.is_empty() => {
            return Typed::Wrong(
                "that is no command, or something is missing behind it: /help lists them; // begins a message with a slash"
                    .to_owned(),
            );
        }
        "compare" => About::Compare(name()),
        "match" => About::Match(name()),
        "differ" => About::Differ(name()),
        "block" => About::Block(name(), true),
        "unblock" => About::Block(name(), false),
        "admin" => About::Admin(name(), true),
        "member" => About::Admin(name(), false),
        "remove" => About::Remove(who, is_sure),
        "rename" => About::Rename(name()),
        "new" => About::New(name()),
        _ => return Typed::Wrong("that is no command: /help lists them; // begins a message with a slash".to_owned()),
    })
}

fn keep_for(text: &str) -> Option<KeepFor> {
    Some(match text {
        "1d" => KeepFor::Day,
        "7d" => KeepFor::Week,
        "30d" => KeepFor::Month,
        "365d" => KeepFor::Year,
        "off" => KeepFor::Ever,
        _ => return None,
    })
}

fn wrong(form: &str) -> Typed {
    Typed::Wrong(format!("type it as {form}"))
}

fn number(text: &str) -> Option<u64> {
    text.strip_prefix('#').unwrap_or(text).parse().ok()
}

fn two(rest: &str) -> Option<(u64, String)> {
    let (first, rest) = rest.split_once(' ')?;
    let rest = rest.trim();
    (!rest.is_empty())
        .then(|| number(first).map(|at| (at, rest.to_owned())))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_messages_and_commands_begin_with_a_slash() {
        let text = |words: &str| Typed::Text(words.to_owned());
        assert_eq!(typed("the roses are out\n"), text("the roses are out"));
        assert_eq!(typed("//etc is a folder"), text("/etc is a folder"));
        assert_eq!(typed("   \n"), Typed::Nothing);
        assert_eq!(
            typed("/reply 12 so they are"),
            Typed::Reply(12, "so they are".to_owned())
        );
        assert_eq!(typed("/react #12 👍"), Typed::React(12, "👍".to_owned()));
        assert_eq!(typed("/read"), Typed::Read(FIRST));
        assert_eq!(typed("/read 9999999"), Typed::Read(READ_MAX));
        assert_eq!(typed("/retract 12"), Typed::Retract(12, false));
        assert_eq!(typed("/retract 12 yes"), Typed::Retract(12, true));
    }

    #[test]
    fn what_cannot_be_undone_is_typed_twice() {
        let about = |line: &str| match typed(line) {
            Typed::About(about) => about,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(about("/remove bob b."), About::Remove("bob b.".to_owned(), false));
        assert_eq!(about("/remove bob b. yes"), About::Remove("bob b.".to_owned(), true));
        assert_eq!(
            (about("/leave"), about("/leave yes")),
            (About::Leave(false), About::Leave(true))
        );
        assert_eq!(about("/timer 7d"), About::Timer(Some(KeepFor::Week)));
        assert_eq!(about("/receipts off"), About::Receipts(Some(false)));
        assert_eq!(typed("/search the roses"), Typed::Search("the roses".to_owned()));
    }

    #[test]
    fn what_is_no_command_is_never_sent_as_a_message() {
        for line in [
            "/reply",
            "/reply x y",
            "/reply 12",
            "/edit 3 ",
            "/why",
            "/frob",
            "/ hello",
            "/open",
            "/read x",
            "/compare",
            "/timer soon",
            "/receipts maybe",
            "/remove",
            "/leave now",
        ] {
            assert!(matches!(typed(line), Typed::Wrong(_)), "{line}");
        }
    }

    #[test]
    fn every_command_of_the_help_is_one() {
        let commands = HELP
            .lines()
            .filter_map(|line| line.strip_prefix('/')?.split_whitespace().next());
        let mut count = 0;
        for command in commands {
            let forms = [
                format!("/{command}"),
                format!("/{command} 1"),
                format!("/{command} 1 x"),
            ];
            assert!(
                forms.iter().any(|form| !matches!(typed(form), Typed::Wrong(_))),
                "/{command}"
            );
            count += 1;
        }
        assert_eq!(count, 30);
    }
}
