//! What there was in a minute, as it is noted for charts: how executions ended, how long they ran and waited, whose they were.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_core::execution::Status;
use serde::{Deserialize, Serialize};

use crate::api::PoolView;

/// So many organizations are told apart; the others are counted together.
const ORGANIZATIONS_MAX: usize = 20;
/// What the others are counted as. No organization's id is this.
const OTHERS: &str = "";
/// Each step of a scale is so much longer than the one before.
const STEP: f64 = 1.25;
/// The first step of a scale, in milliseconds.
const FIRST_MS: f64 = 0.1;

/// How many took how long: a step of a scale, and how many took up to that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Durations(BTreeMap<u8, u64>);

impl Durations {
    pub(crate) fn add(&mut self, took: Duration) {
        let steps = (took.as_secs_f64() * 1_000.0 / FIRST_MS).log(STEP).ceil();
        // What takes no time has none, and a year is step 120.
        let step = if steps.is_finite() { steps.clamp(0.0, 254.0) as u8 } else { 0 };
        *self.0.entry(step).or_default() += 1;
    }

    fn merge(&mut self, other: &Self) {
        for (step, count) in &other.0 {
            *self.0.entry(*step).or_default() += count;
        }
    }

    /// So long took this part of them at most, in milliseconds; `None` of none.
    pub(crate) fn quantile_ms(&self, part: f64) -> Option<f64> {
        let all: u64 = self.0.values().sum();
        let wanted = ((all as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.0.iter().find(|(_, count)| {
            seen += *count;
            seen >= wanted
        });
        reached.map(|(step, _)| FIRST_MS * STEP.powi(i32::from(*step)))
    }
}

/// What there was in a stretch of time. What a later version adds is passed over, and what an earlier one lacks is nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct NotedFigures {
    /// How many executions ended, by status.
    pub(crate) ended: BTreeMap<String, u64>,
    /// How long they ran.
    pub(crate) ran: Durations,
    /// How long they waited for a worker once they were claimed, or since their message was published.
    pub(crate) waited: Durations,
    /// Seconds that workers worked, by organization; without one it is `none`.
    pub(crate) worked_seconds: BTreeMap<String, f64>,
    /// The most executions that ran at once, of the moments looked at.
    pub(crate) running: u64,
    /// The most rows that waited.
    pub(crate) waiting: u64,
    /// The most workers.
    pub(crate) workers: u64,
    /// The longest wait of what was due, in seconds.
    pub(crate) oldest_wait_seconds: f64,
}

impl NotedFigures {
    pub(crate) fn ended(&mut self, status: Status, ran: Option<Duration>) {
        *self.ended.entry(status.as_str().to_owned()).or_default() += 1;
        if let Some(ran) = ran {
            self.ran.add(ran);
        }
    }

    pub(crate) fn worked(&mut self, organization: String, worked: Duration) {
        let is_told_apart =
            self.worked_seconds.len() < ORGANIZATIONS_MAX || self.worked_seconds.contains_key(&organization);
        let organization = if is_told_apart { organization } else { OTHERS.to_owned() };
        *self.worked_seconds.entry(organization).or_default() += worked.as_secs_f64();
    }

    /// Takes in how the pool is at a moment.
    pub(crate) fn saw(&mut self, pool: &PoolView) {
        let waits = pool.queues.iter().map(|queue| queue.oldest_wait_seconds);
        self.running = self.running.max(pool.running as u64);
        self.workers = self.workers.max(pool.workers.len() as u64);
        self.waiting = self.waiting.max(pool.pending.unwrap_or_default());
        self.oldest_wait_seconds = waits.fold(self.oldest_wait_seconds, f64::max);
    }

    /// Adds what there was in another stretch of the same supervisor.
    pub(crate) fn then(&mut self, later: &Self) {
        self.count(later);
        self.running = self.running.max(later.running);
        self.workers = self.workers.max(later.workers);
        self.see(later);
    }

    /// Adds what another supervisor had in the same stretch.
    pub(crate) fn beside(&mut self, other: &Self) {
        self.count(other);
        self.running += other.running;
        self.workers += other.workers;
        self.see(other);
    }

    fn count(&mut self, other: &Self) {
        for (status, count) in &other.ended {
            *self.ended.entry(status.clone()).or_default() += count;
        }
        self.ran.merge(&other.ran);
        self.waited.merge(&other.waited);
        for (organization, seconds) in &other.worked_seconds {
            *self.worked_seconds.entry(organization.clone()).or_default() += seconds;
        }
    }

    /// What waits is the database's: every supervisor sees the same.
    fn see(&mut self, other: &Self) {
        self.waiting = self.waiting.max(other.waiting);
        self.oldest_wait_seconds = self.oldest_wait_seconds.max(other.oldest_wait_seconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_a_quarter_too_long_at_most() {
        let mut durations = Durations::default();
        for ms in 1..=1000_u64 {
            durations.add(Duration::from_millis(ms));
        }
        for (part, exact) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0)] {
            let told = durations.quantile_ms(part).unwrap();
            assert!((exact..exact * STEP).contains(&told), "{part}: {told}");
        }
        assert_eq!(Durations::default().quantile_ms(0.5), None);
        durations.add(Duration::ZERO);
        durations.add(Duration::MAX);
    }

    #[test]
    fn what_follows_and_what_is_beside_add_up_differently() {
        let noted = |running, waiting| {
            let mut noted = NotedFigures { running, waiting, workers: 4, ..NotedFigures::default() };
            noted.ended(Status::Success, Some(Duration::from_millis(3)));
            noted.worked("acme".to_owned(), Duration::from_secs(2));
            noted
        };
        let (mut later, mut others) = (noted(1, 7), noted(1, 7));
        later.then(&noted(3, 5));
        others.beside(&noted(3, 5));
        assert_eq!((later.running, later.waiting, later.workers), (3, 7, 4));
        assert_eq!((others.running, others.waiting, others.workers), (4, 7, 8));
        assert_eq!(later.ended, BTreeMap::from([("SUCCESS".to_owned(), 2)]));
        assert_eq!(others.worked_seconds["acme"], 4.0);
    }

    #[test]
    fn organizations_are_bounded_and_later_versions_are_read() {
        let mut noted = NotedFigures::default();
        for number in 0..100 {
            noted.worked(number.to_string(), Duration::from_secs(1));
        }
        assert_eq!(noted.worked_seconds.len(), ORGANIZATIONS_MAX + 1);
        assert_eq!(noted.worked_seconds[OTHERS], 80.0);
        let text = serde_json::to_string(&noted).unwrap();
        assert_eq!(serde_json::from_str::<NotedFigures>(&text).unwrap(), noted);
        let strange = r#"{"ended": {"SUCCESS": 1}, "moons": 2}"#;
        assert_eq!(serde_json::from_str::<NotedFigures>(strange).unwrap().ended["SUCCESS"], 1);
    }
}
