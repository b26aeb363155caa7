//! Receipts: what convinces somebody offline that a message was ordered, and where.

use serde::Serialize;
use waxwing_core::Hash;
use waxwing_core::codec::{Decode, Encode};
use waxwing_core::receipt::Receipt;
use waxwing_core::receipt_file::ReceiptFile;

use crate::client::Client;
use crate::error::{Error, Trouble};
use crate::message::MessageId;
use crate::nodes::Fault;
use crate::peer::Peer;
use crate::store::StoreError;
use crate::store::channels::{self, Channel};
use crate::store::epochs::{self, LogPlace};
use crate::store::messages::{self, Message};
use crate::trust;

/// A receipt, and what it proves to whoever trusts the ledger's genesis.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Receipted {
    /// The receipt, to be kept or handed on.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// The ledger.
    pub network: String,
    /// The entry id.
    pub entry: String,
    /// The conversation's log.
    pub log: String,
    /// Index in it.
    pub log_index: u64,
    /// Height of the block.
    pub height: u64,
    /// Certified time of the block, ms since 1970.
    pub ordered_ms: u64,
    /// Its place in the block.
    pub in_block: u32,
    /// Id of the block.
    pub block: String,
    /// Validators that signed the block.
    pub signers: usize,
    /// Validators there are.
    pub validators: usize,
}

impl Client {
    /// The receipt of a final message: from the store, or fetched from a node and verified.
    ///
    /// # Errors
    /// If the message is not final, or no node gives a receipt that proves its place.
    pub async fn receipt(&self, message: MessageId) -> Result<Receipted, Error> {
        let row = self.core.read(move |tx| messages::load(tx, message)).await?;
        let row = row.ok_or(Error::UnknownMessage)?;
        let index = row.log_index.ok_or(Error::NotFinal)?;
        if row.is_told() {
            return Err(Error::OnlyTold);
        }
        if let Some(bytes) = self.core.read(move |tx| messages::receipt(tx, message)).await? {
            let file = ReceiptFile::from_bytes(&bytes).map_err(crate::store::StoreError::from)?;
            return match self.judge(&row, &file).await {
                Err(Trouble::Here(error)) => Err(error),
                Err(Trouble::Node(_)) => Err(crate::store::StoreError::Damaged.into()),
                Ok(receipted) => Ok(receipted),
            };
        }
        let channel_id = row.channel;
        let channel = self.core.read(move |tx| channels::load(tx, channel_id)).await?;
        let channel = channel.ok_or(Error::UnknownChannel)?;
        let place = self.place(&channel, index).await?;
        let mut faults = Vec::new();
        for node in self.core.nodes(channel.network).await? {
            let fetched = async {
                let peer = self.core.peer(channel.network, &node.address).await?;
                let receipt = peer.receipt(place.log, place.index).await?;
                let file = self.with_ladder(channel.network, &peer, receipt).await?;
                self.judge(&row, &file).await
            };
            match fetched.await {
                Ok(receipted) => {
                    let bytes = receipted.bytes.clone();
                    self.core
                        .write(move |tx| messages::set_receipt(tx, message, &bytes))
                        .await?;
                    return Ok(receipted);
                }
                Err(Trouble::Here(error)) => return Err(error),
                Err(Trouble::Node(fault)) => {
                    self.core.blame(channel.network, node.address.id(), &fault).await?;
                    faults.push((node.address.id(), fault));
                }
            }
        }
        Err(if faults.is_empty() {
            Error::NoNodes
        } else {
            Error::NobodyServed(faults)
        })
    }

    /// Where in which of the conversation's logs it stands.
    async fn place(&self, channel: &Channel, number: u64) -> Result<LogPlace, Error> {
        let channel = channel.clone();
        let place = self.core.read(move |tx| epochs::place(tx, &channel, number)).await?;
        Ok(place.ok_or(StoreError::Damaged)?)
    }

    /// The receipt with the changes of the committee that lead to its own: whoever gets it knows the founding one.
    async fn with_ladder(&self, network: Hash, peer: &Peer, receipt: Receipt) -> Result<ReceiptFile, Trouble> {
        let genesis = trust::load(&self.core, network).await?.genesis;
        let header = &receipt.head.header;
        let mut ladder = Vec::new();
        if header.committee != genesis.committee().hash(&genesis.keys()) {
            (_, ladder) = trust::changes(peer, &genesis, header.height).await?;
            ladder.retain(|rung| rung.head.header.height < header.height);
        }
        Ok(ReceiptFile { ladder, receipt })
    }

    /// Verifies a receipt, and compares it with the place that the recomputed log has shown.
    async fn judge(&self, row: &Message, file: &ReceiptFile) -> Result<Receipted, Trouble> {
        let channel_id = row.channel;
        let channel = self.core.read(move |tx| channels::load(tx, channel_id)).await?;
        let channel = channel.ok_or(Error::UnknownChannel)?;
        let network = channel.network;
        let place = self.place(&channel, row.log_index.ok_or(Error::NotFinal)?).await?;
        let genesis = trust::load(&self.core, network).await?.genesis;
        let (ordered, committee) = file.verify(&genesis).map_err(Fault::Receipt)?;
        let is_this = Some(ordered.entry) == row.entry
            && (ordered.log, ordered.index) == (place.log, place.index)
            && Some(ordered.place) == row.place;
        if !is_this {
            return Err(Fault::OtherReceipt.into());
        }
        Ok(Receipted {
            bytes: file.to_bytes(),
            network: network.to_string(),
            entry: ordered.entry.to_string(),
            log: ordered.log.to_string(),
            log_index: ordered.index,
            height: ordered.place.height,
            ordered_ms: ordered.place.time,
            in_block: ordered.place.in_block,
            block: ordered.block.to_string(),
            signers: file.receipt.head.certificate.signatures.signers().count(),
            validators: committee.members().len(),
        })
    }
}
