//! `waxwing chat invite|join|requests|members ...`: who is in a channel, and how somebody gets in or out.
//!
//! ```text
//! invite.rs   a link, and who comes in by it          join.rs      a link, a request, the answer
//! members.rs  who is in; removed, appointed, left     who.rs       whom somebody means by a name or an id
//! history.rs  what newcomers are told
//! ```
//!
//! A change is durable when its command says so, and true when the ledger has it: commands wait for that unless told not to.

pub(crate) mod history;
mod invite;
mod join;
mod members;
pub(crate) mod who;

pub(crate) use members::standing;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use waxwing_light::{AskedState, AskedView, Client, Error, RequestState, RequestView};
use waxwing_seal::display::{display_safe, display_safe_name};

use super::show::json_of;
use super::{Session, fault};
use crate::Done;
use crate::args::{GroupVerb, Settling};
use crate::clock;
use crate::failure::Failure;
use crate::ids::{self, Kind};
use crate::output::{Output, Tone};
use crate::words::count;

/// Between two looks at what no change of a message tells of.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn act(verb: &GroupVerb, session: &Session<'_>) -> Done {
    match verb {
        GroupVerb::Invite(invite) => invite::invite(invite, session).await,
        GroupVerb::Join(join) => join::join(join, session).await,
        GroupVerb::Add(add) => members::add(add, session).await,
        GroupVerb::Requests => requests(session).await,
        GroupVerb::Accept { request, settling } => accept(*request, *settling, session).await,
        GroupVerb::Decline { request, settling } => decline(*request, *settling, session).await,
        GroupVerb::Asked => asked(session).await,
        GroupVerb::Members { channel } => members::list(channel.as_deref(), session).await,
        GroupVerb::Remove(remove) => members::remove(remove, session).await,
        GroupVerb::Role(role) => members::role(role, session).await,
        GroupVerb::Leave(leave) => members::leave(leave, session).await,
        GroupVerb::History(choice) => history::history(choice, session).await,
        GroupVerb::Rename(rename) => members::rename(rename, session).await,
    }
}

