//! `waxwing chat invite`: a link that lets somebody in, and staying connected until they are.

use std::collections::BTreeSet;

use serde_json::json;
use tokio::time::timeout;
use waxwing_core::Hash;
use waxwing_light::{ChannelId, ChannelView, Client, Error, InvitationView, Invited, Inviting, RequestState};
use waxwing_seal::display::display_safe_name;
use waxwing_seal::inbox::Uses;

use super::LOOK;
use crate::args::Invite;
use crate::chat::show::json_of;
use crate::chat::{Session, fault, find_channel_or_only, number, qr};
use crate::failure::Failure;
use crate::signals::Signals;
use crate::words::count;
use crate::{Done, clock, ids};

/// How long the opening of an invitation is waited for.
const OPENING_WAIT: std::time::Duration = std::time::Duration::from_secs(30);

pub(super) async fn invite(invite: &Invite, session: &Session<'_>) -> Done {
    let client = session.open().await?;
    if invite.list {
        return list(&client, session).await;
    }
    if let Some(id) = invite.again {
        return again(id, invite.qr, &client, session).await;
    }
    let channel = match (invite.me, &invite.channel) {
        (true, None) => None,
        (_, text) => Some(find_channel_or_only(&client, text.as_deref()).await?),
    };
    match &channel {
        Some(channel) if !invite.me && !channel.group => by_link(invite, channel, &client, session).await,
        _ if invite.revoke => revoke(invite, channel.as_ref(), &client, session).await,
        _ => let_in(invite, channel.as_ref(), &client, session).await,
    }
}

/// The link of a channel that everybody with its link is in.
async fn by_link(invite: &Invite, channel: &ChannelView, client: &Client, session: &Session<'_>) -> Done {
    if invite.ask || invite.wait || invite.revoke || invite.uses != 1 {
        return Err(Failure::usage(format!(
            "{} was opened with --by-link: everybody with its link is in, nobody is asked, and the link cannot be taken back",
            display_safe_name(&channel.name)
        )));
    }
    let link = client.invite(channel.id).await.map_err(|error| fault(&error))?;
    show_qr(invite.qr, &link, session)?;
    session.output.result(
        "chat.invite",
        json!({ "channel": number(channel.id), "link": link.as_str() }),
        &link,
    )?;
    session
        .output
        .note("whoever has this link reads and writes the channel, from its beginning: hand it over in private");
    Ok(0)
}

fn show_qr(is_wanted: bool, link: &str, session: &Session<'_>) -> Result<(), Failure> {
    if !is_wanted {
        return Ok(());
    }
    match qr::picture(link, session.output)? {
        Some(picture) => session.output.text(&picture),
        None => {
            session
                .output
                .note("the QR code needs a wider terminal; the link alone:");
            Ok(())
        }
    }
}

async fn revoke(invite: &Invite, channel: Option<&ChannelView>, client: &Client, session: &Session<'_>) -> Done {
    let leads = channel.filter(|_| !invite.me).map(|channel| channel.id);
    let revoked = client.revoke_invitations(leads).await.map_err(|error| fault(&error))?;
    let revoked = u64::try_from(revoked).unwrap_or(u64::MAX);
    let text = match revoked {
        0 => "there was no link that lets anybody in".to_owned(),
        _ => format!("nobody is let in by {} any more", count(revoked, "link", "links")),
    };
    let object = json!({ "channel": leads.map(number), "revoked": revoked });
    session.output.result("chat.invite.revoke", object, &text)?;
    Ok(0)
}

/// The links that still let somebody in. They are secrets, and shown one by one.
async fn list(client: &Client, session: &Session<'_>) -> Done {
    let (invitations, channels) = (client.invitations().await, client.channels().await);
    let (invitations, channels) = (
        invitations.map_err(|error| fault(&error))?,
        channels.map_err(|error| fault(&error))?,
    );
    let line = |view: &InvitationView| {
        let channel = channels.iter().find(|channel| Some(channel.id) == view.channel);
        let into = channel.map_or_else(
            || "to you".to_owned(),
            |channel| format!("into {}", display_safe_name(&channel.name)),
        );
        let asks = if view.asks { ", asks you first" } else { "" };
        let (left, until) = (u64::from(view.uses_left), clock::local(view.expires_ms));
        let uses = count(left, "more person", "more people");
        format!("{:>3}  {into}  for {uses}, until {until}{asks}\n", view.id)
    };
    let text: String = invitations.iter().map(line).collect();
    let text = if text.is_empty() {
        "no link lets anybody in\n".to_owned()
    } else {
        text
    };
    let views: Vec<_> = invitations.iter().map(json_of).collect();
    session
        .output
        .result("chat.invite.list", json!({ "invitations": views }), &text)?;
    Ok(0)
}

async fn again(id: i64, qr: bool, client: &Client, session: &Session<'_>) -> Done {
    let link = client.invitation_link(id).await.map_err(|error| fault(&error))?;
    show_qr(qr, &link, session)?;
    let object = json!({ "id": id, "link": link.as_str() });
    session.output.result("chat.invite.again", object, &link)?;
    Ok(0)
}

