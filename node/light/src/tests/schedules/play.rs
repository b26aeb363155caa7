//! The people of a schedule, what each of them said, and how anything that one of them does is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use waxwing_core::Hash;
use waxwing_core::codec::Decode;
use waxwing_core::envelope::Envelope;
use waxwing_core::keys::LogId;
use waxwing_net::wire::Request;
use waxwing_seal::group::GroupError;

use super::super::groups::group;
use super::super::*;
use super::Tally;
use super::liar::Liar;
use super::ratchets::{self, Ratchets};
use crate::clock::Clock;
use crate::error::Error;
use crate::groups::GroupView;
use crate::store::inboxes::AskedState;

/// Three to eight of them; the first founds the group, is never put out, and so has read everything.
pub(super) const NAMES: [&str; 8] = ["Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hal"];

/// How a play of so many is counted.
const SIZES: [&str; 6] = ["3 people", "4 people", "5 people", "6 people", "7 people", "8 people"];

/// Machines may be busy: nobody gives up early. What is not included in time is soon given to another node.
const PACE: Pace = Pace {
    connect: Duration::from_secs(20),
    answer: Duration::from_secs(20),
    inclusion: Duration::from_millis(20),
    compare: Duration::from_secs(20),
    telling: Duration::from_secs(3600),
};

/// A generator that a seed repeats (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(super) fn once_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() {
            return None;
        }
        all.get(self.below(all.len()))
    }

    pub(super) fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            let other = self.below(last + 1);
            all.swap(last, other);
        }
    }
}

/// Words, and whether they were promised to be sent.
pub(super) struct Said {
    pub(super) words: String,
    pub(super) is_certain: bool,
}

/// A request to be let in, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) number: i64,
    pub(super) inviter: usize,
}

/// Somebody in a schedule.
pub(super) struct Player {
    pub(super) person: Person,
    pub(super) name: &'static str,
    pub(super) device: String,
    pub(super) account: waxwing_seal::identity::AccountId,
    pub(super) channel: Option<ChannelId>,
    pub(super) is_online: bool,
    pub(super) said: Vec<Said>,
    /// Requests that no answer came to: whoever is let in by one needs no other.
    pub(super) asked: Vec<Asked>,
}

impl Player {
    pub(super) fn client(&self) -> &Client {
        &self.person.client
    }

    /// The group as this device sees it; none before it was let in.
    pub(super) async fn view(&self) -> Option<GroupView> {
        self.client().group(self.channel?).await.unwrap()
    }

    /// Whether the power is off.
    pub(super) fn core_is_cut(&self) -> bool {
        self.client().core.store().fuse.is_burnt()
    }

    pub(super) async fn is_member(&self) -> bool {
        self.view().await.is_some_and(|view| is_in(&view))
    }
}

/// Whether a device is in, as far as it knows. A copy of a commit that its liar posted leaves it in doubt until somebody
/// writes.
pub(super) fn is_in(view: &GroupView) -> bool {
    ["member", "in-doubt"].contains(&view.standing)
}

/// Which bodies were shown to nodes under which erasure commitment: what was sealed twice in one epoch has two.
pub(super) type Shown = Arc<Mutex<BTreeMap<(LogId, Hash), BTreeSet<Hash>>>>;

pub(super) struct Play {
    pub(super) seed: u64,
    pub(super) dice: Dice,
    pub(super) world: Arc<World>,
    /// One that is honest, and one that sometimes is not.
    pub(super) nodes: [TestNode; 2],
    pub(super) players: Vec<Player>,
    /// Links to the group, and who made them.
    pub(super) links: Vec<(String, usize)>,
    pub(super) liar: Liar,
    pub(super) shown: Shown,
    pub(super) ratchets: Ratchets,
    is_ordering: bool,
    /// By how much all clocks are ahead.
    ahead: i64,
    pub(super) tally: Tally,
}

