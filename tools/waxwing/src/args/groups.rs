//! `waxwing chat invite|join|members ...`: who is in, and how somebody gets in.

use clap::{Args, Subcommand, ValueEnum};
use waxwing_light::HistoryRule;

/// The verbs about who is in a channel.
#[derive(Subcommand, Debug)]
pub(crate) enum GroupVerb {
    /// Print a link that lets somebody in
    ///
    /// Whoever has the link can ask, and is let in as soon as a member is connected; with --ask this person is asked
    /// first. Of a channel that was opened with --by-link it is the channel's own link: whoever has it reads and writes.
    Invite(Invite),

    /// Ask to be let in by a link, and wait for the answer
    Join(Join),

    /// Add somebody you know to a channel, with all their devices; they are asked first
    ///
    /// Whom you let in by a link, or who let you in by theirs, can be added to other channels without another link: with the
    /// keys that their devices have published.
    Add(Add),

    /// List who asked to be let in, and who invites you
    Requests,

    /// Let somebody in who asked, or come in where somebody invites you
    Accept {
        /// The number of the request, as `chat requests` prints it
        request: i64,

        #[command(flatten)]
        settling: Settling,
    },

    /// Tell somebody no who asked, or delete an invitation
    Decline {
        /// The number of the request, as `chat requests` prints it
        request: i64,

        #[command(flatten)]
        settling: Settling,
    },

    /// List where this device asked to be let in, and what came of it
    Asked,

    /// List the members of a channel
    Members {
        /// The channel: its name, number or id [default: the only one]
        channel: Option<String>,
    },

    /// Take somebody out of a channel, with all their devices; admins only
    ///
    /// What is said afterwards they cannot read. What they have read they keep.
    Remove(Remove),

    /// Let somebody remove, rename and appoint, or no more; admins only
    Role(Role),

    /// Leave a channel; its members see that
    ///
    /// The next member who is connected makes it true; until then this device reads along. What was read stays here until
    /// `chat forget` deletes it.
    Leave(Leave),

    /// Show or set what newcomers are told of what was said before they came; setting it is for admins
    ///
    /// Whoever lets somebody in tells them, or another member does: the newest messages, up to 500, as they stand then, but for
    /// what was taken back or is to disappear. Newcomers see who tells it, and can prove nothing of it. Of what is said while
    /// it is `none`, as in every new channel, newcomers are told nothing, whatever is chosen later.
    History(History),

    /// Call a channel something else for all its members, admins only; or on this device alone
    Rename(Rename),
}

/// How long to wait for a change of a group.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Settling {
    /// Do not wait: it goes out with the next command that connects
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// Give up waiting after so many seconds; it goes on whenever the client runs
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) timeout: u64,
}

/// `waxwing chat invite`.
#[derive(Args, Debug)]
pub(crate) struct Invite {
    /// The channel: its name, number or id [default: the only one]
    pub(crate) channel: Option<String>,

    /// As a QR code to be scanned, above the link
    #[arg(long)]
    pub(crate) qr: bool,

    /// How many may come in by this link
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) uses: u32,

    /// For how long it lets somebody in: a number of days, hours or minutes, as 7d, 12h, 30m
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = duration_ms)]
    pub(crate) valid: u64,

    /// Ask this person before anybody comes in: `chat requests` lists who waits
    #[arg(long)]
    pub(crate) ask: bool,

    /// A link to this person instead of to a channel: whoever has it can ask to write to them, and is always asked about
    #[arg(long)]
    pub(crate) me: bool,

    /// Stay connected until as many are in as the link lets in; Ctrl-C ends sooner
    #[arg(long)]
    pub(crate) wait: bool,

    /// Let nobody in any more by earlier links: to this channel, or with --me to this person
    #[arg(long, conflicts_with_all = ["qr", "uses", "valid", "ask", "wait"])]
    pub(crate) revoke: bool,

    /// List the links that still let somebody in, to whatever channel, without showing them
    #[arg(long, conflicts_with_all = ["channel", "qr", "uses", "valid", "ask", "me", "wait", "revoke"])]
    pub(crate) list: bool,

    /// Print a link that was made before once more, by its number in --list
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["channel", "uses", "valid", "ask", "me", "wait", "revoke", "list"])]
    pub(crate) again: Option<i64>,
}

/// `waxwing chat add`.
#[derive(Args, Debug)]
pub(crate) struct Add {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// Who: a contact's name or number, or their account in any form
    pub(crate) who: String,

    /// Take devices out and in again that are in already: for one that cannot follow the channel any more
    #[arg(long)]
    pub(crate) afresh: bool,

    #[command(flatten)]
    pub(crate) settling: Settling,
}

