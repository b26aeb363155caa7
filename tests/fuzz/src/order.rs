//! What validators say to each other, and the host that listens to them.
//!
//! The script holds the keys of everybody but the host: it may sign any proposal and vote in their names, collect them,
//! let timers run out or not, answer or not, and pull the plug at any moment, which loses what was not flushed. Whatever
//! it does, the host does not panic and does not stop; what it signs is written down and durable before it leaves; it never
//! says two things for one step, not even across restarts; it decides a height once, by a certificate that counts; and
//! whom it accuses has done it.

use std::collections::BTreeMap;
use std::sync::Arc;

use waxwing_core::block::BlockHeader;
use waxwing_core::certificate::VoteKind;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::committee::Committee;
use waxwing_core::evidence::Evidence;
use waxwing_core::genesis::{Genesis, Parameters};
use waxwing_core::hash::{Hash, HashKeys};
use waxwing_core::keys::{Signature, ValidatorId, VoteKey};
use waxwing_order::{
    Guard, Host, Input, Message, Output, Polka, Proposal, Record, RoundCertificate, RoundKind, RoundVote, Settings,
    Timer, TimerKind, Vote,
};

use crate::golden::GOLDEN;
use crate::script::{Script, seed};
use crate::values::{again, answered};

/// Moves of one script, and heights it may reach.
const MOVES: usize = 120;
const HEIGHTS: u64 = 3;

/// Rounds, salts of blocks: few, so that what is said meets what was said.
const ROUNDS: u32 = 4;
const SALTS: u64 = 3;

/// Plays one input: a decoder and its bytes, or a game with a host in a committee of one or four.
pub fn run(data: &[u8]) {
    let Some((chosen, bytes)) = data.split_first() else {
        return;
    };
    match chosen % 7 {
        0 => message(bytes),
        1 => answered(again::<Record>(bytes)),
        2 => answered(again::<Guard>(bytes)),
        #[cfg(not(test))]
        3 => crate::frames::frame(bytes),
        #[cfg(not(test))]
        4 => crate::frames::journal(bytes),
        game => {
            let mut script = Script::new(bytes);
            let member = script.place(4);
            let mut play = if game == 5 {
                Play::new(4, member)
            } else {
                Play::new(1, 0)
            };
            play.begin();
            for _ in 0..MOVES {
                if script.is_over() || play.height > HEIGHTS {
                    return;
                }
                play.one_move(&mut script);
            }
        }
    }
}

fn message(bytes: &[u8]) {
    if let Some(message) = again::<Message>(bytes) {
        answered((message.height(), message.round(), message.validator(), message.votes()));
    }
}

/// Who is who.
struct Table {
    genesis: Genesis,
    hashes: HashKeys,
    committee: Arc<Committee>,
    keys: Vec<VoteKey>,
}

impl Table {
    fn new(validators: u8) -> Self {
        let mut keys: Vec<VoteKey> = (1..=validators).map(|seed| VoteKey::from_seed(&[seed; 32])).collect();
        keys.sort_by_key(VoteKey::public);
        let members = keys.iter().map(VoteKey::public).collect();
        let genesis = Genesis::new("table", 1_000, Parameters::DEFAULT, members).expect("sound facts");
        Self {
            hashes: genesis.keys(),
            committee: Arc::new(genesis.committee()),
            genesis,
            keys,
        }
    }

    fn id(&self, member: usize) -> ValidatorId {
        self.keys[member].public()
    }

    fn header(&self, height: u64, member: usize, salt: u64) -> BlockHeader {
        BlockHeader {
            height,
            parent: self.genesis.block().id(&self.hashes),
            time: 2_000 + salt,
            proposer: self.id(member),
            ..self.genesis.block()
        }
    }
}

/// One step in which something is signed once.
type StepOf = (u64, u32, u8);

/// A host, what it was asked and has done, and what would survive a crash.
struct Play {
    table: Table,
    me: usize,
    host: Host,
    height: u64,
    /// Before anything of this height was signed.
    guard: Guard,
    /// The journal of this height, and how much of it is durable.
    journal: Vec<Record>,
    durable: usize,
    timers: Vec<Timer>,
    proposals: Vec<u32>,
    judgements: Vec<Hash>,
    /// Blocks that were said to be valid: that does not change.
    valid: Vec<Hash>,
    /// What left the machine.
    said: BTreeMap<StepOf, Vec<u8>>,
    published: Vec<Message>,
}

