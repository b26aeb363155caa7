//! What still holds, and what to do next: the part of a report that a person acts on.

use waxwing_core::verdict::Verdict;

use super::Report;
use crate::finding::{Coverage, Fault};
use crate::words::count;

impl Report {
    /// What can still be relied on, a sentence each.
    #[must_use]
    pub fn holds(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let (Some(good), Some(head)) = (self.good, self.head) else {
            return lines;
        };
        let is_broken = self.findings.iter().any(crate::finding::Finding::breaks_order);
        if is_broken {
            lines.push(match good.height {
                0 => "nothing but the founding facts".to_owned(),
                height => format!("every block, signature, stamp and root up to block {height}"),
            });
        } else {
            lines.push(format!(
                "the order: every block, signature, stamp and root up to block {}",
                head.height
            ));
        }
        let Some(first) = self.first() else { return lines };
        match first.fault {
            Fault::Body(_) => lines.push(format!(
                "{}; proofs and receipts do not need bodies",
                count(self.bodies.present, "other body", "other bodies")
            )),
            Fault::Row { .. } => {
                lines.push("all entries and bodies: the row can be computed again from them".to_owned())
            }
            _ => {}
        }
        lines
    }

    /// What to do next, a sentence each.
    #[must_use]
    pub fn next_steps(&self) -> Vec<String> {
        let lines: &[&str] = match self.verdict {
            Verdict::Verified => &[],
            Verdict::Incomplete if self.joined.is_some() => &[
                "let the node run until it has filled in what came before, then audit once more",
                "or audit the directory of a node that has the whole history",
            ],
            Verdict::Incomplete if self.missing_blocks().is_some() => &[
                "get the later blocks: from the node this came from, another node, or a newer backup",
                "if nobody has them, keep this copy: the policy's head proves that they existed",
            ],
            Verdict::Incomplete => {
                &["ask another node for the bodies; if it has them, the one this came from withholds them"]
            }
            Verdict::Unanchored if self.anchor.is_some() => &[
                "the policy pins another network: give the policy of the network that you mean, or the history that belongs \
                 to this policy",
            ],
            Verdict::Unanchored => {
                &["get the network's policy from somebody you trust, and give it with --policy FILE"]
            }
            Verdict::Diverged => &[
                "keep this copy and whatever the policy was made from: two certified histories are evidence",
                "do not write on this network until its operators have explained it",
            ],
            Verdict::Malformed => &[
                "read it again, from another disk or with another copy: unreadable bytes say nothing about tampering",
                "replace it by a backup, or copy the history again from another node",
            ],
            Verdict::Tampered => self.next_after_tampering(),
        };
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    fn next_after_tampering(&self) -> &'static [&'static str] {
        let Some(first) = self.first() else { return &[] };
        match (&first.fault, first.coverage) {
            (Fault::Row { .. }, _) => &[
                "do not serve from this directory: clients that use this row would refuse what they get",
                "copy the history into an empty directory, which computes the row again, and audit that",
            ],
            (Fault::Genesis, _) => &["put the network's genesis in its place again, and audit once more"],
            (_, Coverage::Later) => &[
                "copy the history into an empty directory from another node, which has the right certificate",
                "clients refuse this block's receipts from here: do not serve from this directory",
            ],
            (_, Coverage::Certified) => &[
                "keep this copy: it shows what the validators certified against the rules",
                "compare with other nodes; if they have the same block, do not rely on this network's validators",
            ],
            _ => &[
                "keep this copy unchanged: it is the evidence",
                "audit another copy of this network; where they differ, the certified one is right",
                "put a backup in its place, or copy the history again from another node",
            ],
        }
    }
}
