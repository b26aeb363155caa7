//! `waxwing dev up`: a network to play with, until interrupted. What it holds is taken up again the next time.

use std::future::poll_fn;
use std::path::Path;
use std::task::Poll;

use serde_json::json;

use super::network::{self, Member, Part};
use crate::Done;
use crate::failure::Failure;
use crate::files;
use crate::home::{Home, quoted};
use crate::ids::{self, Kind};
use crate::network::read_genesis;
use crate::output::Output;
use crate::signals::Signals;

/// Validators, and followers, that one machine can carry in a playground.
const MEMBERS_MAX: u16 = 16;

pub(super) fn run(validators: u16, followers: u16, dir: Option<&Path>, home: &Home, output: &Output) -> Done {
    if followers > MEMBERS_MAX {
        return Err(Failure::usage(format!("--followers takes 0 to {MEMBERS_MAX}")));
    }
    if !(1..=MEMBERS_MAX).contains(&validators) {
        return Err(Failure::usage(format!("--validators takes 1 to {MEMBERS_MAX}")));
    }
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => home.folder()?.join("dev"),
    };
    files::create_folder(&dir)?;
    let dir = dir.canonicalize().map_err(|error| {
        Failure::failed(format!(
            "cannot use the folder {}: {}",
            dir.display(),
            files::reason(&error)
        ))
    })?;
    crate::on_runtime(up(&dir, validators, followers, output))
}

async fn up(dir: &Path, validators: u16, followers: u16, output: &Output) -> Done {
    // Listened for before anybody can know that there is something to end.
    let mut signals = Signals::new()?;
    let network = network::found(dir, "dev", validators).await?;
    let mut members = network::start_validators(dir, &network, validators).await?;
    for number in 1..=followers {
        let upstreams: Vec<&Member> = members.iter().collect();
        let part = Part::Follower(&upstreams);
        let follower = network::start(dir, &format!("follower-{number}"), &network, part).await?;
        members.push(follower);
    }
    tell(dir, &network, &members, output)?;
    let ended = tokio::select! {
        ended = first_to_end(&mut members) => Some(ended),
        () = signals.next() => None,
    };
    output.note("stopping all nodes");
    // Followers first: then nobody misses an upstream.
    for member in members.into_iter().rev() {
        if ended.as_ref().is_none_or(|(name, _)| *name != member.name) {
            member.stop().await?;
        }
    }
    match ended {
        Some((name, said)) => Err(Failure::failed(format!("{name} ended by itself: {said}"))),
        None => Ok(0),
    }
}

/// The node that ends by itself, and the last thing it said.
async fn first_to_end(members: &mut [Member]) -> (String, String) {
    let waits = members
        .iter_mut()
        .map(|member| Box::pin(async { (member.name.clone(), member.ended().await) }));
    let mut waits: Vec<_> = waits.collect();
    poll_fn(|context| {
        let mut ready = waits.iter_mut().map(|wait| wait.as_mut().poll(context));
        ready.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

fn tell(dir: &Path, network: &Path, members: &[Member], output: &Output) -> Result<(), Failure> {
    let genesis = read_genesis(network)?;
    let id = genesis.network();
    let mut facts = vec![
        (
            "network",
            format!("{}  {}", genesis.name, output.id(Kind::Network, id.as_bytes())),
        ),
        ("fingerprint", ids::fingerprint(id.as_bytes())),
        ("folder", dir.display().to_string()),
    ];
    for member in members {
        facts.push((
            &member.name,
            format!(
                "{}  process {}, block {}",
                member.address, member.process, member.height
            ),
        ));
    }
    let nodes: Vec<_> = members
        .iter()
        .map(|member| json!({ "name": member.name, "address": member.address, "process": member.process, "data": member.data() }))
        .collect();
    let object = json!({ "dir": dir, "network": id.to_string(), "nodes": nodes });
    output.result("dev.up", object, &output.facts("network running", &facts))?;
    let Some(last) = members.last() else { return Ok(()) };
    let shown = |path: &Path| quoted(&path.to_string_lossy());
    output.next(&format!(
        "waxwing chat new NAME --as YOU --genesis {} --node {}",
        shown(&network.join(crate::home::GENESIS_FILE)),
        last.address
    ))?;
    output.note("Ctrl-C stops all nodes");
    Ok(())
}