impl Play {
    fn new(validators: u8, me: usize) -> Self {
        let table = Table::new(validators);
        Self {
            host: Host::new(
                table.genesis.network(),
                clone_of(&table.keys[me]),
                Settings::DEFAULT,
                Guard::default(),
            ),
            table,
            me,
            height: 1,
            guard: Guard::default(),
            journal: Vec::new(),
            durable: 0,
            timers: Vec::new(),
            proposals: Vec::new(),
            judgements: Vec::new(),
            valid: Vec::new(),
            said: BTreeMap::new(),
            published: Vec::new(),
        }
    }

    fn begin(&mut self) {
        let members = self.table.committee.members().to_vec();
        let recovered = self.journal.clone();
        let outputs = self
            .host
            .begin(self.height, &self.table.committee, &members, &recovered);
        self.carry_out(outputs);
    }

    /// The plug is pulled, and a machine starts with what is durable and perhaps a little more.
    fn crash(&mut self, script: &mut Script<'_>) {
        let kept = self.durable + script.place(self.journal.len() - self.durable + 1);
        self.journal.truncate(kept);
        self.durable = kept;
        self.timers.clear();
        self.proposals.clear();
        self.judgements.clear();
        let key = clone_of(&self.table.keys[self.me]);
        self.host = Host::new(self.table.genesis.network(), key, Settings::DEFAULT, self.guard);
        self.begin();
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Record(record) => {
                    assert_eq!(record.height(), self.height, "a record of another height");
                    self.journal.push(record);
                }
                Output::Flush => self.durable = self.journal.len(),
                Output::Publish(message) => self.publish(message),
                Output::Set(timer, _) => self.timers.push(timer),
                Output::Cancel(timer) => self.timers.retain(|other| *other != timer),
                Output::Propose { height, round, .. } => {
                    assert_eq!(height, self.height);
                    self.proposals.push(round);
                }
                Output::Judge { header, id, .. } => {
                    assert_eq!((header.height, header.id(&self.table.hashes)), (self.height, id));
                    self.judgements.push(id);
                }
                Output::Decided {
                    header,
                    id,
                    certificate,
                } => {
                    assert_eq!(header.id(&self.table.hashes), id);
                    let network = self.table.genesis.network();
                    assert_eq!(
                        certificate.verify(&self.table.committee, network, self.height, id),
                        Ok(())
                    );
                    return self.next_height();
                }
                Output::Equivocation(votes) => {
                    assert_ne!(votes.validator, self.table.id(self.me), "accuses itself");
                    let evidence = Evidence::TwoVotes(votes);
                    assert_eq!(evidence.verify(&self.table.hashes, &self.table.committee), Ok(()));
                }
                Output::SitOut { .. } => panic!("its own journal was found to contradict itself"),
                Output::Stop(reason) => panic!("stopped: {reason:?}"),
            }
        }
    }

    /// What is ours and leaves the machine is written down and durable, and the only thing said for its step.
    fn publish(&mut self, message: Message) {
        let me = self.table.id(self.me);
        let (step, record, bytes) = match &message {
            Message::Vote(vote) => {
                assert_eq!(vote.validator, me, "a vote in another's name");
                let kind = 1 + u8::from(vote.kind == VoteKind::Precommit);
                (
                    (vote.height, vote.round, kind),
                    Record::Vote(vote.clone()),
                    vote.to_bytes(),
                )
            }
            Message::Proposal(proposal) => {
                assert_eq!(proposal.validator, me, "a proposal in another's name");
                let record = Record::Proposal(proposal.clone());
                ((proposal.header.height, proposal.round, 0), record, proposal.to_bytes())
            }
            Message::Polka(_) | Message::Round(_) => return,
        };
        assert!(
            self.journal[..self.durable].contains(&record),
            "left before it was durable: {message:?}"
        );
        let before = self.said.insert(step, bytes.clone());
        assert!(
            before.is_none_or(|before| before == bytes),
            "said two things for one step: {message:?}"
        );
        self.published.push(message);
    }

    fn next_height(&mut self) {
        self.height += 1;
        self.guard = self.host.signed();
        self.journal.clear();
        self.durable = 0;
        self.timers.clear();
        self.proposals.clear();
        self.judgements.clear();
        if self.height <= HEIGHTS {
            self.begin();
        }
    }

    fn tell(&mut self, input: Input) {
        let outputs = self.host.on(input);
        self.carry_out(outputs);
    }

    fn one_move(&mut self, script: &mut Script<'_>) {
        match script.byte() % 12 {
            0 | 1 => self.hear_proposal(script),
            2..=4 => {
                let vote = self.vote(script);
                self.tell(Input::Message(Message::Vote(vote)));
            }
            5 => self.hear_collected(script),
            6 => self.time_out(script),
            7 => {
                if let Some(round) = self.proposals.pop() {
                    let header = self.table.header(self.height, self.me, script.below(SALTS));
                    self.tell(Input::Proposed {
                        round,
                        header: Box::new(header),
                    });
                }
            }
            8 => self.judge(script),
            9 => self.crash(script),
            10 => self.hear_again(script),
            _ => {
                let length = script.place(600);
                if let Ok(message) = Message::from_bytes(script.bytes(length)) {
                    self.tell(Input::Message(message));
                }
            }
        }
    }

    /// Somebody else, if there is anybody.
    fn another(&self, script: &mut Script<'_>) -> usize {
        let all = self.table.keys.len();
        let member = script.place(all);
        if member == self.me && all > 1 {
            (member + 1) % all
        } else {
            member
        }
    }

    fn round(script: &mut Script<'_>) -> u32 {
        match script.byte() {
            255 => u32::MAX - 1,
            254 => 1_000,
            byte => u32::from(byte) % ROUNDS,
        }
    }

    fn any_height(&self, script: &mut Script<'_>) -> u64 {
        match script.byte() {
            0..=229 => self.height,
            230..=245 => self.height + 1,
            246..=250 => self.height + 2,
            251..=253 => self.height - 1,
            254 => 0,
            255 => u64::MAX,
        }
    }

    fn hear_proposal(&mut self, script: &mut Script<'_>) {
        let member = self.another(script);
        if member == self.me {
            return;
        }
        let author = if script.byte() < 200 {
            member
        } else {
            script.place(self.table.keys.len())
        };
        let header = self.table.header(self.any_height(script), author, script.below(SALTS));
        let mut proposal = Proposal {
            header,
            round: Self::round(script),
            polka_round: script.coin().then(|| Self::round(script)),
            validator: self.table.id(member),
            signature: Signature([0; 64]),
        };
        proposal.signature = self.table.keys[member].sign(&proposal.signed_bytes(&self.table.hashes));
        self.spoil(script, &mut proposal.signature);
        self.tell(Input::Message(Message::Proposal(Box::new(proposal))));
    }

    fn spoil(&self, script: &mut Script<'_>, signature: &mut Signature) {
        if script.byte() > 240 {
            signature.0[script.place(64)] ^= script.byte();
        }
    }

    fn block(&self, script: &mut Script<'_>, height: u64) -> Hash {
        match script.byte() % 4 {
            0 => Hash::ZERO,
            _ => {
                let member = script.place(self.table.keys.len());
                self.table
                    .header(height, member, script.below(SALTS))
                    .id(&self.table.hashes)
            }
        }
    }

    fn vote(&self, script: &mut Script<'_>) -> Vote {
        let height = self.any_height(script);
        let kind = if script.coin() {
            VoteKind::Prevote
        } else {
            VoteKind::Precommit
        };
        let (round, block, member) = (Self::round(script), self.block(script, height), self.another(script));
        self.signed(script, member, kind, height, round, block)
    }

    fn signed(
        &self,
        script: &mut Script<'_>,
        member: usize,
        kind: VoteKind,
        height: u64,
        round: u32,
        block: Hash,
    ) -> Vote {
        let mut vote = Vote {
            validator: self.table.id(member),
            kind,
            height,
            round,
            block,
            signature: Signature([0; 64]),
        };
        // Nobody else has our key.
        if member != self.me {
            vote.signature = self.table.keys[member].sign(&vote.signed_bytes(self.table.genesis.network()));
        }
        self.spoil(script, &mut vote.signature);
        vote
    }

    /// A polka or round certificate of whoever the script chooses; ours only if we said so.
    fn hear_collected(&mut self, script: &mut Script<'_>) {
        let (height, round) = (self.any_height(script), Self::round(script));
        let (block, members) = (self.block(script, height), script.byte());
        let chosen: Vec<usize> = (0..self.table.keys.len())
            .filter(|member| members >> member & 1 == 1 && *member != self.me)
            .collect();
        let message = if script.coin() {
            let votes = chosen.iter().map(|member| {
                let vote = self.signed(script, *member, VoteKind::Prevote, height, round, block);
                (vote.validator, vote.signature)
            });
            Message::Polka(Polka {
                height,
                round,
                block,
                votes: votes.collect(),
            })
        } else {
            let kind = if script.coin() {
                RoundKind::Skip
            } else {
                RoundKind::Over
            };
            let votes = chosen.iter().map(|member| {
                let kind = if script.coin() {
                    VoteKind::Prevote
                } else {
                    VoteKind::Precommit
                };
                let block = self.block(script, height);
                let vote = self.signed(script, *member, kind, height, round, block);
                RoundVote {
                    validator: vote.validator,
                    kind,
                    block,
                    signature: vote.signature,
                }
            });
            let votes = votes.collect();
            Message::Round(RoundCertificate {
                height,
                round,
                kind,
                votes,
            })
        };
        self.tell(Input::Message(message));
    }

    fn time_out(&mut self, script: &mut Script<'_>) {
        let timer = if self.timers.is_empty() || script.byte() > 240 {
            Timer {
                height: self.any_height(script),
                round: Self::round(script),
                kind: *script.pick(&[
                    TimerKind::Propose,
                    TimerKind::Prevote,
                    TimerKind::Precommit,
                    TimerKind::Again,
                ]),
            }
        } else {
            self.timers.remove(script.place(self.timers.len()))
        };
        self.tell(Input::Timeout(timer));
    }

    /// The answer to a question, or one that nobody asked for. A valid block stays valid.
    fn judge(&mut self, script: &mut Script<'_>) {
        let id = if self.judgements.is_empty() {
            self.block(script, self.height)
        } else {
            *script.pick(&self.judgements)
        };
        let is_valid = self.valid.contains(&id) || script.byte() % 4 != 0;
        if is_valid && !self.valid.contains(&id) {
            self.valid.push(id);
        }
        self.tell(Input::Judged { id, is_valid });
    }

    /// Our own words come back to us, as networks do.
    fn hear_again(&mut self, script: &mut Script<'_>) {
        if !self.published.is_empty() {
            let message = script.pick(&self.published).clone();
            self.tell(Input::Message(message));
        }
    }
}

