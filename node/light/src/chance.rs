//! The one place where randomness enters: the operating system's generator.

/// Fills `bytes` with random bytes.
///
/// # Panics
/// If the system has none to give: every key made then would be a known one.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("without the system's random numbers no key is safe");
}

/// A random wait below `limit` ms; none if that is 0. Which of them it is need not be quite even.
pub(crate) fn below(limit: u64) -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_be_bytes(bytes).checked_rem(limit).unwrap_or(0)
}
