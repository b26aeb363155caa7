//! How two people get together: an invitation, a request, and the answer to it.
//!
//! ```text
//! open.rs   entries of inboxes ──> what happened         ask.rs    a link ──> a request ──> joined, or told no
//! post.rs   what is put into an inbox                    admit.rs  a request ──> consent ──> a member, welcomed
//! known.rs  an inbox for each contact                    add.rs    somebody known ──> a member, welcomed
//! invited.rs  a welcome ──> consent ──> joined           siblings.rs  own devices ──> whatever one of them is in
//! chores.rs   ends that nobody announces                 standing.rs  invitations that still let somebody in
//! expected.rs headers ──> the bodies that are fetched
//! ```
//!
//! Invitations lead to a group, or to this person. Of the first kind whoever asks is let in as soon as a member is connected,
//! unless the invitation says that this person is to be asked; a link to the person always waits for consent.

mod add;
pub(crate) mod admit;
mod ask;
pub(crate) mod chores;
pub(crate) mod expected;
mod invited;
pub(crate) mod known;
pub(crate) mod open;
pub(crate) mod post;
mod siblings;
mod standing;

pub use add::{AddError, Adding};
pub use standing::InvitationView;

use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;
use waxwing_core::Hash;
use waxwing_core::codec::Encode;
use waxwing_seal::ChannelSecret;
use waxwing_seal::content::Name;
use waxwing_seal::inbox::{Inbox, PersonLink, Purpose, Reason, Terms, Uses};
use waxwing_seal::invitation::{ChannelName, Pin};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::error::{AskError, Error};
use crate::limits::NOTICE_MS;
use crate::message::{ChannelId, MessageId};
use crate::store::channels::{ChannelKind, New};
use crate::store::inboxes::{self, Asked, AskedState, Request, RequestState, Wish};
use crate::store::{self, StoreError, Transaction, channels, contacts};
use crate::{account, chance, trust};

/// What an invitation is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inviting {
    /// How many may use it.
    pub uses: Uses,
    /// For how long, in ms.
    pub valid_ms: u64,
    /// Whether this person is asked before anybody comes in. A link to the person always asks.
    pub asks: bool,
}

/// An invitation that was made.
#[derive(Clone)]
pub struct Invited {
    /// What to hand over: whoever has it can ask.
    pub link: Zeroizing<String>,
    /// What opens the inbox; whoever asks has to wait until it is final.
    pub opening: MessageId,
    /// After this time nobody is let in by it.
    pub expires_ms: u64,
}

/// Keeps the link out of log lines.
impl core::fmt::Debug for Invited {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Invited(until {})", self.expires_ms)
    }
}

/// Somebody who asked, as a list shows it. Name and note are a stranger's: hostile.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct RequestView {
    /// In this home.
    pub id: i64,
    /// Whose request it is.
    pub account: String,
    /// From which device.
    pub device: String,
    /// The name it claims.
    pub name: String,
    /// What it says.
    pub note: String,
    /// The conversation that it wants to be in; none if it wants to write to this person. Of an invitation the conversation
    /// that it led to.
    pub channel: Option<ChannelId>,
    /// Whether it is they who invite this person: what into.
    pub invites: Option<InvitesView>,
    /// Certified time of the request, ms since 1970.
    pub asked_ms: u64,
    /// How far it is.
    pub state: RequestState,
}

/// A group that somebody who is known has added this account to. Its name is hostile.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct InvitesView {
    /// What its members call it; none if it is a conversation of two.
    pub name: Option<String>,
    /// People in it, this one among them.
    pub people: u64,
}

/// Where this device asked to be let in.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct AskedView {
    /// In this home.
    pub id: i64,
    /// The ledger.
    pub network: String,
    /// Who was asked.
    pub account: String,
    /// What it leads to, as its owner says; hostile. None before the inbox was read.
    pub name: Option<String>,
    /// How far it is.
    pub state: AskedState,
    /// The conversation, once this device is in.
    pub channel: Option<ChannelId>,
    /// When, by this device's clock.
    pub asked_ms: u64,
    /// Why it leads nowhere.
    pub reason: Option<String>,
}

/// What strangers and links say reaches no log line by way of `{:?}`.
mod quiet {
    use core::fmt::{Debug, Formatter, Result};

    use super::{AskedView, InvitesView, RequestView};

    impl Debug for InvitesView {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            write!(f, "InvitesView({} people)", self.people)
        }
    }

    impl Debug for RequestView {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            write!(f, "RequestView({}, {:?}, {})", self.id, self.state, self.account)
        }
    }

    impl Debug for AskedView {
        fn fmt(&self, f: &mut Formatter<'_>) -> Result {
            write!(f, "AskedView({}, {:?}, {})", self.id, self.state, self.account)
        }
    }
}