fn clone_of(key: &VoteKey) -> VoteKey {
    VoteKey::from_seed(&key.seed())
}

/// Messages and records around the vectors' headers, and scripts: those of every height that ends at once among them.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let headers = GOLDEN
        .bytes
        .iter()
        .filter_map(|bytes| BlockHeader::from_bytes(bytes).ok());
    for header in headers.take(3) {
        let proposal = Box::new(Proposal {
            header,
            round: 1,
            polka_round: Some(0),
            validator: ValidatorId([3; 32]),
            signature: Signature([4; 64]),
        });
        seeds.push(seed(0, &Message::Proposal(proposal.clone()).to_bytes()));
        seeds.push(seed(1, &Record::Proposal(proposal).to_bytes()));
    }
    let vote = Vote {
        validator: ValidatorId([3; 32]),
        kind: VoteKind::Precommit,
        height: 2,
        round: 1,
        block: Hash([5; 32]),
        signature: Signature([4; 64]),
    };
    let polka = Polka {
        height: 2,
        round: 1,
        block: Hash([5; 32]),
        votes: vec![(vote.validator, vote.signature)],
    };
    let round = RoundCertificate {
        height: 2,
        round: 1,
        kind: RoundKind::Skip,
        votes: vec![RoundVote {
            validator: vote.validator,
            kind: vote.kind,
            block: vote.block,
            signature: vote.signature,
        }],
    };
    let timer = Timer {
        height: 2,
        round: 1,
        kind: TimerKind::Again,
    };
    seeds.push(seed(0, &Message::Vote(vote.clone()).to_bytes()));
    seeds.push(seed(0, &Message::Polka(polka.clone()).to_bytes()));
    seeds.push(seed(0, &Message::Round(round).to_bytes()));
    seeds.push(seed(1, &Record::Vote(vote.clone()).to_bytes()));
    seeds.push(seed(1, &Record::Polka(polka).to_bytes()));
    seeds.push(seed(1, &Record::Timeout(timer).to_bytes()));
    seeds.push(seed(2, &Guard::default().to_bytes()));
    #[cfg(not(test))]
    {
        let frames = crate::frames::frames(&Message::Vote(vote.clone()));
        seeds.extend(frames.iter().map(|frame| seed(3, frame)));
        let records = [Record::Vote(vote), Record::Timeout(timer)];
        seeds.push(seed(4, &crate::frames::journals(&records)));
    }
    for game in [5, 6] {
        for start in 0..12_u8 {
            let script: Vec<u8> = (0..250_u8)
                .map(|at| start.wrapping_mul(at).wrapping_add(at / 3))
                .collect();
            seeds.push(seed(game, &script));
        }
    }
    seeds
}
