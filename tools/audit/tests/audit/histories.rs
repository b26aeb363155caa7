//! Small histories with everything in them: several logs, erased, expired and withheld bodies, empty blocks.

use waxwing_audit::fixture::{CHEAP, Founder, Note, erase};
use waxwing_audit::report::Report;
use waxwing_audit::source::{Blocks, SourceError, SourceKind};
use waxwing_audit::{HistorySource, audit};
use waxwing_core::block::CertifiedBlock;
use waxwing_core::envelope::{Body, KeepFor};
use waxwing_core::genesis::Genesis;
use waxwing_core::limits::DAY_MS;
use waxwing_core::policy::{PinnedHead, Policy};

/// A history as a list, to be changed by tests.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) genesis: Genesis,
    pub(crate) blocks: Vec<CertifiedBlock>,
}

/// Seven blocks, eleven entries, three logs. The second entry of block 2 is erased; the first of block 3 expires after
/// a day, and block 6 comes two days later; block 5 is empty.
pub(crate) fn honest() -> History {
    let mut founder = Founder::new("audited", 4, CHEAP);
    let (genesis, mut blocks) = (founder.genesis().clone(), Vec::new());
    let kept = |writer, body: &[u8]| Note::new(writer, body);
    blocks.push(founder.block(100, &[kept(1, b"one"), kept(2, b"two"), kept(1, b"three")]));
    let erased = kept(2, b"to be erased");
    blocks.push(founder.block(100, &[kept(1, b"four"), erased.clone(), kept(3, b"five")]));
    erase(&mut blocks[1].entries[1], &erased);
    blocks.push(founder.block(
        100,
        &[
            kept(3, b"for a day").keep(KeepFor::Day),
            kept(1, b"for a year").keep(KeepFor::Year),
        ],
    ));
    blocks[2].entries[0].body = Body::Expired;
    blocks.push(founder.block(100, &[kept(2, &[7; 3000])]));
    blocks.push(founder.block(100, &[]));
    blocks.push(founder.block(2 * DAY_MS, &[kept(1, b"late")]));
    blocks.push(founder.block(100, &[kept(2, b"last")]));
    History { genesis, blocks }
}

/// One block with an entry and an erased one, certified by one validator: small enough to try every bit.
pub(crate) fn tiny() -> History {
    let mut founder = Founder::new("tiny", 1, CHEAP);
    let genesis = founder.genesis().clone();
    let erased = Note::new(2, b"gone");
    let mut block = founder.block(100, &[Note::new(1, b"a"), erased.clone()]);
    erase(&mut block.entries[1], &erased);
    History {
        genesis,
        blocks: vec![block],
    }
}

impl History {
    pub(crate) fn source(&self) -> impl HistorySource + use<> {
        let claimed = u64::try_from(self.blocks.len()).ok();
        let blocks: Vec<Result<CertifiedBlock, SourceError>> = self.blocks.iter().cloned().map(Ok).collect();
        Blocks::new(self.genesis.clone(), SourceKind::Memory, claimed, blocks.into_iter())
    }

    pub(crate) fn audit(&self, policy: Option<&Policy>) -> Report {
        audit(&mut self.source(), policy, &mut |_| ()).unwrap()
    }

    /// Under the policy that pins its network.
    pub(crate) fn verdict(&self) -> Report {
        self.audit(Some(&self.policy()))
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy {
            genesis: self.genesis.clone(),
            head: None,
        }
    }

    /// The policy that also pins a block of this history.
    pub(crate) fn policy_at(&self, height: usize) -> Policy {
        let header = &self.blocks[height - 1].head.header;
        let head = PinnedHead {
            height: header.height,
            id: header.id(&self.genesis.keys()),
        };
        Policy {
            head: Some(head),
            ..self.policy()
        }
    }

    /// A block, by its height.
    pub(crate) fn at(&mut self, height: usize) -> &mut CertifiedBlock {
        &mut self.blocks[height - 1]
    }
}
