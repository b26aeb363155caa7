//! How a schedule ends: everything comes back, whatever can still happen happens, and the laws are looked at.

use std::collections::BTreeSet;

use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_core::keys::LogId;
use waxwing_seal::Kind;

use super::laws::{self, Line, Transcript};
use super::play::{Play, Player, is_in};
use crate::groups::GroupView;
use crate::store::messages::{BodyState, State};
use crate::store::{StoreError, messages, outbox};

/// Rounds of everybody after which whatever still moves is stuck.
const ROUNDS_MAX: u32 = 60;

async fn transcript(player: &Player) -> Transcript {
    let Some(channel) = player.channel else {
        return Transcript {
            lines: Vec::new(),
            failed: Vec::new(),
        };
    };
    let rows = player.client().core.read::<_, StoreError>(move |tx| {
        let placed = messages::from(tx, channel, 0, u32::MAX >> 1)?;
        let last = messages::before(tx, channel, None, u32::MAX >> 1)?;
        Ok((placed, last))
    });
    let (placed, last) = rows.await.unwrap();
    let failed = last.iter().filter(|row| row.state == State::Failed);
    Transcript {
        lines: placed.iter().map(line).collect(),
        failed: failed
            .map(|row| words(row).unwrap_or_else(|| format!("{row:?}")))
            .collect(),
    }
}

fn words(row: &messages::Message) -> Option<String> {
    match &row.content.as_ref()?.kind {
        Kind::Text(words) | Kind::Reply { body: words, .. } => Some(words.as_str().to_owned()),
        _ => None,
    }
}

fn line(row: &messages::Message) -> Line {
    let header = &row.signed.as_ref().unwrap().header;
    let event = row.event.as_ref().map(|event| {
        let admins = event.admins.as_ref();
        (
            &event.added,
            &event.removed,
            &event.name,
            admins,
            event.leaving,
            event.epoch,
        )
    });
    let content = row.content.as_ref().map(Encode::to_bytes);
    let devices =
        |members: &[crate::groups::event::MemberId]| members.iter().map(|member| member.device.clone()).collect();
    Line {
        entry: row.entry.unwrap(),
        log: header.log,
        body_hash: header.body_hash,
        seen: format!(
            "{:?} {:?} {:?} {event:?} {content:?}",
            row.body, row.device, row.account
        ),
        words: words(row).zip(row.device.map(|device| device.to_string())),
        added: row
            .event
            .as_ref()
            .map(|event| devices(&event.added))
            .unwrap_or_default(),
        removed: row
            .event
            .as_ref()
            .map(|event| devices(&event.removed))
            .unwrap_or_default(),
        void: (row.body == BodyState::Unopened).then(|| row.reason.clone().unwrap_or_default()),
        is_commit: row.event.as_ref().is_some_and(|event| !event.leaving),
    }
}

impl Play {
    /// Everybody is there again, the nodes are honest, the lines are good.
    pub(super) async fn come_back(&mut self) {
        for node in &self.nodes {
            node.repent();
        }
        while !self.liar.late.is_empty() {
            self.release_one();
        }
        self.set_ordering(true);
        self.world.order();
        for who in 0..self.players.len() {
            self.players[who].is_online = true;
            self.open_again(who).await;
        }
        self.settle().await;
    }

    /// Goes on until nothing moves any more.
    async fn settle(&mut self) {
        let mut moving = String::new();
        for round in 0..ROUNDS_MAX {
            // Long enough for members' waits before they put out who wishes to leave.
            self.pass(if round % 3 == 2 { 25_000 } else { 2_500 });
            for who in 0..self.players.len() {
                self.refresh(who).await;
            }
            moving = self.what_moves().await;
            if moving.is_empty() {
                return;
            }
        }
        panic!("seed {}: stuck: {moving}", self.seed);
    }

    async fn what_moves(&self) -> String {
        let mut moving = String::new();
        let founder = self.players[0].view().await.unwrap();
        for player in &self.players {
            moving += &self.what_waits(player, &founder).await;
            if let Some(view) = player.view().await
                && let Some(what) = what_differs(player, &view, &founder)
            {
                moving += &format!("{} {what}; ", player.name);
            }
        }
        moving
    }

    async fn what_waits(&self, player: &Player, founder: &GroupView) -> String {
        let mut waits = String::new();
        let name = player.name;
        let to_send = player.client().core.read(|tx| outbox::ids(tx)).await.unwrap();
        if !to_send.is_empty() {
            waits += &format!("{name} has {} to send; ", to_send.len());
        }
        if player.is_member().await {
            return waits;
        }
        // Whoever asked somebody who stayed is let in.
        for asked in &player.asked {
            let inviter = &self.players[asked.inviter];
            if is_inside(inviter, founder) && self.never_out(asked.inviter).await {
                let requests = inviter.client().requests().await.unwrap();
                let theirs = requests.iter().filter(|one| one.account == player.account.to_string());
                let states: Vec<_> = theirs.map(|one| one.state).collect();
                waits += &format!("{name} waits for {}, for whom it is {states:?}; ", inviter.name);
            }
        }
        waits
    }

