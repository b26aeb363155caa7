//! `waxwing dev demo`: everything once, for somebody who has five minutes.
//!
//! A real network of real processes, a real group and its conversation, real proofs, a real death, a real lie, a real audit, and a history
//! with one bit flipped. Nothing is prepared and no line is written beforehand: what is printed was computed in this run, and
//! if something does not come out as it should, the demonstration fails instead of saying so anyway.
//!
//! ```text
//! DIR/network/ validator-1/ ... validator-4/ follower-1/ follower-2/     as `waxwing dev up` has them
//! DIR/people/<number>-<name>/   reader/ guest/ late/  homes of the light clients
//! DIR/passphrase                opens all of them
//! DIR/policy.txt                what the auditor trusts: genesis, and the head that the reader had checked
//! DIR/conversation.txt          what the reader read
//! DIR/evidence.wxe              that a validator voted for two blocks
//! DIR/tampered/                 a validator's ledger with one bit flipped
//! ```

mod come_and_go;
mod figures;
mod harm;
mod lie;
mod people;
mod replay;
mod story;

use std::path::{Path, PathBuf};

use waxwing_audit::compare::{Heads, Outcome, compare};
use waxwing_audit::directory::Directory;
use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_core::verdict::Verdict;
use waxwing_light::MessageView;

use super::corpus::{self, Conversation};
use super::network::{self, Member, Part};
use crate::args::Demo;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::ids::{self, Kind};
use crate::network::read_genesis;
use crate::output::{Output, Tone};
use crate::{Done, clock};
use come_and_go::come_and_go;
use figures::Figures;
use people::People;
use replay::Replay;
use story::Story;

/// People who write; one more reads.
const WRITERS: usize = 8;

/// Validators: one of them may fail or lie.
const VALIDATORS: u16 = 4;

/// Followers beside them.
const FOLLOWERS: usize = 2;

/// The validator that is killed and started again, counted from 0.
const VICTIM: usize = 1;

/// What the channel is called.
const CHANNEL: &str = "ubuntu";

pub(super) fn run(options: &Demo, output: &Output) -> Done {
    let count = usize::try_from(options.messages).unwrap_or(usize::MAX);
    if count < WRITERS {
        return Err(Failure::usage(format!(
            "--messages takes {WRITERS} or more: everybody is to say something"
        )));
    }
    let conversation = corpus::choose(options.corpus.as_deref(), WRITERS, count)?;
    let dir = folder(options.dir.as_deref())?;
    let story = Story::new(output);
    crate::on_runtime(play(&dir, &conversation, &story))
}

/// A new folder, or an empty one that was named.
fn folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let dir = match named {
        Some(dir) => dir.to_owned(),
        None => std::env::temp_dir().join(format!("waxwing-demo-{}", people::random_word(3)?)),
    };
    let is_used = std::fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some());
    if is_used {
        return Err(Failure::usage(format!(
            "{} is not empty: name another folder with --dir",
            dir.display()
        )));
    }
    files::create_folder(&dir)?;
    dir.canonicalize()
        .map_err(|error| Failure::failed(format!("cannot use {}: {}", dir.display(), files::reason(&error))))
}

async fn play(dir: &Path, conversation: &Conversation, story: &Story<'_>) -> Done {
    let started = clock::steady();
    let mut figures = Figures::default();
    story.title(dir)?;

    let network = network::found(dir, "demo", VALIDATORS).await?;
    let (mut validators, followers) = start(dir, &network, story).await?;
    let people = gather(dir, &network, &followers, conversation, story).await?;

    let mut replay = Replay::new(&people, conversation);
    let all = conversation.messages.len();
    replay.until(all / 2, story).await?;
    let others = come_and_go(dir, &people, &replay, story).await?;
    lose_one(
        dir,
        &network,
        &mut validators,
        &mut replay,
        all * 3 / 4,
        story,
        &mut figures,
    )
    .await?;
    lie::tell(dir, &network, &mut validators, &mut replay, story).await?;
    replay.finish(&dir.join("conversation.txt"), &mut figures, story)?;
    let all: Vec<&str> = conversation
        .messages
        .iter()
        .map(|spoken| spoken.text.as_str())
        .collect();
    others.compare(&people, &all, story).await?;
    let said = who_said_what(&replay);
    let first = replay.read().find_map(|view| view.log_index).unwrap_or(0);

    let policy = trust(dir, &network, &people).await?;
    people.say_goodbye().await;
    others.say_goodbye().await;
    let witness = validators
        .first()
        .ok_or_else(|| Failure::failed("no validator is left"))?;
    harm::look_for_plaintext(witness, conversation, story, &mut figures)?;
    audit(&validators, &policy, story, &mut figures)?;
    for member in followers.into_iter().chain(validators).rev() {
        member.stop().await?;
    }
    harm::flip_a_bit(dir, &policy, &said, story)?;
    figures.measure(dir, clock::steady().duration_since(started));
    story.figures(&figures)?;
    story.explore(dir, &people, first)?;
    Ok(0)
}

/// Who spoke in which block, as the reader knows it.
fn who_said_what(replay: &Replay<'_>) -> Vec<(u64, String)> {
    let named = |view: &MessageView| Some((view.height?, view.author.as_ref()?.name.clone()));
    replay.read().filter_map(named).collect()
}