/// Invitations and requests.
impl Client {
    /// Makes an invitation to a group. Needs no network; whoever has the link can ask as soon as the opening is final.
    ///
    /// # Errors
    /// If the conversation has no group, this device is not in it, or its ledger is forked.
    pub async fn invite_to_group(&self, channel: ChannelId, inviting: Inviting) -> Result<Invited, Error> {
        let row = self.core.read(move |tx| channels::load(tx, channel)).await?;
        let row = row.ok_or(Error::UnknownChannel)?;
        if row.kind != ChannelKind::Group {
            return Err(Error::NoGroup);
        }
        if !row.is_live {
            return Err(Error::NotAMember);
        }
        let purpose = Purpose::Channel(ChannelName::new(row.name)?);
        self.open_inbox(row.network, Some(channel), purpose, inviting).await
    }

    /// Makes an invitation to write to this person. Every request waits for consent.
    ///
    /// # Errors
    /// If the ledger is not known, or forked.
    pub async fn invite_contact(&self, network: Hash, inviting: Inviting) -> Result<Invited, Error> {
        let inviting = Inviting { asks: true, ..inviting };
        self.open_inbox(network, None, Purpose::Contact, inviting).await
    }

    async fn open_inbox(
        &self,
        network: Hash,
        leads: Option<ChannelId>,
        purpose: Purpose,
        inviting: Inviting,
    ) -> Result<Invited, Error> {
        let held = trust::load(&self.core, network).await?.follow();
        let nodes = self.core.nodes(network).await?;
        let now = self.core.clock.now();
        let expires_ms = now.saturating_add(inviting.valid_ms);
        let (account, seed, opening, purpose) = self
            .core
            .write::<_, Error>(move |tx| {
                let myself = account::myself(tx, network, now)?;
                let (_, name) = store::device(tx)?;
                let terms = Terms {
                    name: Name::new(name)?,
                    purpose: purpose.clone(),
                    expires_ms,
                    uses: inviting.uses,
                    card: account::cards::own_address(tx, network, now)?,
                };
                let opened = Inbox::open(network, &myself, terms, &mut chance::fill).map_err(Error::Post)?;
                let (inbox, sealed) = opened;
                let channel = insert(tx, &inbox, now)?;
                let row = inboxes::Inbox {
                    channel,
                    leads,
                    is_open: !inviting.asks,
                    expires: expires_ms,
                };
                inboxes::insert_inbox(tx, &row)?;
                let channel = channels::load(tx, channel)?.ok_or(StoreError::Damaged)?;
                let opening = post::queue(tx, &channel, &sealed, now)?;
                Ok((myself.member().account, inbox.seed().clone(), opening, purpose))
            })
            .await?;
        self.core.lists_changed();
        self.core.outbox_changed();
        let link = PersonLink {
            network,
            pin: Pin {
                height: held.header().height,
                id: held.id(),
            },
            nodes: nodes.into_iter().map(|node| node.address).collect(),
            account,
            seed,
            purpose,
        };
        Ok(Invited {
            link: link.link(),
            opening,
            expires_ms,
        })
    }

