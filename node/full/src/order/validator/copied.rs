//! Blocks that others certified: how a follower follows, and how a validator comes back after an absence.

use waxwing_core::Verified;
use waxwing_core::certificate::Head;
use waxwing_core::ledger::BlockError;
use waxwing_order::{Guard, Step};
use waxwing_store::Tables;

use super::{Fault, Validator};
use crate::order::event::{Action, CopiedBlock, Now};

impl<T: Tables> Validator<T> {
    /// Checks a copied block against the ledger and makes it part of it.
    pub(super) fn copied(&mut self, block: CopiedBlock, now: Now) -> Result<(), Fault> {
        let CopiedBlock {
            head,
            entries,
            evidence,
        } = block;
        let height = head.header.height;
        self.meet_own_signature(&head)?;
        let chain = &self.shared.chain;
        let checked = chain.ledger().check(chain.store(), &head.header, entries, evidence);
        let outcome = match checked {
            Ok(step) => {
                let certificate = head.into_inner().certificate;
                self.apply(step, &certificate, now)?;
                Ok(())
            }
            Err(BlockError::Read(error)) => return Err(Fault::Store(error)),
            Err(error) => Err(Box::new(error)),
        };
        self.out.push(Action::Copied { height, outcome });
        Ok(())
    }

    /// A certificate with a signature of our key that we have not made: the key votes on another machine, and both
    /// would sooner or later contradict each other.
    fn meet_own_signature(&self, head: &Verified<Head>) -> Result<(), Fault> {
        let Some(seat) = &self.seat else { return Ok(()) };
        // By the ledger's rules, checked behind this, the committee is the one of the next block.
        let Ok(place) = seat.committee.members().binary_search(&seat.me) else {
            return Ok(());
        };
        let certificate = &head.certificate;
        let claimed = Guard {
            height: head.header.height,
            round: certificate.round,
            step: Step::Precommit,
        };
        let is_ours = certificate.signatures.signers().any(|signer| signer == place);
        let is_next = head.header.height == self.height() + 1 && head.header.term == seat.committee.term();
        if is_ours && is_next && self.guard.max(seat.host.signed()) < claimed {
            return Err(Fault::SecondMachine {
                height: head.header.height,
            });
        }
        Ok(())
    }
}