/// The nodes, each a process of its own.
async fn start(dir: &Path, network: &Path, story: &Story<'_>) -> Result<(Vec<Member>, Vec<Member>), Failure> {
    story.chapter("A network on this machine: four validators agree, two nodes copy, check and serve")?;
    let genesis = read_genesis(network)?;
    let fingerprint = ids::fingerprint(genesis.network().as_bytes());
    story.fact(
        "founded",
        "each validator made its key in its own home; one file names them all",
    )?;
    story.fact("compare", &fingerprint)?;
    let started = clock::steady();
    let validators = network::start_validators(dir, network, VALIDATORS).await?;
    let mut followers = Vec::new();
    for number in 1..=FOLLOWERS {
        let upstreams: Vec<&Member> = validators.iter().collect();
        let part = Part::Follower(&upstreams);
        followers.push(network::start(dir, &format!("follower-{number}"), network, part).await?);
    }
    for member in validators.iter().chain(&followers) {
        let place = member.place();
        story.fact(&member.name, &format!("process {}, listens at {place}", member.process))?;
    }
    story.fact(
        "started",
        &format!("in {}", story::seconds(clock::steady().duration_since(started))),
    )?;
    Ok((validators, followers))
}

/// Everybody who takes part, in one group.
async fn gather(
    dir: &Path,
    network: &Path,
    followers: &[Member],
    conversation: &Conversation,
    story: &Story<'_>,
) -> Result<People, Failure> {
    story.chapter("Eight people, a reader and a guest in one group")?;
    let genesis = read_genesis(network)?;
    let started = clock::steady();
    let people = People::gather(dir, &genesis, followers, &conversation.speakers, CHANNEL).await?;
    story.fact("they are", &conversation.speakers.join(", "))?;
    let link = format!(
        "one link of {} characters: whoever has it can ask, and a member lets them in",
        people.link.chars().count()
    );
    story.fact("invitation", &link)?;
    story.fact(
        "let in",
        &format!(
            "all of them in {}, each with a device certified by an account of their own",
            story::seconds(clock::steady().duration_since(started))
        ),
    )?;
    story.fact(
        "they say",
        &format!("{} messages of {}", conversation.messages.len(), conversation.source),
    )?;
    Ok(people)
}

/// Kills a validator, shows that the conversation goes on, and starts it again.
async fn lose_one(
    dir: &Path,
    network: &Path,
    validators: &mut Vec<Member>,
    replay: &mut Replay<'_>,
    until: usize,
    story: &Story<'_>,
    figures: &mut Figures,
) -> Result<(), Failure> {
    story.chapter("A validator dies in the middle of the conversation, and comes back")?;
    let mut victim = validators.remove(VICTIM);
    victim.kill().await?;
    let killed = clock::steady();
    story.fact(
        "killed",
        &format!("{}, process {}, without a warning", victim.name, victim.process),
    )?;
    replay.until(until, story).await?;
    figures.switched = replay.first_read_after(killed);
    if let Some(switched) = figures.switched {
        let text = format!("had the next message {} after the kill", story::seconds(switched));
        story.fact("reader", &text)?;
    }
    let others: Vec<&Member> = validators.iter().collect();
    let started = clock::steady();
    let back = network::start(dir, &victim.name, network, Part::Validator(&others)).await?;
    let target = lie::height_of(others.first().copied())?;
    let height = lie::until("the validator that was dead caught up", || {
        lie::height_of(Some(&back)).ok().filter(|height| *height >= target)
    })
    .await?;
    let took = clock::steady().duration_since(started);
    figures.caught_up = Some(took);
    story.fact(
        "came back",
        &format!(
            "process {}, from block {} to block {height} in {}, every block checked",
            back.process,
            back.height,
            story::seconds(took)
        ),
    )?;
    validators.insert(VICTIM, back);
    Ok(())
}

/// The auditor trusts the genesis and the head that the reader has checked; nothing from the directory to be audited.
async fn trust(dir: &Path, network: &Path, people: &People) -> Result<Policy, Failure> {
    let (height, id) = people.head_of_reader().await?;
    let policy = Policy {
        genesis: read_genesis(network)?,
        head: Some(PinnedHead { height, id }),
    };
    files::write_new(&dir.join("policy.txt"), policy.to_text().as_bytes(), Readers::Anybody)?;
    Ok(policy)
}

/// Audits the directory of the validator that was killed while it runs, and compares it with another one's.
fn audit(validators: &[Member], policy: &Policy, story: &Story<'_>, figures: &mut Figures) -> Result<(), Failure> {
    story.chapter("An audit of two validators' ledgers, without any key")?;
    let [one, other, ..] = validators else {
        return Err(Failure::failed("two validators are needed to be compared"));
    };
    let started = clock::steady();
    let report = crate::audit::report(&other.data(), Some(policy), story.output)?;
    figures.audited = Some((report.figures.entries, clock::steady().duration_since(started)));
    figures.blocks = report.figures.blocks;
    figures.entries = report.figures.entries;
    story.report(&report, Tone::Good)?;
    if report.verdict != Verdict::Verified {
        return Err(Failure::failed(format!(
            "the audit of an untouched ledger says {}: {}",
            report.verdict,
            report.headline()
        )));
    }
    let compared = compare(&mut heads_of(one)?, &mut heads_of(other)?, Some(policy));
    let compared = compared.map_err(|_| Failure::failed("two validators of one network cannot be compared"))?;
    match &compared.outcome {
        Outcome::Agree { common, .. } if compared.verdict == Verdict::Verified => story.fact(
            "compared",
            &format!(
                "{} and {}: one history, the same block {} at height {}",
                one.name,
                other.name,
                ids::short(Kind::Block, common.id.as_bytes()),
                common.height
            ),
        ),
        _ => Err(Failure::failed(format!(
            "two validators of one network should have one history: {}",
            compared.claim()
        ))),
    }
}

fn heads_of(member: &Member) -> Result<impl Heads + use<>, Failure> {
    let database = crate::audit::database_in(&member.data())?;
    Directory::open(&database).map_err(|error| Failure::failed(format!("{}: {error}", database.display())))
}
