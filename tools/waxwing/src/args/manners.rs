//! `waxwing chat receipts|timer`: what this device tells of itself in a channel, and for how long what is written stays.

use clap::{Args, Subcommand, ValueEnum};

use super::Waiting;

/// The verbs about how a channel is used.
#[derive(Subcommand, Debug)]
pub(crate) enum MannerVerb {
    /// Show how far members have come, and choose what you tell them about yourself
    ///
    /// Members' messages carry what their writers had proven, so that yours can be seen by all. With up to eight members
    /// each device tells that as well when it has nothing to say for a while: one sealed entry for everything before it.
    /// Receipts say more, that something was delivered to you and that you have read it; they are off until you choose
    /// them, in each channel.
    Receipts(Receipts),

    /// Show or set after what time messages disappear that are written from then on
    ///
    /// Nodes are asked to drop the sealed bodies, and members' programs forget the words, with them quotations and what
    /// search finds. It binds honest members only: whoever wants to can keep what they have read.
    Timer(Timer),
}

/// `waxwing chat receipts`.
#[derive(Args, Debug)]
pub(crate) struct Receipts {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// Say what was delivered to you and read by you, or stop saying so
    #[arg(value_name = "on|off", hide_possible_values = true)]
    pub(crate) switch: Option<Switch>,

    /// Tell what you hold by yourself: with up to eight members, always, or never
    #[arg(long, value_name = "auto|on|off", hide_possible_values = true)]
    pub(crate) seen: Option<SeenSwitch>,

    /// Tell now what is owed, instead of some time later while the client runs
    #[arg(long)]
    pub(crate) now: bool,
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// By the number of members, on or off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum SeenSwitch {
    /// As long as there are at most eight members.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// `waxwing chat timer`.
#[derive(Args, Debug)]
pub(crate) struct Timer {
    /// The channel: its name, number or id
    pub(crate) channel: String,

    /// The time, or `off`: one of five, so that it tells nodes little
    #[arg(value_name = "1d|7d|30d|365d|off", hide_possible_values = true)]
    pub(crate) time: Option<TimerTime>,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// The times after which messages can disappear.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum TimerTime {
    /// A day.
    #[value(name = "1d")]
    Day,
    /// Seven days.
    #[value(name = "7d")]
    Week,
    /// Thirty days.
    #[value(name = "30d")]
    Month,
    /// 365 days.
    #[value(name = "365d")]
    Year,
    /// Never.
    Off,
}
