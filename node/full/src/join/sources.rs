//! Whom a joining node asks next. Pure: what is known of each source goes in, a choice comes out.
//!
//! Everything that comes is verified, so a bad choice costs time and never truth. Work is spread over all that answer; who
//! lied is asked last, who is busy or failed is left alone for a while, and who joined lately itself is not asked again for
//! what it does not have.

use waxwing_core::snapshot::Ask;

/// How long a source is left alone that failed, for each failure in a row.
const PAUSE_MS: u64 = 250;

/// The longest such pause.
const PAUSE_MS_MAX: u64 = 8_000;

/// A kind of part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Opening,
    Outline,
    Logs,
    Headers,
    Window,
}

impl Part {
    pub(super) const fn of(ask: &Ask) -> Self {
        match ask {
            Ask::Opening { .. } => Self::Opening,
            Ask::Outline { .. } => Self::Outline,
            Ask::Logs(_) => Self::Logs,
            Ask::Headers { .. } => Self::Headers,
            Ask::Window { .. } => Self::Window,
        }
    }
}

/// What is known of one source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Standing {
    pub(super) is_connected: bool,
    /// Whether it ever sent something that does not verify.
    pub(super) is_liar: bool,
    faults_in_a_row: u32,
    pub(super) under_way: u32,
    /// By the steady clock.
    paused_until_ms: u64,
    lacks: Vec<Part>,
}

impl Standing {
    /// It failed or lied: it is left alone for a while.
    pub(super) fn failed(&mut self, now_ms: u64) {
        self.faults_in_a_row = self.faults_in_a_row.saturating_add(1);
        let pause = PAUSE_MS << self.faults_in_a_row.min(6);
        self.pause(now_ms, pause.min(PAUSE_MS_MAX));
    }

    pub(super) const fn pause(&mut self, now_ms: u64, pause_ms: u64) {
        self.paused_until_ms = now_ms.saturating_add(pause_ms);
    }

    /// What it sent holds.
    pub(super) const fn delivered(&mut self) {
        self.faults_in_a_row = 0;
    }

    /// It does not have parts of this kind.
    pub(super) fn lacks(&mut self, part: Part) {
        if !self.lacks.contains(&part) {
            self.lacks.push(part);
        }
    }

    /// Whether it may be dialled or asked now.
    pub(super) const fn is_rested(&self, now_ms: u64) -> bool {
        self.paused_until_ms <= now_ms
    }
}

/// The source to ask for a part; `preferred` if it can. `None` if nobody can be asked now.
pub(super) fn choose(standings: &[Standing], part: Part, preferred: Option<usize>, now_ms: u64) -> Option<usize> {
    let can =
        |standing: &Standing| standing.is_connected && standing.is_rested(now_ms) && !standing.lacks.contains(&part);
    let able = standings.iter().enumerate().filter(|(_, standing)| can(standing));
    let rank = |(index, standing): &(usize, &Standing)| {
        let is_preferred = Some(*index) == preferred;
        (standing.is_liar, !is_preferred, standing.under_way, *index)
    };
    able.min_by_key(rank).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected() -> Standing {
        Standing {
            is_connected: true,
            ..Standing::default()
        }
    }

    #[test]
    fn work_is_spread_over_all_that_answer() {
        let mut nodes = [connected(), Standing::default(), connected()];
        assert_eq!(choose(&nodes, Part::Logs, None, 0), Some(0));
        nodes[0].under_way = 1;
        assert_eq!(choose(&nodes, Part::Logs, None, 0), Some(2));
        assert_eq!(
            choose(&nodes, Part::Outline, Some(0), 0),
            Some(0),
            "an outline comes from one source"
        );
    }

    #[test]
    fn who_failed_rests_and_who_lied_is_asked_last() {
        let mut nodes = [connected(), connected()];
        nodes[0].failed(1000);
        assert_eq!(choose(&nodes, Part::Logs, None, 1000), Some(1));
        assert_eq!(choose(&nodes, Part::Logs, None, 1000 + 2 * PAUSE_MS), Some(0));
        nodes[0].is_liar = true;
        nodes[1].under_way = 100;
        assert_eq!(choose(&nodes, Part::Logs, Some(0), 9000), Some(1));
        nodes[1].is_connected = false;
        assert_eq!(choose(&nodes, Part::Logs, None, 9000), Some(0), "but it is asked");
        (0..90).for_each(|_| nodes[0].failed(9000));
        assert_eq!(
            choose(&nodes, Part::Logs, None, 9000 + PAUSE_MS_MAX),
            Some(0),
            "and not left alone for ever"
        );
    }

    #[test]
    fn who_lacks_a_part_is_asked_for_the_others() {
        let mut nodes = [connected()];
        nodes[0].lacks(Part::Window);
        assert_eq!(choose(&nodes, Part::Window, None, 0), None);
        assert_eq!(choose(&nodes, Part::Logs, None, 0), Some(0));
    }
}