impl Play {
    pub(super) async fn begin(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let world = World::new("test");
        let nodes = [TestNode::honest(&world), TestNode::honest(&world)];
        let count = 3 + dice.below(6);
        let inside = 2 + dice.below(count - 1);
        let (shown, ratchets) = (Shown::default(), Ratchets::default());
        for node in &nodes {
            overhear(node, &world, &shown, &ratchets);
        }
        let members = group(&world, &nodes[0], &NAMES[..inside]).await;
        let mut people: Vec<_> = members
            .into_iter()
            .map(|member| (member.person, Some(member.channel)))
            .collect();
        for name in &NAMES[inside..count] {
            people.push((Person::on(name, &world, &[&nodes[0]]).await, None));
        }
        let mut players = Vec::new();
        for ((person, channel), name) in people.into_iter().zip(NAMES) {
            person
                .client
                .add_node(world.network(), nodes[1].address())
                .await
                .unwrap();
            let account = person.client.account().await.unwrap();
            players.push(Player {
                person,
                name,
                device: account.device.to_string(),
                account: account.id,
                channel,
                is_online: true,
                said: Vec::new(),
                asked: Vec::new(),
            });
        }
        let mut play = Self {
            seed,
            dice,
            world,
            nodes,
            players,
            links: Vec::new(),
            liar: Liar::default(),
            shown,
            ratchets,
            is_ordering: true,
            ahead: 0,
            tally: Tally::new(),
        };
        play.count(SIZES[count - 3]);
        for who in 0..count {
            play.open_again(who).await;
        }
        play
    }

    pub(super) fn tally(self) -> Tally {
        self.tally
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    /// Everybody's clock goes on.
    pub(super) fn pass(&mut self, ms: i64) {
        self.ahead += ms;
        self.world.clock.shift(ms);
        for player in &self.players {
            player.client().clock().shift(ms);
        }
    }

    pub(super) const fn is_ordering(&self) -> bool {
        self.is_ordering
    }

    pub(super) fn set_ordering(&mut self, is_ordering: bool) {
        self.is_ordering = is_ordering;
        self.world.set_ordering(is_ordering);
    }

    /// The program ends and starts again, on the same home.
    pub(super) async fn open_again(&mut self, who: usize) {
        let mut options = options(self.players[who].person.home.path());
        options.pace = PACE;
        options.clock = Clock::shifted(self.ahead);
        self.players[who].person.client = Client::open(options).await.unwrap();
    }

    /// Judges what came of something: done, refused for a good reason, or cut off. Anything else is a failure.
    pub(super) async fn judge<T>(&mut self, who: usize, what: &'static str, outcome: Result<T, Error>) -> Option<T> {
        let (seed, name) = (self.seed, self.players[who].name);
        if self.players[who].client().core.store().fuse.is_burnt() {
            self.count("cut");
            self.open_again(who).await;
            return outcome.ok();
        }
        match outcome {
            Ok(done) => {
                self.count(what);
                Some(done)
            }
            Err(Error::NotAMember | Error::NotAnAdmin | Error::NoAdmin | Error::Group(GroupError::NotAMember)) => {
                self.count("refused");
                None
            }
            Err(error) => panic!("seed {seed}: {what} at {name}: {error:?}"),
        }
    }

    /// One round with a node; and what it brought.
    pub(super) async fn refresh(&mut self, who: usize) {
        let outcome = self.players[who].client().refresh().await;
        self.judge(who, "refresh", outcome).await;
        self.look_who_is_in(who).await;
        self.liar.learn(&self.players[who]).await;
        self.ratchets.learn(&self.players[who]).await;
    }

    async fn look_who_is_in(&mut self, who: usize) {
        if self.players[who].asked.is_empty() {
            return;
        }
        let views = self.players[who].client().asked().await.unwrap();
        for asked in std::mem::take(&mut self.players[who].asked) {
            let view = views.iter().find(|view| view.id == asked.number).unwrap();
            match view.state {
                AskedState::Joined => {
                    self.players[who].channel = view.channel;
                    self.players[who].asked.clear();
                    self.count("add: let in");
                    return;
                }
                AskedState::Failed | AskedState::Declined => self.count("add: in vain"),
                AskedState::Asking | AskedState::Asked => self.players[who].asked.push(asked),
            }
        }
    }
}

/// Notes what a node is shown of bodies that can be erased.
fn overhear(node: &TestNode, world: &World, shown: &Shown, ratchets: &Ratchets) {
    let (shown, keys) = (Arc::clone(shown), world.keys.clone());
    ratchets::overhear(node, &ratchets.heard, move |request| {
        let Request::Submit { envelopes, .. } = request else {
            return;
        };
        for bytes in envelopes.iter() {
            let header = Envelope::from_bytes(bytes).unwrap().signed.header;
            assert_ne!(header.body_hash, keys.network(), "a hash is no network");
            let mut shown = shown.lock().unwrap();
            shown
                .entry((header.log, header.erasure))
                .or_default()
                .insert(header.body_hash);
        }
    });
}
