//! Counts as real numbers, and what many measurements say together.

use std::time::Duration;

/// A count as a real number; exact below 2^53.
pub(crate) fn real(count: u64) -> f64 {
    let (high, low) = (count >> 32, count & u64::from(u32::MAX));
    let part = |part: u64| u32::try_from(part).map_or(0.0, f64::from);
    part(high) * 4_294_967_296.0 + part(low)
}

/// The same for lengths.
pub(crate) fn real_len(length: usize) -> f64 {
    u64::try_from(length).map_or(f64::INFINITY, real)
}

/// Milliseconds.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Measurements of one thing, to be asked for their median and tail.
#[derive(Clone, Debug)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn new(mut values: Vec<f64>) -> anyhow::Result<Self> {
        anyhow::ensure!(!values.is_empty(), "nothing was measured");
        values.sort_unstable_by(f64::total_cmp);
        Ok(Self(values))
    }

    /// The value below which `percent` of the measurements lie (nearest rank).
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        let value = self.0.get(rank).or_else(|| self.0.last());
        *value.expect("there is at least one measurement")
    }

    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }

    pub(crate) fn max(&self) -> f64 {
        self.percentile(100)
    }
}

/// Four digits that mean something: more would only be noise.
pub(crate) fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * b.abs()
    }

    #[test]
    fn counts_become_real_numbers_exactly() {
        for count in [0, 1, u64::from(u32::MAX), 1 << 32, (1 << 40) + 7] {
            assert_eq!(format!("{}", real(count)), count.to_string());
        }
    }

    #[test]
    fn percentiles_are_measurements_by_nearest_rank() {
        let samples = Samples::new((1..=200).rev().map(f64::from).collect()).unwrap();
        assert!(close(samples.median(), 100.0) && close(samples.percentile(99), 198.0) && close(samples.max(), 200.0));
        let one = Samples::new(vec![3.0]).unwrap();
        assert!(close(one.median(), 3.0) && close(one.percentile(99), 3.0));
        assert!(Samples::new(Vec::new()).is_err());
    }

    #[test]
    fn four_digits_are_kept() {
        assert!(
            close(rounded(18_123.4), 18_120.0) && close(rounded(0.012_345), 0.012_35) && close(rounded(-2.0), -2.0)
        );
        assert!(close(rounded(999.96), 1_000.0));
        assert!(rounded(0.0).abs() < f64::EPSILON);
    }
}