/// The ledger on which a link to a person leads: the channel's, else the only one.
async fn network_of(channel: Option<&ChannelView>, client: &Client) -> Result<Hash, Failure> {
    if let Some(channel) = channel {
        return ids::hex_32(&channel.network)
            .map(Hash)
            .ok_or_else(|| Failure::failed("the channel names no network"));
    }
    match client.networks().await.map_err(|error| fault(&error))?.as_slice() {
        [only] => Ok(*only),
        _ => Err(Failure::usage(
            "this home knows several networks, or none: name a channel of the one that the link is to lead through",
        )),
    }
}

async fn let_in(invite: &Invite, channel: Option<&ChannelView>, client: &Client, session: &Session<'_>) -> Done {
    let output = session.output;
    let inviting = Inviting {
        uses: Uses::new(invite.uses).ok_or_else(|| Failure::usage("a link lets 1 to 256 people in"))?,
        valid_ms: invite.valid,
        asks: invite.ask || invite.me,
    };
    let leads = channel.filter(|_| !invite.me).map(|channel| channel.id);
    let before = seen(client, leads).await?;
    let invited = match leads {
        Some(channel) => client.invite_to_group(channel, inviting).await,
        None => {
            client
                .invite_contact(network_of(channel, client).await?, inviting)
                .await
        }
    };
    let invited = invited.map_err(|error| fault(&error))?;
    client.start();
    let is_open = match client.settle(invited.opening, OPENING_WAIT).await {
        Ok(view) => view.state.is_final(),
        Err(Error::StillWaiting) => false,
        Err(error) => return Err(fault(&error)),
    };
    show_qr(invite.qr, &invited.link, session)?;
    let object = json!({
        "channel": leads.map(number),
        "link": invited.link.as_str(),
        "uses": invite.uses,
        "asks": inviting.asks,
        "expires": clock::iso(invited.expires_ms),
        "final": is_open,
    });
    output.result("chat.invite", object, &invited.link)?;
    if !is_open {
        output.note(
            "no node has taken the invitation yet: it is queued, goes out with the next command that connects, and whoever \
             has the link waits until then",
        );
    }
    output.note(&explained(invite, inviting, &invited));
    if invite.wait {
        return stay(invite.uses, leads, before, client, session).await;
    }
    Ok(0)
}

/// What the link does, and what it takes.
fn explained(invite: &Invite, inviting: Inviting, invited: &Invited) -> String {
    let who = match invite.uses {
        1 => "whoever uses this link first".to_owned(),
        uses => format!("the first {uses} who use this link"),
    };
    let until = clock::local(invited.expires_ms);
    let what = match (invite.me, inviting.asks) {
        (true, _) => "can ask to write to you; `waxwing chat requests` lists them",
        (false, true) => "can ask to come in; `waxwing chat requests` lists them",
        (false, false) => "can come in",
    };
    let how = if invite.wait {
        "you are connected now, and stay so until they are in: Ctrl-C ends sooner"
    } else {
        "a member has to be connected to let them in: this device does with --wait, with `chat tail`, or while `waxwing \
         chat` is open"
    };
    format!("{who} {what}, until {until}. Hand it over in private; {how}")
}

/// Requests that are here already.
async fn seen(client: &Client, leads: Option<ChannelId>) -> Result<BTreeSet<i64>, Failure> {
    let requests = client.requests().await.map_err(|error| fault(&error))?;
    let before = requests
        .iter()
        .filter(|request| leads.is_none() || request.channel == leads);
    Ok(before.map(|request| request.id).collect())
}

/// Stays connected until as many are in, telling who asks and who came.
async fn stay(
    uses: u32,
    leads: Option<ChannelId>,
    before: BTreeSet<i64>,
    client: &Client,
    session: &Session<'_>,
) -> Done {
    let (mut signals, option) = (Signals::new()?, session.home.as_option());
    let mut changes = client.tail(leads, None).await.map_err(|error| fault(&error))?;
    let (mut asking, mut came) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let requests = client.requests().await.map_err(|error| fault(&error))?;
        let is_by_this = |channel: Option<ChannelId>, id: &i64| channel == leads || asking.contains(id);
        let new: Vec<_> = requests
            .into_iter()
            .filter(|request| !before.contains(&request.id) && is_by_this(request.channel, &request.id))
            .collect();
        for request in new {
            let name = display_safe_name(&request.name);
            if request.state == RequestState::Waiting && asking.insert(request.id) {
                session.output.note(&format!(
                    "{name} asks to be let in: `waxwing chat accept {}{option}`, or decline",
                    request.id
                ));
            }
            if request.state == RequestState::LetIn && came.insert(request.id) {
                session
                    .output
                    .result("chat.invite.in", json_of(&request), &format!("{name} is in"))?;
            }
        }
        let is_enough = came.len() >= usize::try_from(uses).unwrap_or(usize::MAX);
        if is_enough && client.answers_waiting().await.map_err(|error| fault(&error))? == 0 {
            return Ok(0);
        }
        tokio::select! {
            change = timeout(LOOK, changes.next()) => {
                if let Ok(Err(error)) = change {
                    return Err(fault(&error));
                }
            }
            () = signals.next() => return Ok(0),
        }
    }
}
