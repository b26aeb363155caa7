//! The one place where randomness enters: the operating system's generator.

/// Fills `bytes` with random bytes.
///
/// # Panics
/// If the system has none to give: every key made then would be a known one.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("without the system's random numbers no key is safe");
}