    async fn never_out(&self, who: usize) -> bool {
        let device = &self.players[who].device;
        let all = transcript(&self.players[0]).await;
        !all.lines.iter().any(|line| line.removed.contains(device))
    }

    /// Whoever is out is let in by the founder, and everybody says one last thing.
    pub(super) async fn gather(&mut self) {
        self.invite(0).await;
        self.settle().await;
        let (link, inviter) = self.links.last().unwrap().clone();
        for who in 1..self.players.len() {
            if !self.players[who].is_member().await {
                self.ask_by(who, &link, inviter).await;
            }
        }
        self.settle().await;
        for who in 0..self.players.len() {
            assert!(
                self.players[who].is_member().await,
                "seed {}: {} did not come in",
                self.seed,
                self.players[who].name
            );
            self.say(who).await;
        }
        self.settle().await;
    }

    /// The laws.
    pub(super) async fn check(&mut self, when: &str) {
        let what = format!("seed {}, {when}", self.seed);
        let all = transcript(&self.players[0]).await;
        for player in &self.players {
            let own = transcript(player).await;
            let kept = laws::has_its_runs(&player.device, &own.lines, &all.lines)
                .and_then(|()| laws::keeps_promises(&player.device, &player.said, &own.failed, &all.lines));
            if let Err(breach) = kept {
                panic!("{what}: {}: {breach}", player.name);
            }
        }
        if let Err(breach) = laws::opens_what_is_honest(&self.liar.posted, &all.lines) {
            panic!("{what}: {breach}");
        }
        self.check_seals(&what, &all.lines);
        let looked_at = match self.ratchets.check(&self.world) {
            Ok(looked_at) => looked_at,
            Err(breach) => panic!("{what}: {breach}"),
        };
        if when.ends_with("again") {
            let voids = all.lines.iter().filter(|line| line.void.is_some()).count();
            let commits = all.lines.iter().filter(|line| line.is_commit).count();
            let logs: BTreeSet<LogId> = all.lines.iter().map(|line| line.log).collect();
            let ordered: u64 = logs.iter().map(|log| self.world.length(log)).sum();
            let behind = ordered - u64::try_from(all.lines.len()).unwrap();
            *self.tally.entry("ratchet keys looked at").or_default() += looked_at.keys;
            *self.tally.entry("changes at once").or_default() += looked_at.races;
            for (name, count) in [("void entries", voids), ("commit true", commits)] {
                *self.tally.entry(name).or_default() += u32::try_from(count).unwrap();
            }
            *self.tally.entry("entries behind a commit").or_default() += u32::try_from(behind).unwrap();
        }
    }

    /// No node was ever shown two bodies for one message of one epoch; and in the epoch that goes on, whatever was shown is on
    /// the ledger.
    fn check_seals(&self, what: &str, all: &[Line]) {
        let shown = self.shown.lock().unwrap();
        for ((log, _), bodies) in shown.iter() {
            assert_eq!(bodies.len(), 1, "{what}: sealed twice for {log:?}");
        }
        let Some(open) = all.last().map(|line| line.log) else {
            return;
        };
        for ((_, _), bodies) in shown.iter().filter(|((log, _), _)| *log == open) {
            let stands = |body: &Hash| all.iter().any(|line| line.log == open && line.body_hash == *body);
            let is_over = all.iter().rposition(|line| line.is_commit) == Some(all.len() - 1);
            assert!(
                is_over || bodies.iter().all(stands),
                "{what}: a body was shown and never came"
            );
        }
    }
}

fn is_inside(player: &Player, founder: &GroupView) -> bool {
    founder.members.iter().any(|member| member.device == player.device)
}

fn what_differs(player: &Player, view: &GroupView, founder: &GroupView) -> Option<String> {
    let is_member = is_in(view);
    if view.standing == "stranded" || is_member != is_inside(player, founder) {
        return Some(format!("is {} and does not know", view.standing));
    }
    if !is_member {
        return None;
    }
    if view.authenticator != founder.authenticator {
        return Some(format!("is in epoch {} of {}", view.epoch, founder.epoch));
    }
    let is_quiet = view.changes_waiting == 0 && view.members.iter().all(|member| !member.leaving);
    (!is_quiet).then(|| format!("wants {} changes, or sees somebody leaving", view.changes_waiting))
}