    /// Lets nobody in any more by the invitations to a conversation, or to this person. Says how many there were.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn revoke_invitations(&self, leads: Option<ChannelId>) -> Result<usize, Error> {
        let revoked = self
            .core
            .write::<_, Error>(move |tx| {
                let open = inboxes::invitations(tx, leads)?;
                for inbox in &open {
                    channels::set_live(tx, inbox.channel, false)?;
                }
                Ok(open.len())
            })
            .await?;
        self.core.lists_changed();
        Ok(revoked)
    }

    /// Who asked to be let in, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn requests(&self) -> Result<Vec<RequestView>, Error> {
        self.core
            .read::<_, Error>(|tx| {
                let requests = inboxes::requests(tx)?;
                requests
                    .into_iter()
                    .map(|request| Ok(view_of_request(tx, request)?))
                    .collect()
            })
            .await
    }

    /// How much of what this device put into inboxes is not final: as long as there is some, whoever was let in may still
    /// wait for the answer.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn answers_waiting(&self) -> Result<u64, Error> {
        Ok(self.core.read(|tx| inboxes::on_their_way(tx)).await?)
    }

    /// Lets somebody in who asked; or comes in where somebody invites to. An invitation that leads nowhere any more is over.
    ///
    /// # Errors
    /// If there is no such request that waits, or what it leads to is gone.
    pub async fn accept_request(&self, request: i64) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.answer(request, move |tx, request| match &request.wish {
            Wish::ComeIn(taken) => admit::accept(tx, request, taken, now),
            Wish::Invite(welcomed) => invited::accept(tx, request, welcomed, now),
        })
        .await
    }

    /// Tells somebody no who asked; or deletes an invitation, which nobody is told.
    ///
    /// # Errors
    /// If there is no such request that waits.
    pub async fn decline_request(&self, request: i64) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.answer(request, move |tx, request| match &request.wish {
            Wish::ComeIn(taken) => admit::decline(tx, request, (taken, Reason::Unsaid), now),
            Wish::Invite(_) => invited::decline(tx, request),
        })
        .await
    }

    async fn answer(
        &self,
        request: i64,
        answer: impl FnOnce(&mut Transaction<'_>, &Request) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        self.core
            .write::<_, Error>(move |tx| {
                let found = inboxes::request(tx, request)?.filter(|found| found.state == RequestState::Waiting);
                answer(tx, &found.ok_or(Error::Ask(AskError::UnknownRequest))?)
            })
            .await?;
        self.core.lists_changed();
        self.core.outbox_changed();
        Ok(())
    }

    /// Asks to be let in by a person's link. When this returns the wish is durable; the request itself is made as soon as a
    /// node gives the inbox, and answered when the other is connected.
    ///
    /// # Errors
    /// If no node serves, or the block that the link pins is not in the history that this home has checked.
    pub(crate) async fn ask(&self, link: PersonLink, note: &str) -> Result<i64, Error> {
        let (note, now) = (note.to_owned(), self.core.clock.now());
        let asked = self.core.write(move |tx| ask::begin(tx, &link, &note, now)).await?;
        self.core.lists_changed();
        Ok(asked)
    }

    /// Where this device asked, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn asked(&self) -> Result<Vec<AskedView>, Error> {
        let asked = self.core.read(|tx| inboxes::all_asked(tx)).await?;
        Ok(asked.into_iter().map(view_of_asked).collect())
    }

    /// Waits until a request is answered, following its ledger meanwhile.
    ///
    /// # Errors
    /// [`AskError::StillAsking`] when the time is over; the request stays.
    pub async fn answered(&self, asked: i64, within: Duration) -> Result<AskedView, Error> {
        self.start();
        let answered = async {
            let mut writes = self.core.writes();
            loop {
                let found = self.core.read(move |tx| inboxes::asked(tx, asked)).await?;
                let view = view_of_asked(found.ok_or(Error::Ask(AskError::UnknownRequest))?);
                if !matches!(view.state, AskedState::Asking | AskedState::Asked) {
                    return Ok(view);
                }
                let _ = timeout(Duration::from_millis(NOTICE_MS), writes.changed()).await;
            }
        };
        timeout(within, answered)
            .await
            .unwrap_or(Err(Error::Ask(AskError::StillAsking)))
    }
}

fn insert(tx: &Transaction<'_>, inbox: &Inbox, now: u64) -> Result<ChannelId, Error> {
    let seed = inbox.keys().log_key().seed();
    let new = New {
        kind: ChannelKind::Inbox,
        network: inbox.network(),
        log: inbox.log(),
        secret: &ChannelSecret::from_bytes(*seed),
        name: "",
        engine: &inbox.to_bytes(),
    };
    channels::insert_any(tx, &new, now)?.map_err(|_| Error::TooManyChannels)
}

fn view_of_request(tx: &Transaction<'_>, request: Request) -> Result<RequestView, StoreError> {
    let (device, name, note, invites) = match request.wish {
        Wish::ComeIn(taken) => {
            let said = taken.request;
            let note = said.note.as_str().to_owned();
            (said.certificate.device, said.name.as_str().to_owned(), note, None)
        }
        Wish::Invite(welcomed) => {
            let contact = contacts::find(tx, request.account)?;
            let invites = InvitesView {
                name: Some(welcomed.called).filter(|name| !name.is_empty()),
                people: welcomed.members,
            };
            let name = contact.map_or_else(String::new, |contact| contact.name().to_owned());
            (welcomed.device, name, String::new(), Some(invites))
        }
    };
    Ok(RequestView {
        id: request.id,
        account: request.account.to_string(),
        device: device.to_string(),
        name,
        note,
        channel: request.leads,
        invites,
        asked_ms: request.time,
        state: request.state,
    })
}

fn view_of_asked(asked: Asked) -> AskedView {
    AskedView {
        id: asked.id,
        network: asked.network.to_string(),
        account: asked.account.to_string(),
        name: asked.name,
        state: asked.state,
        channel: asked.joined,
        asked_ms: asked.time,
        reason: asked.reason,
    }
}
