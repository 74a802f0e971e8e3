//! What each organization has had of the workers: the fleet's numbers as they were read last, and our own since.

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::Share;

/// Worker time is forgotten with this time constant.
const MEMORY: Duration = Duration::from_secs(60);
/// Of how long a run takes, this part is what the newest one took.
const NEWEST_RUN: f64 = 0.2;
/// An organization of whose worker time less is left is forgotten.
const FORGOTTEN_SECONDS: f64 = 0.000_1;

/// What is left of worker time after so long.
pub fn decayed(seconds: f64, passed: Duration) -> f64 {
    seconds * (-passed.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

/// The accounts of one supervisor. Times are since any fixed moment of its own clock.
#[derive(Debug, Default)]
pub struct ShareLedger {
    accounts: HashMap<Option<Uuid>, Account>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    /// The fleet's worker time and ours, decayed, at `at`.
    used_seconds: f64,
    at: Duration,
    /// What is in it and was not told yet.
    untold: Duration,
    /// How long a run takes; 0 as long as none has ended.
    run_seconds: f64,
}

impl Account {
    fn used_seconds(&self, now: Duration) -> f64 {
        decayed(self.used_seconds, now.saturating_sub(self.at))
    }

    fn add(&mut self, worked: Duration, now: Duration) {
        self.used_seconds = self.used_seconds(now) + worked.as_secs_f64();
        self.at = now;
        self.untold += worked;
    }
}

impl ShareLedger {
    /// One of its runs had a worker for this long since it was charged last.
    pub fn charge(&mut self, organization_id: Option<Uuid>, worked: Duration, now: Duration) {
        self.accounts.entry(organization_id).or_default().add(worked, now);
    }

    /// One of its runs is over, and took this long in all.
    pub fn ran(&mut self, organization_id: Option<Uuid>, took: Duration) {
        let account = self.accounts.entry(organization_id).or_default();
        let took = took.as_secs_f64();
        account.run_seconds = match account.run_seconds {
            0.0 => took,
            before => before + (took - before) * NEWEST_RUN,
        };
    }

    /// What was charged since this was asked last.
    pub fn untold(&mut self) -> Vec<(Option<Uuid>, Duration)> {
        let charged = self.accounts.iter_mut().filter(|(_, account)| !account.untold.is_zero());
        charged
            .map(|(organization_id, account)| (*organization_id, std::mem::take(&mut account.untold)))
            .collect()
    }

    /// What was charged could not be told: it is untold again.
    pub fn still_untold(&mut self, organization_id: Option<Uuid>, worked: Duration) {
        self.accounts.entry(organization_id).or_default().untold += worked;
    }

    /// The fleet's worker time, in seconds, as it was read now. It holds all of ours that was told.
    pub fn learn(&mut self, organization_id: Option<Uuid>, used_seconds: f64, now: Duration) {
        let account = self.accounts.entry(organization_id).or_default();
        account.used_seconds = used_seconds + account.untold.as_secs_f64();
        account.at = now;
    }

    /// Its share, with this weight.
    pub fn share(&self, organization_id: Option<Uuid>, weight: f64, now: Duration) -> Share {
        let account = self.accounts.get(&organization_id).copied().unwrap_or_default();
        let used_seconds = account.used_seconds(now);
        Share { organization_id, weight, used_seconds, run_seconds: account.run_seconds }
    }

    #[cfg(test)]
    pub(super) fn accounts_count(&self) -> usize {
        self.accounts.len()
    }

    /// Forgets whoever has had nothing lately.
    pub fn forget(&mut self, now: Duration) {
        self.accounts
            .retain(|_, account| !account.untold.is_zero() || account.used_seconds(now) >= FORGOTTEN_SECONDS);
    }
}
