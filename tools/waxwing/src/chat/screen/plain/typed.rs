//! What somebody types in the line mode: a message, or a command behind a slash.

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
        "status" => Typed::Status,
        "help" | "?" => Typed::Help,
        "quit" | "exit" => Typed::Quit,
        _ => Typed::Wrong("that is no command: /help lists them; // begins a message with a slash".to_owned()),
    }
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
        assert_eq!(count, 18);
    }
}
