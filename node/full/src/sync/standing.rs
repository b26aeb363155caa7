//! Which upstream node is used next. Pure: what is known of each goes in, a choice comes out.
//!
//! Whatever an upstream says is verified, so a bad choice costs time and never truth. The order of preference: who has
//! what is missing here, who has not lied, who has not just failed, the one in use (changing for its own sake would throw
//! away a warm connection), validators, the order in the settings.

use std::collections::BTreeSet;

use super::faults::UpstreamFault;

/// What is known of one upstream node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Standing {
    /// Whether there is a connection.
    pub(super) is_connected: bool,
    /// Whether it says that it orders.
    pub(super) is_validator: bool,
    /// Height of the newest head that it showed and that was verified here.
    pub(super) announced: u64,
    /// The last thing that was wrong with it, and when (ms since 1970).
    pub(super) fault: Option<(UpstreamFault, u64)>,
    /// Faults since it last delivered something that verified.
    pub(super) faults_in_a_row: u32,
    /// Whether it ever did something that an honest node does not do.
    pub(super) is_grave: bool,
}

impl Standing {
    /// Notes a fault.
    pub(super) fn note(&mut self, fault: UpstreamFault, now_ms: u64) {
        self.faults_in_a_row = self.faults_in_a_row.saturating_add(1);
        self.is_grave |= fault.is_grave();
        self.fault = Some((fault, now_ms));
    }

    /// Notes that something it delivered was verified.
    pub(super) const fn delivered(&mut self) {
        self.faults_in_a_row = 0;
    }
}

/// Nodes that lack a body which nobody has been found to have, and the block it is in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Withheld {
    height: u64,
    by: BTreeSet<usize>,
}

impl Withheld {
    /// Notes that a node lacks a body of a block.
    pub(super) fn note(&mut self, height: u64, by: usize) {
        if self.height != height {
            *self = Self {
                height,
                by: BTreeSet::new(),
            };
        }
        self.by.insert(by);
    }

    /// Whether every node that has the block lacks the body, so that waiting for it would be waiting for ever.
    pub(super) fn by_all(&self, height: u64, standings: &[Standing]) -> bool {
        self.height == height && choose(standings, height, None, Some(self)).is_none()
    }

    fn excludes(&self, index: usize, height: u64) -> bool {
        self.height == height && self.by.contains(&index)
    }
}

/// The node to ask for the block at `height`, and for what follows; `None` if nobody has it.
pub(super) fn choose(
    standings: &[Standing],
    height: u64,
    current: Option<usize>,
    withheld: Option<&Withheld>,
) -> Option<usize> {
    let has_block = |(index, standing): &(usize, &Standing)| {
        let excluded = withheld.is_some_and(|withheld| withheld.excludes(*index, height));
        standing.is_connected && standing.announced >= height && !excluded
    };
    let rank = |(index, standing): &(usize, &Standing)| {
        (
            standing.is_grave,
            standing.faults_in_a_row,
            Some(*index) != current,
            !standing.is_validator,
            *index,
        )
    };
    let found = standings.iter().enumerate().filter(has_block).min_by_key(rank);
    found.map(|(index, _)| index)
}

/// In which order nodes are asked for what any may answer: validators first, liars last.
pub(super) fn order(standings: &[Standing]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..standings.len())
        .filter(|index| standings.get(*index).is_some_and(|standing| standing.is_connected))
        .collect();
    order.sort_by_key(|index| {
        standings
            .get(*index)
            .map(|standing| (standing.is_grave, !standing.is_validator, standing.faults_in_a_row))
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::faults::Lie;

    fn at(announced: u64) -> Standing {
        Standing {
            is_connected: true,
            announced,
            ..Standing::default()
        }
    }

    #[test]
    fn only_who_is_connected_and_has_the_block_is_asked() {
        let away = Standing {
            is_connected: false,
            ..at(9)
        };
        assert_eq!(choose(&[away.clone(), at(4), at(5)], 5, None, None), Some(2));
        assert_eq!(choose(&[away, at(4)], 5, None, None), None);
    }

    #[test]
    fn the_node_in_use_is_kept_until_it_fails() {
        let mut nodes = [at(9), at(9)];
        assert_eq!(choose(&nodes, 5, Some(1), None), Some(1));
        nodes[1].note(UpstreamFault::Stalled { height: 5 }, 0);
        assert_eq!(choose(&nodes, 5, Some(1), None), Some(0));
        nodes[1].delivered();
        assert_eq!(choose(&nodes, 5, Some(1), None), Some(1));
    }

    #[test]
    fn who_lied_once_is_used_last() {
        let mut nodes = [at(9), at(9)];
        nodes[0].is_validator = true;
        nodes[0].note(UpstreamFault::Lied(Lie::Nonsense), 0);
        nodes[0].delivered();
        for _ in 0..5 {
            nodes[1].note(UpstreamFault::Stalled { height: 5 }, 0);
        }
        assert_eq!(choose(&nodes, 5, Some(0), None), Some(1));
        assert_eq!(choose(&nodes[..1], 5, None, None), Some(0), "but it is used");
        assert_eq!(order(&nodes), [1, 0]);
    }

    #[test]
    fn a_body_that_all_lack_is_not_waited_for() {
        let nodes = [at(9), at(9), at(4)];
        let mut withheld = Withheld::default();
        withheld.note(5, 0);
        assert_eq!(choose(&nodes, 5, Some(0), Some(&withheld)), Some(1));
        assert!(!withheld.by_all(5, &nodes));
        withheld.note(5, 1);
        assert!(withheld.by_all(5, &nodes), "the third does not have the block");
        assert!(!withheld.by_all(6, &nodes));
        withheld.note(6, 1);
        assert_eq!(
            choose(&nodes, 5, None, Some(&withheld)),
            Some(0),
            "another block, another list"
        );
    }

    #[test]
    fn validators_are_asked_first() {
        let mut nodes = [at(1), at(1), at(1)];
        nodes[2].is_validator = true;
        nodes[1].is_connected = false;
        assert_eq!(order(&nodes), [2, 0]);
    }
}
