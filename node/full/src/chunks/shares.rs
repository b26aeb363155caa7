//! How much of the room one address may take: a share of what is left to it and others, so that whoever comes later finds
//! room as well. Pure: the time is an argument.
//!
//! What an address has put is remembered in memory, never on disk and never beside a chunk, and fades over the days for which
//! chunks are kept at most. A restart forgets it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::limits::ADDRESSES_MAX;

/// What an address has put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Put {
    bytes: u64,
    /// By the steady clock.
    at_ms: u64,
}

/// Everybody's.
#[derive(Debug)]
pub(super) struct Shares {
    percent: u64,
    fades_ms: u64,
    by_address: BTreeMap<IpAddr, Put>,
}

impl Shares {
    /// So much of the room for each, in percent; forgotten after so long.
    pub(super) const fn new(percent: u64, fades_ms: u64) -> Self {
        Self {
            percent,
            fades_ms,
            by_address: BTreeMap::new(),
        }
    }

    /// Takes so many bytes of an address's share, if they are within it while so many are free for anybody.
    pub(super) fn take(&mut self, address: IpAddr, bytes: u64, free: u64, now_ms: u64) -> bool {
        let put = self.put(&address, now_ms);
        let after = put.saturating_add(bytes);
        let share = u128::from(free.saturating_add(put)) * u128::from(self.percent) / 100;
        if u128::from(after) > share {
            return false;
        }
        if !self.by_address.contains_key(&address) && self.by_address.len() >= ADDRESSES_MAX {
            self.forget_one();
        }
        let put = Put {
            bytes: after,
            at_ms: now_ms,
        };
        self.by_address.insert(address, put);
        true
    }

    /// What was taken came to nothing.
    pub(super) fn give_back(&mut self, address: IpAddr, bytes: u64) {
        if let Some(put) = self.by_address.get_mut(&address) {
            put.bytes = put.bytes.saturating_sub(bytes);
        }
    }

    /// What an address has put, as far as it is not forgotten.
    fn put(&self, address: &IpAddr, now_ms: u64) -> u64 {
        let Some(put) = self.by_address.get(address) else {
            return 0;
        };
        let passed = now_ms.saturating_sub(put.at_ms).min(self.fades_ms);
        let faded = u128::from(put.bytes) * u128::from(passed) / u128::from(self.fades_ms.max(1));
        put.bytes.saturating_sub(u64::try_from(faded).unwrap_or(u64::MAX))
    }

    /// Forgets whoever has put least: it gains least by that.
    fn forget_one(&mut self) {
        let least = self.by_address.iter().min_by_key(|(_, put)| put.bytes);
        if let Some(address) = least.map(|(address, _)| *address) {
            self.by_address.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const DAY: u64 = 86_400_000;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    /// Puts single bytes until no more are taken; returns how many were.
    fn fill(shares: &mut Shares, who: u32, free: &mut u64, now_ms: u64) -> u64 {
        let mut taken = 0;
        while *free > 0 && shares.take(address(who), 1, *free, now_ms) {
            *free -= 1;
            taken += 1;
        }
        taken
    }

    #[test]
    fn whoever_comes_later_finds_room_as_well() {
        let (mut shares, mut free) = (Shares::new(50, 30 * DAY), 1024);
        let taken: Vec<u64> = (0..5).map(|who| fill(&mut shares, who, &mut free, 0)).collect();
        assert_eq!(taken, [512, 256, 128, 64, 32]);
        assert!(!shares.take(address(0), 1, free, 0), "it has its share");
    }

    #[test]
    fn all_of_the_room_is_one_addresss_if_the_operator_says_so() {
        let (mut shares, mut free) = (Shares::new(100, 30 * DAY), 1000);
        assert_eq!(fill(&mut shares, 1, &mut free, 0), 1000);
        assert!(!shares.take(address(1), 1, 0, 0), "and not more than there is");
    }

    #[test]
    fn what_was_put_fades_with_the_days_for_which_it_is_kept() {
        let (mut shares, mut free) = (Shares::new(50, 30 * DAY), 1000);
        assert_eq!(fill(&mut shares, 1, &mut free, 0), 500);
        // Half of it is over, and nobody else came.
        assert_eq!(shares.put(&address(1), 15 * DAY), 250);
        assert_eq!(shares.put(&address(1), 30 * DAY), 0);
        assert_eq!(shares.put(&address(1), u64::MAX), 0);
        assert!(fill(&mut shares, 1, &mut free, 15 * DAY) > 0);
    }

    #[test]
    fn what_came_to_nothing_is_given_back_and_what_is_refused_takes_nothing() {
        let mut shares = Shares::new(50, DAY);
        assert!(shares.take(address(1), 500, 1000, 0));
        shares.give_back(address(1), 500);
        shares.give_back(address(2), 500);
        assert!(!shares.take(address(1), 501, 1000, 0));
        assert!(shares.take(address(1), 500, 1000, 0));
    }

    #[test]
    fn addresses_are_forgotten_beyond_a_number_and_those_with_most_never_first() {
        let mut shares = Shares::new(50, DAY);
        assert!(shares.take(address(0), 1000, 1 << 40, 0));
        for who in 1..=u32::try_from(ADDRESSES_MAX).unwrap() {
            assert!(shares.take(address(who), 1, 1 << 40, 0));
        }
        assert_eq!(shares.by_address.len(), ADDRESSES_MAX);
        assert_eq!(shares.put(&address(0), 0), 1000);
    }
}
