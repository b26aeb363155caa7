//! What happens in a schedule, one thing at a time, by lot.

use std::sync::Arc;

use waxwing_core::limits::DAY_MS;
use waxwing_seal::inbox::Uses;
use waxwing_seal::{ContentId, Kind};

use super::super::*;
use super::liar::Trick;
use super::play::{Asked, Play, Said};
use crate::conversations::Joined;
use crate::error::Error;
use crate::inbox::Inviting;
use crate::store::{Side, messages, networks};

/// As long as everything that a schedule does to its clocks, and more.
pub(super) const INVITING: Inviting = Inviting {
    uses: Uses::new(16).expect("so many may use one"),
    valid_ms: 30 * DAY_MS,
    asks: false,
};

/// A member at a commit of whom the power may go: far enough ahead to meet each.
const COMMITS_TO_A_CUT: usize = 12;

impl Play {
    pub(super) async fn step(&mut self) {
        let who = self.dice.below(self.players.len());
        // While blocks are late, the network and the liar have something to play with.
        if !self.is_ordering() && self.dice.once_in(3) {
            match self.dice.below(3) {
                0 => self.network_moves(),
                _ => self.lie(),
            }
            return;
        }
        match self.dice.below(100) {
            0..38 => self.look(who).await,
            38..52 => self.say(who).await,
            52..57 => self.answer_or_react(who).await,
            57..65 => {
                let who = self.some_admin(who);
                self.change_charter(who).await;
            }
            65..68 => {
                let who = self.some_admin(who);
                self.put_out(who).await;
            }
            68..70 => self.leave(who).await,
            70..73 => self.invite(who).await,
            73..77 => self.ask(who).await,
            77..81 => self.sleep_or_wake(who),
            81..85 => self.pause_or_order(),
            85..91 => self.lie(),
            91..94 => self.nodes_change(who).await,
            94..96 => self.cut_soon(who),
            _ => self.time_goes_on(),
        }
    }

    async fn look(&mut self, who: usize) {
        // Late retries of commits wait for at most two seconds.
        self.pass(2_100);
        if self.players[who].is_online {
            self.refresh(who).await;
        }
    }

    pub(super) async fn say(&mut self, who: usize) {
        let number = self.players[who].said.len();
        let words = format!("{} {number}", self.players[who].name);
        let draft = Draft::text(&words).unwrap();
        self.send(who, words, draft, "certain words").await;
        if self.players[who].is_online && self.dice.once_in(2) {
            self.refresh(who).await;
        }
    }

    async fn send(&mut self, who: usize, words: String, draft: Draft, what: &'static str) {
        let Some(channel) = self.players[who].channel else {
            return;
        };
        let outcome = self.players[who].client().send(channel, draft).await;
        let was_cut = self.players[who].client().core.store().fuse.is_burnt();
        let is_certain = self.judge(who, what, outcome).await.is_some();
        // Whether it was queued before the power went is for the end to show: at most once.
        if is_certain || was_cut {
            self.players[who].said.push(Said { words, is_certain });
        }
    }

    async fn answer_or_react(&mut self, who: usize) {
        let Some(to) = self.some_message(who).await else { return };
        if self.dice.once_in(2) {
            let number = self.players[who].said.len();
            let words = format!("{} {number}, an answer", self.players[who].name);
            let draft = Draft::reply(to, &words).unwrap();
            self.send(who, words, draft, "reply").await;
        } else {
            let Some(channel) = self.players[who].channel else {
                return;
            };
            let draft = Draft::reaction(to, "\u{1f44d}").unwrap();
            let outcome = self.players[who].client().send(channel, draft).await;
            self.judge(who, "react", outcome).await;
        }
    }

    /// A message that somebody has read.
    async fn some_message(&mut self, who: usize) -> Option<ContentId> {
        let channel = self.players[who].channel?;
        let read = self.players[who]
            .client()
            .core
            .read::<_, Error>(move |tx| Ok(messages::from(tx, channel, 0, 1000)?));
        let rows = read.await;
        let rows = self.judge(who, "read", rows).await?;
        let contents: Vec<ContentId> = rows
            .iter()
            .filter_map(|row| row.content.as_ref())
            .filter(|content| matches!(content.kind, Kind::Text(_) | Kind::Reply { .. }))
            .map(|content| content.id)
            .collect();
        self.dice.one_of(&contents).copied()
    }

    /// The founder, or anybody: who is no admin is refused.
    fn some_admin(&mut self, who: usize) -> usize {
        if self.dice.once_in(3) { who } else { 0 }
    }

    /// Renames, or makes somebody an admin or no more. The founder stays one.
    async fn change_charter(&mut self, who: usize) {
        let Some(channel) = self.players[who].channel else {
            return;
        };
        let other = self.dice.below(self.players.len());
        if other == 0 || self.dice.once_in(2) {
            let name = format!("name {}", self.dice.below(1000));
            let outcome = self.players[who].client().rename_group(channel, &name).await;
            self.judge(who, "rename", outcome).await;
        } else {
            let (account, is_admin) = (self.players[other].account, !self.dice.once_in(3));
            let outcome = self.players[who].client().appoint(channel, account, is_admin).await;
            self.judge(who, "appoint", outcome).await;
        }
    }

    async fn put_out(&mut self, who: usize) {
        let other = self.dice.below(self.players.len());
        let Some(channel) = self.players[who].channel else {
            return;
        };
        if other != 0 && other != who {
            let account = self.players[other].account;
            let outcome = self.players[who].client().remove_member(channel, account).await;
            self.judge(who, "remove", outcome).await;
        }
    }