/// `waxwing chat join`.
#[derive(Args, Debug)]
pub(crate) struct Join {
    /// The link, in quotes; `-` reads it from standard input, where no list of processes shows it
    pub(crate) link: String,

    /// What members see as your name
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// A few words to whoever lets people in
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) note: String,

    /// Wait so many seconds for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) wait: u64,

    /// Do not wait: the request goes out with the next command that connects
    #[arg(long, conflicts_with = "wait")]
    pub(crate) no_wait: bool,
}

/// `waxwing chat remove`.
#[derive(Args, Debug)]
pub(crate) struct Remove {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// Who: their name, or their account or one of their devices in any form
    pub(crate) who: String,

    #[command(flatten)]
    pub(crate) settling: Settling,
}

/// `waxwing chat role`.
#[derive(Args, Debug)]
pub(crate) struct Role {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// Who: their name, or their account or one of their devices in any form
    pub(crate) who: String,

    /// What they are from then on
    #[arg(value_name = "admin|member", hide_possible_values = true)]
    pub(crate) role: MemberRole,

    #[command(flatten)]
    pub(crate) settling: Settling,
}

/// What a member may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum MemberRole {
    /// Remove, rename and appoint.
    Admin,
    /// Read, write, and let people in.
    Member,
}

/// `waxwing chat leave`.
#[derive(Args, Debug)]
pub(crate) struct Leave {
    /// The channel: its name, number or id [default: the only one]
    pub(crate) channel: Option<String>,

    #[command(flatten)]
    pub(crate) settling: Settling,
}

/// `waxwing chat history`.
#[derive(Args, Debug)]
pub(crate) struct History {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// Nothing, everything, or a number of days before they came, as 30d
    #[arg(value_name = "none|all|DAYS", value_parser = history_rule)]
    pub(crate) rule: Option<HistoryRule>,

    #[command(flatten)]
    pub(crate) settling: Settling,
}

/// What newcomers are told, as somebody types it.
fn history_rule(text: &str) -> Result<HistoryRule, String> {
    match text {
        "none" => return Ok(HistoryRule::Nothing),
        "all" => return Ok(HistoryRule::All),
        _ => {}
    }
    let days = text.strip_suffix('d').unwrap_or(text).parse();
    let rule = days.ok().filter(|days| *days > 0).and_then(HistoryRule::from_number);
    rule.filter(|rule| matches!(rule, HistoryRule::Days(_)))
        .ok_or_else(|| "none, all, or days from 1d to 3650d: 30d".to_owned())
}

/// `waxwing chat rename`.
#[derive(Args, Debug)]
pub(crate) struct Rename {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// The new name
    pub(crate) name: String,

    /// On this device alone: nobody else sees it
    #[arg(long)]
    pub(crate) here: bool,

    #[command(flatten)]
    pub(crate) settling: Settling,
}

/// A time that somebody types, in ms.
fn duration_ms(text: &str) -> Result<u64, String> {
    const WRONG: &str = "a number and one of d, h, m: 7d, 12h, 30m";
    let Some((last, _)) = text.char_indices().next_back() else {
        return Err(WRONG.to_owned());
    };
    let (number, unit) = text.split_at(last);
    let unit_ms = match unit {
        "d" => 24 * 60 * 60 * 1000,
        "h" => 60 * 60 * 1000,
        "m" => 60 * 1000,
        _ => return Err(WRONG.to_owned()),
    };
    let number: u32 = number.parse().map_err(|_| WRONG.to_owned())?;
    if number == 0 {
        return Err("at least a minute: 1m".to_owned());
    }
    Ok(u64::from(number).saturating_mul(unit_ms))
}

#[cfg(test)]
mod tests {
    use super::{HistoryRule, duration_ms, history_rule};

    #[test]
    fn what_newcomers_are_told_is_nothing_all_or_days() {
        assert_eq!(history_rule("none"), Ok(HistoryRule::Nothing));
        assert_eq!(history_rule("all"), Ok(HistoryRule::All));
        assert_eq!(history_rule("30d"), Ok(HistoryRule::Days(30)));
        assert_eq!(history_rule("3650"), Ok(HistoryRule::Days(3650)));
        for wrong in ["", "0", "0d", "3651d", "-1", "7w", "4294967295", "99999999999", "ALL"] {
            assert!(history_rule(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_read_in_days_hours_and_minutes_and_nothing_else_is() {
        assert_eq!(duration_ms("7d"), Ok(604_800_000));
        assert_eq!(duration_ms("12h"), Ok(43_200_000));
        assert_eq!(duration_ms("30m"), Ok(1_800_000));
        for wrong in ["", "d", "7", "7w", "-1d", "1.5h", "0m", "7d7", "é", "99999999999d"] {
            assert!(duration_ms(wrong).is_err(), "{wrong}");
        }
    }
}
