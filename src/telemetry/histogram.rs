//! A histogram of durations with fixed buckets.
//!
//! Recording is a few comparisons and two additions, without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The upper bounds of the buckets for requests, in seconds.
pub const REQUEST_BOUNDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// The same for waits within the server.
pub const WAIT_BOUNDS: &[f64] =
    &[0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Counts durations by bucket.
#[derive(Debug)]
pub(super) struct Histogram {
    /// In nanoseconds.
    bounds: Box<[u64]>,
    /// One more than bounds: the last is for all longer durations.
    counts: Box<[AtomicU64]>,
    sum_ns: AtomicU64,
}

/// The counts of a histogram at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistogramSnapshot {
    /// By bucket; the last is for all durations beyond the bounds. Empty if nothing was recorded.
    pub counts: Vec<u64>,
    /// The sum of all durations, in nanoseconds.
    pub sum_ns: u64,
}

impl Histogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        let bounds = bounds.iter().map(|seconds| (seconds * 1e9).round() as u64).collect();
        Self { bounds, counts, sum_ns: AtomicU64::new(0) }
    }

    /// Counts a duration.
    pub(super) fn record(&self, duration: Duration) {
        let ns = duration.as_secs().saturating_mul(1_000_000_000);
        let ns = ns.saturating_add(duration.subsec_nanos().into());
        let index = self.bounds.iter().position(|bound| ns <= *bound);
        self.counts[index.unwrap_or(self.bounds.len())].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum_ns: self.sum_ns.load(Ordering::Relaxed),
        }
    }
}

impl HistogramSnapshot {
    /// The number of durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds the counts of another process.
    pub fn merge(&mut self, other: &Self) {
        self.counts.resize(self.counts.len().max(other.counts.len()), 0);
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
    }

    /// The counts since an earlier snapshot.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().chain(std::iter::repeat(&0));
        let counts = self.counts.iter().zip(before).map(|(now, then)| now.saturating_sub(*then));
        Self { counts: counts.collect(), sum_ns: self.sum_ns.saturating_sub(earlier.sum_ns) }
    }

    /// The bound in seconds below which this part (0 to 1) of the durations is; `None` without any,
    /// or if it is beyond the last bound.
    pub fn quantile(&self, part: f64, bounds: &[f64]) -> Option<f64> {
        let count = self.count();
        let rank = ((count as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        let index = self.counts.iter().position(|bucket| {
            seen += bucket;
            seen >= rank
        })?;
        bounds.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_it_fits() {
        let histogram = Histogram::new(&[0.001, 0.01]);
        for ms in [0, 1, 2, 10, 11] {
            histogram.record(Duration::from_millis(ms));
        }
        let mut snapshot = histogram.snapshot();
        assert_eq!((snapshot.counts.clone(), snapshot.sum_ns), (vec![2, 2, 1], 24_000_000));
        assert_eq!(snapshot.quantile(0.4, &[0.001, 0.01]), Some(0.001));
        assert_eq!(snapshot.quantile(0.5, &[0.001, 0.01]), Some(0.01));
        assert_eq!(snapshot.quantile(0.99, &[0.001, 0.01]), None);
        let earlier = snapshot.clone();
        snapshot.merge(&HistogramSnapshot::default());
        assert_eq!(snapshot, earlier);
        snapshot.merge(&earlier);
        assert_eq!(snapshot.since(&earlier), earlier);
    }
}