    async fn leave(&mut self, who: usize) {
        let Some(channel) = self.players[who].channel else {
            return;
        };
        if who != 0 {
            let outcome = self.players[who].client().leave_group(channel).await;
            self.judge(who, "leave", outcome).await;
        }
    }

    pub(super) async fn invite(&mut self, who: usize) {
        let Some(channel) = self.players[who].channel else {
            return;
        };
        let outcome = self.players[who].client().invite_to_group(channel, INVITING).await;
        if let Some(invited) = self.judge(who, "invite", outcome).await {
            self.links.push((invited.link.to_string(), who));
        }
        self.refresh(who).await;
    }

    /// Whoever is out, as far as it knows, asks to be let in.
    pub(super) async fn ask(&mut self, who: usize) {
        let player = &self.players[who];
        if player.core_is_cut() || player.is_member().await || (!player.asked.is_empty() && !self.dice.once_in(4)) {
            return;
        }
        let Some((link, inviter)) = self.dice.one_of(&self.links).cloned() else {
            return;
        };
        self.ask_by(who, &link, inviter).await;
    }

    pub(super) async fn ask_by(&mut self, who: usize, link: &str, inviter: usize) {
        if inviter == who {
            return;
        }
        let outcome = self.players[who].client().join(link).await;
        if let Some(Joined::Asked(number)) = self.judge(who, "add: asked", outcome).await {
            self.players[who].asked.push(Asked { number, inviter });
            self.refresh(who).await;
        }
    }

    fn sleep_or_wake(&mut self, who: usize) {
        let is_online = &mut self.players[who].is_online;
        *is_online = !*is_online;
        self.count("offline");
    }

    fn pause_or_order(&mut self) {
        if self.is_ordering() {
            self.set_ordering(false);
            self.count("ordering paused");
            return;
        }
        if self.dice.once_in(2) {
            let dice = &mut self.dice;
            let waiting = self.world.with_pool(|pool| {
                dice.shuffle(pool);
                pool.len()
            });
            if waiting > 1 {
                self.count("pool: shuffled");
            }
        }
        self.world.order();
        self.set_ordering(true);
    }

    /// The liar takes what waits, and gets ahead of it; or what was ordered long ago.
    fn lie(&mut self) {
        let logs = self.liar.logs.clone();
        let waiting = self.world.with_pool(|pool| {
            let ours = pool.iter().filter(|one| logs.contains(&one.signed.header.log));
            ours.cloned().collect::<Vec<_>>()
        });
        let trick = *self.dice.one_of(&Trick::ALL).unwrap();
        if let Some(target) = self.dice.one_of(&waiting).cloned() {
            if self.liar.play(&self.world, &mut self.dice, trick, &target) {
                self.count(trick.name());
                self.count("liar: ahead of its author");
                self.world.with_pool(|pool| pool.rotate_right(1));
            }
            return;
        }
        let Some(log) = self.dice.one_of(&logs) else { return };
        let rows = self.world.log(log);
        let Some(row) = self.dice.one_of(&rows) else { return };
        if self.liar.play(&self.world, &mut self.dice, trick, &row.carried) {
            self.count(trick.name());
        }
    }

    /// What waits is held back, comes late after all, or is lost with the nodes that had it.
    fn network_moves(&mut self) {
        let late = &mut self.liar.late;
        match self.dice.below(5) {
            0..3 => {
                let dice = &mut self.dice;
                let held = self.world.with_pool(|pool| {
                    let at = (!pool.is_empty()).then(|| dice.below(pool.len()));
                    at.map(|at| pool.remove(at))
                });
                if let Some(held) = held {
                    late.push(held);
                    self.count("pool: held back");
                }
            }
            3 => self.release_one(),
            _ => {
                if self.world.lose_pool() > 0 {
                    self.count("pool: lost");
                }
            }
        }
    }

    pub(super) fn release_one(&mut self) {
        let late = &mut self.liar.late;
        if late.is_empty() {
            return;
        }
        let at = self.dice.below(late.len());
        let held = late.swap_remove(at);
        self.world.with_pool(|pool| pool.push(held));
        self.count("pool: late");
    }

    async fn nodes_change(&mut self, who: usize) {
        let lies = [
            Lie::Forgets,
            Lie::Behind,
            Lie::NoEntries,
            Lie::AlteredBodies,
            Lie::NoBodies,
            Lie::SmallPages(1),
        ];
        self.nodes[1].repent();
        if self.dice.once_in(2) {
            self.nodes[1].lie(self.dice.one_of(&lies).unwrap().clone());
            self.count("node lies");
        }
        let node = self.nodes[self.dice.below(2)].address().id();
        let (network, now) = (self.world.network(), self.world.clock.now());
        let core = Arc::clone(&self.players[who].client().core);
        let outcome = core
            .write::<_, Error>(move |tx| Ok(networks::praise(tx, network, node, now + 3_600_000)?))
            .await;
        self.judge(who, "node switched", outcome).await;
        self.refresh(who).await;
    }

    /// The power will go at one of the next commits of this device.
    fn cut_soon(&mut self, who: usize) {
        let number = u32::try_from(1 + self.dice.below(COMMITS_TO_A_CUT)).unwrap();
        let side = if self.dice.once_in(2) {
            Side::Before
        } else {
            Side::After
        };
        self.players[who].client().core.store().fuse.set(number, side);
    }

    fn time_goes_on(&mut self) {
        match self.dice.below(12) {
            0..6 => self.pass(5_000),
            6..9 => self.pass(25_000),
            9..11 => self.pass(700_000),
            // A day: anchors end, and what was lost is signed anew.
            _ => {
                self.pass(i64::try_from(DAY_MS + 3_600_000).unwrap());
                self.world.order_many(64);
                self.count("day");
            }
        }
    }
}
