//! Invitations that still let somebody in: listed, and their links handed out again.
//!
//! Every invitation is made for somebody, so that asking for one makes a new one; what was lost before it was handed over need
//! not be made twice. A link is put together from what the inbox knows, with a head of today as its pin.

use serde::Serialize;
use waxwing_core::codec::Decode;
use waxwing_seal::inbox::{Inbox, PersonLink};
use waxwing_seal::invitation::Pin;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::error::{AskError, Error};
use crate::message::ChannelId;
use crate::store::inboxes::{self, Inbox as Row};
use crate::store::{StoreError, Transaction, channels};
use crate::trust;

/// An invitation that lets somebody in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct InvitationView {
    /// In this home.
    pub id: i64,
    /// The conversation that it leads to; none if it leads to this person.
    pub channel: Option<ChannelId>,
    /// How many may still use it.
    pub uses_left: u32,
    /// How many might use it at first.
    pub uses: u32,
    /// Whether this person is asked before anybody comes in.
    pub asks: bool,
    /// After this time nobody is let in by it.
    pub expires_ms: u64,
}

fn load(tx: &Transaction<'_>, row: &Row) -> Result<Inbox, StoreError> {
    Ok(Inbox::from_bytes(&channels::engine(tx, row.channel)?)?)
}

/// The invitation in a row, if anybody can still use it.
fn view(tx: &Transaction<'_>, row: &Row, now: u64) -> Result<Option<InvitationView>, StoreError> {
    let inbox = load(tx, row)?;
    let Some(opening) = inbox.opening() else {
        return Ok(None);
    };
    Ok((!inbox.is_over(now)).then(|| InvitationView {
        id: row.channel.0,
        channel: row.leads,
        uses_left: inbox.uses_left(),
        uses: opening.terms.uses.count(),
        asks: !row.is_open,
        expires_ms: row.expires,
    }))
}

impl Client {
    /// The invitations that still let somebody in, oldest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn invitations(&self) -> Result<Vec<InvitationView>, Error> {
        let now = self.core.clock.now();
        self.core
            .read::<_, Error>(move |tx| {
                let mut found = Vec::new();
                for row in inboxes::standing(tx)? {
                    found.extend(view(tx, &row, now)?);
                }
                Ok(found)
            })
            .await
    }

    /// The link of an invitation, once more.
    ///
    /// # Errors
    /// [`AskError::UnknownInvitation`] if nobody can use it any more; or if its ledger is forked.
    pub async fn invitation_link(&self, id: i64) -> Result<Zeroizing<String>, Error> {
        let now = self.core.clock.now();
        let found = self.core.read::<_, Error>(move |tx| {
            let row = standing(tx, id, now)?;
            Ok(load(tx, &row)?)
        });
        let inbox = found.await?;
        let (network, opening) = (inbox.network(), inbox.opening().ok_or(StoreError::Damaged)?);
        let held = trust::load(&self.core, network).await?.follow();
        let nodes = self.core.nodes(network).await?;
        let link = PersonLink {
            network,
            pin: Pin {
                height: held.header().height,
                id: held.id(),
            },
            nodes: nodes.into_iter().map(|node| node.address).collect(),
            account: opening.certificate.account,
            seed: inbox.seed().clone(),
            purpose: opening.terms.purpose.clone(),
        };
        Ok(link.link())
    }

    /// Lets nobody in any more by one invitation.
    ///
    /// # Errors
    /// [`AskError::UnknownInvitation`] if nobody could.
    pub async fn revoke_invitation(&self, id: i64) -> Result<(), Error> {
        let now = self.core.clock.now();
        self.core
            .write::<_, Error>(move |tx| {
                let row = standing(tx, id, now)?;
                Ok(channels::set_live(tx, row.channel, false)?)
            })
            .await?;
        self.core.lists_changed();
        Ok(())
    }
}

fn standing(tx: &Transaction<'_>, id: i64, now: u64) -> Result<Row, Error> {
    let rows = inboxes::standing(tx)?;
    let row = rows.into_iter().find(|row| row.channel.0 == id);
    let row = row.ok_or(Error::Ask(AskError::UnknownInvitation))?;
    view(tx, &row, now)?.ok_or(Error::Ask(AskError::UnknownInvitation))?;
    Ok(row)
}