/// Looks again and again until there is something to see, following all ledgers meanwhile; `None` when the time is over.
async fn until<T>(
    client: &Client,
    settling: Settling,
    mut look: impl AsyncFnMut() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Failure> {
    client.start();
    let looking = async {
        loop {
            if let Some(seen) = look().await? {
                return Ok::<T, Error>(seen);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match timeout(Duration::from_secs(settling.timeout), looking).await {
        Ok(seen) => seen.map(Some).map_err(|error| fault(&error)),
        Err(_) => Ok(None),
    }
}

/// What was not final in the time that was given.
fn not_yet(what: &str) -> Failure {
    Failure::failed(format!(
        "{what} is queued, and not final yet; it goes on whenever the client runs, and nothing has to be typed again"
    ))
}

/// An account as people see it.
fn account(hex: &str, output: &Output) -> String {
    ids::hex_32(hex).map_or_else(|| hex.to_owned(), |id| output.id(Kind::Account, &id))
}

pub(super) const fn word_of_request(state: RequestState) -> &'static str {
    match state {
        RequestState::Waiting => "waits for your answer",
        RequestState::BeingLetIn => "is being let in",
        RequestState::LetIn => "is in",
        RequestState::Declined => "was told no",
        RequestState::Over => "came to nothing",
    }
}

/// How far a request is, in the words of whoever reads the list.
pub(super) const fn word_of(view: &RequestView) -> &'static str {
    match (&view.invites, view.state) {
        (Some(_), RequestState::LetIn | RequestState::BeingLetIn) => "you are in",
        (Some(_), RequestState::Declined) => "you said no",
        (_, state) => word_of_request(state),
    }
}

/// What somebody wants, who asked or invites; `called` is the channel of this home that it is about.
pub(super) fn wish(view: &RequestView, called: Option<&str>) -> String {
    match (&view.invites, called) {
        (None, None) => "to write to you".to_owned(),
        (None, Some(name)) => format!("into {}", display_safe_name(name)),
        (Some(invites), _) => {
            let people = count(invites.people, "person", "people");
            match &invites.name {
                Some(name) => format!("invites you into {}, {people}", display_safe_name(name)),
                None => "invites you to talk, the two of you".to_owned(),
            }
        }
    }
}

/// A stranger's name and words are theirs: nothing of them stands where the program speaks.
fn request_lines(view: &RequestView, called: Option<&str>, output: &Output) -> String {
    let into = wish(view, called);
    let state = word_of(view);
    let tone = if view.state == RequestState::Waiting {
        Tone::Strong
    } else {
        Tone::Faint
    };
    let mut text = format!(
        "{:>3}  {}  {into}  {}\n     {}, asked {}\n",
        view.id,
        output.paint(Tone::Strong, &display_safe_name(&view.name)),
        output.paint(tone, state),
        account(&view.account, output),
        clock::local(view.asked_ms)
    );
    if !view.note.is_empty() {
        text.push_str(&format!(
            "     {}\n",
            output.wrapped(&format!("says: {}", display_safe(&view.note)), 5)
        ));
    }
    text
}

async fn requests(session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    // What is here is worth showing even when nobody can be reached; the fault is said below it.
    let refreshed = client.refresh().await;
    let requests = client.requests().await.map_err(|error| fault(&error))?;
    let channels = client.channels().await.map_err(|error| fault(&error))?;
    let called = |view: &RequestView| {
        let channel = channels.iter().find(|channel| Some(channel.id) == view.channel)?;
        if view.invites.is_some() {
            return None;
        }
        // A conversation of two is called after them, and says nothing more.
        Some(channel.name.clone()).filter(|name| *name != view.name)
    };
    let text: String = requests
        .iter()
        .map(|view| request_lines(view, called(view).as_deref(), output))
        .collect();
    let text = if text.is_empty() {
        "nobody has asked\n".to_owned()
    } else {
        text
    };
    let object = json!({ "requests": requests.iter().map(json_of).collect::<Vec<Value>>() });
    output.result("chat.requests", object, &text)?;
    if requests.iter().any(|view| view.state == RequestState::Waiting) {
        let option = session.home.as_option();
        output.next(&format!(
            "waxwing chat accept NUMBER{option}, or waxwing chat decline NUMBER{option}"
        ))?;
    }
    refreshed.map_err(|error| fault(&error))?;
    Ok(0)
}

/// The request of this number.
async fn request_of(client: &Client, number: i64) -> Result<RequestView, Failure> {
    let requests = client.requests().await.map_err(|error| fault(&error))?;
    let found = requests.into_iter().find(|view| view.id == number);
    found.ok_or_else(|| {
        Failure::usage(format!(
            "there is no request {number}: `waxwing chat requests` lists them"
        ))
    })
}

async fn accept(request: i64, settling: Settling, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    request_of(&client, request).await?;
    client.accept_request(request).await.map_err(|error| fault(&error))?;
    let is_in = async || {
        let view = client.requests().await?.into_iter().find(|view| view.id == request);
        let state = view.map(|view| view.state);
        let is_told = state == Some(RequestState::LetIn) && client.answers_waiting().await? == 0;
        Ok((is_told || state == Some(RequestState::Over)).then_some(()))
    };
    if !settling.no_wait && until(&client, settling, is_in).await?.is_none() {
        return Err(not_yet("the answer"));
    }
    let view = request_of(&client, request).await?;
    if view.state == RequestState::Over {
        return Err(Failure::failed(
            "that leads nowhere any more: they took you out again, or it waited for too long; ask to be added again",
        ));
    }
    let name = display_safe_name(&view.name);
    let text = if let Some(invites) = &view.invites {
        let into = invites.name.as_deref().map_or_else(|| name.clone(), display_safe_name);
        format!("you are in {into}")
    } else if settling.no_wait {
        format!("{name} is let in by the next command that connects")
    } else {
        format!("{name} is in")
    };
    output.result("chat.accept", json_of(&view), &text)?;
    Ok(0)
}

async fn decline(request: i64, settling: Settling, session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    request_of(&client, request).await?;
    client.decline_request(request).await.map_err(|error| fault(&error))?;
    let is_told = async || Ok((client.answers_waiting().await? == 0).then_some(()));
    if !settling.no_wait && until(&client, settling, is_told).await?.is_none() {
        return Err(not_yet("the answer"));
    }
    let view = request_of(&client, request).await?;
    let name = display_safe_name(&view.name);
    let text = if view.invites.is_some() {
        format!("the invitation is deleted, and {name} is not told")
    } else if settling.no_wait {
        format!("{name} is told no by the next command that connects")
    } else {
        format!("{name} was told no")
    };
    output.result("chat.decline", json_of(&view), &text)?;
    Ok(0)
}

const fn word_of_asked(state: AskedState) -> &'static str {
    match state {
        AskedState::Asking => "the request is on its way",
        AskedState::Asked => "asked; waits for an answer",
        AskedState::Joined => "in",
        AskedState::Declined => "told no",
        AskedState::Failed => "leads nowhere",
    }
}

async fn asked(session: &Session<'_>) -> Done {
    let (client, output) = (session.open().await?, session.output);
    let refreshed = client.refresh().await;
    let asked = client.asked().await.map_err(|error| fault(&error))?;
    let line = |view: &AskedView| {
        let name = view
            .name
            .as_deref()
            .map_or_else(|| "(not known yet)".to_owned(), display_safe_name);
        let mut text = format!(
            "{:>3}  {}  {}\n     {}, asked {}\n",
            view.id,
            output.paint(Tone::Strong, &name),
            word_of_asked(view.state),
            account(&view.account, output),
            clock::local(view.asked_ms)
        );
        if let Some(reason) = &view.reason {
            text.push_str(&format!("     {}\n", output.wrapped(&display_safe(reason), 5)));
        }
        text
    };
    let text: String = asked.iter().map(line).collect();
    let text = if text.is_empty() {
        "this device has asked nowhere\n".to_owned()
    } else {
        text
    };
    let object = json!({ "asked": asked.iter().map(json_of).collect::<Vec<Value>>() });
    output.result("chat.asked", object, &text)?;
    refreshed.map_err(|error| fault(&error))?;
    Ok(0)
}
