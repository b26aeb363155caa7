//! `waxwing dev demo`: everything once, for somebody who has five minutes.
//!
//! A real network of real processes, a real conversation, real proofs, a real death, a real audit, and a history with one
//! bit flipped. Nothing is prepared and no line is written beforehand: what is printed was computed in this run, and if
//! something does not come out as it should, the demonstration fails instead of saying so anyway.
//!
//! ```text
//! DIR/network/ validator/ follower-1/ follower-2/     as `waxwing dev up` has them
//! DIR/people/<number>-<name>/   reader/               homes of the light clients
//! DIR/passphrase                opens all of them
//! DIR/policy.txt                what the auditor trusts: genesis, and the head that the reader had checked
//! DIR/conversation.txt          what the reader read
//! DIR/tampered/                 the validator's ledger with one bit flipped
//! ```

mod figures;
mod harm;
mod people;
mod replay;
mod story;

use std::path::{Path, PathBuf};

use waxwing_core::policy::{PinnedHead, Policy};
use waxwing_core::verdict::Verdict;

use super::corpus::{self, Conversation};
use super::network::{self, Member};
use crate::args::Demo;
use crate::failure::Failure;
use crate::files::{self, Readers};
use crate::network::read_genesis;
use crate::output::{Output, Tone};
use crate::{Done, clock};
use figures::Figures;
use people::People;
use replay::Replay;
use story::Story;

/// People who write; one more reads.
const WRITERS: usize = 8;

/// Followers beside the validator.
const FOLLOWERS: usize = 2;

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

    let network = network::found(dir, "demo").await?;
    let mut members = start(dir, &network, story).await?;
    let people = gather(dir, &network, &members, conversation, story).await?;

    let mut replay = Replay::new(&people, conversation);
    let half = conversation.messages.len() * 3 / 4;
    replay.until(half, story).await?;
    let (validator, survivor) = lose_one(&mut members, &people, &mut replay, story, &mut figures).await?;
    replay.finish(&dir.join("conversation.txt"), &mut figures, story)?;

    let policy = trust(dir, &network, &people).await?;
    people.say_goodbye().await;
    harm::look_for_plaintext(&validator, conversation, story, &mut figures)?;
    audit(&validator, &policy, story, &mut figures)?;
    for member in [survivor, validator] {
        member.stop().await?;
    }
    harm::flip_a_bit(dir, &policy, conversation, story)?;
    figures.measure(dir, clock::steady().duration_since(started));
    story.figures(&figures)?;
    story.explore(dir, &people)?;
    Ok(0)
}

/// The nodes, each a process of its own.
async fn start(dir: &Path, network: &Path, story: &Story<'_>) -> Result<Vec<Member>, Failure> {
    story.chapter("A network on this machine: one node orders, two copy, check and serve")?;
    let started = clock::steady();
    let mut members = vec![network::start(dir, "validator", network, &[]).await?];
    for number in 1..=FOLLOWERS {
        let upstreams: Vec<&Member> = members.iter().take(1).collect();
        let follower = network::start(dir, &format!("follower-{number}"), network, &upstreams).await?;
        members.push(follower);
    }
    for member in &members {
        let place = member
            .address
            .split_once('@')
            .map_or(member.address.as_str(), |(_, place)| place);
        story.fact(&member.name, &format!("process {}, listens at {place}", member.process))?;
    }
    story.fact(
        "started",
        &format!("in {}", story::seconds(clock::steady().duration_since(started))),
    )?;
    Ok(members)
}

/// Everybody who takes part, in one channel.
async fn gather(
    dir: &Path,
    network: &Path,
    members: &[Member],
    conversation: &Conversation,
    story: &Story<'_>,
) -> Result<People, Failure> {
    story.chapter("Eight people and a reader in one sealed channel")?;
    let genesis = read_genesis(network)?;
    let started = clock::steady();
    let people = People::gather(dir, &genesis, members, &conversation.speakers, CHANNEL).await?;
    story.fact("they are", &conversation.speakers.join(", "))?;
    let link = format!(
        "{} characters; whoever has it is in, nobody else is",
        people.link.chars().count()
    );
    story.fact("invitation", &link)?;
    story.fact(
        "joined",
        &format!("in {}", story::seconds(clock::steady().duration_since(started))),
    )?;
    story.fact(
        "they say",
        &format!("{} messages of {}", conversation.messages.len(), conversation.source),
    )?;
    Ok(people)
}

/// Kills the follower that the invitation names first, and shows that the conversation goes on.
async fn lose_one(
    members: &mut Vec<Member>,
    people: &People,
    replay: &mut Replay<'_>,
    story: &Story<'_>,
    figures: &mut Figures,
) -> Result<(Member, Member), Failure> {
    story.chapter("A node dies in the middle of the conversation")?;
    let mut victim = members.remove(1);
    let since = clock::now_ms();
    victim.kill().await?;
    let killed = clock::steady();
    story.fact(
        "killed",
        &format!("{}, process {}, without a warning", victim.name, victim.process),
    )?;
    replay.rest(story).await?;
    figures.switched = replay.first_read_after(killed);
    if let Some(switched) = figures.switched {
        story.fact(
            "reader",
            &format!("had the next message {} after the kill", story::seconds(switched)),
        )?;
    }
    let (left, reasons) = people.who_left(&victim, since).await?;
    figures.left = left;
    story.fact(
        "moved on",
        &format!("{left} of {} people found it gone and asked other nodes:", WRITERS + 1),
    )?;
    for reason in reasons {
        story.fact("", &reason)?;
    }
    let survivor = members.pop().ok_or_else(|| Failure::failed("no follower is left"))?;
    let validator = members.pop().ok_or_else(|| Failure::failed("the validator is gone"))?;
    story.fact("served on", &format!("{} and the {}", survivor.name, validator.name))?;
    Ok((validator, survivor))
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

/// Audits the validator's directory while it runs.
fn audit(validator: &Member, policy: &Policy, story: &Story<'_>, figures: &mut Figures) -> Result<(), Failure> {
    story.chapter("An audit of the validator's ledger, without any key")?;
    let started = clock::steady();
    let report = crate::audit::report(&validator.data(), Some(policy), story.output)?;
    figures.audited = Some((report.figures.entries, clock::steady().duration_since(started)));
    figures.blocks = report.figures.blocks;
    figures.entries = report.figures.entries;
    story.report(&report, Tone::Good)?;
    if report.verdict == Verdict::Verified {
        Ok(())
    } else {
        Err(Failure::failed(format!(
            "the audit of an untouched ledger says {}: {}",
            report.verdict,
            report.headline()
        )))
    }
}
