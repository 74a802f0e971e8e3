//! What a supervisor knows of who waits and of the worker time that each had, between one look at the database and the
//! next. Who starts next is decided by [`muster_core::shares`].

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use muster_core::execution::Attempt;
use muster_core::shares::{Share, ShareLedger, allot};
use uuid::Uuid;

use crate::{Result, columns};

/// How old what is known of who waits may be. Whoever comes meanwhile waits this much longer for a first start.
const KNOWN_FOR_MOST: Duration = Duration::from_millis(200);
/// And how old at least, with so much for each organization: a look costs as much as there are.
const KNOWN_FOR_LEAST: Duration = Duration::from_millis(20);
const KNOWN_FOR_EACH: Duration = Duration::from_millis(5);

/// So many organizations are looked for at once: where more wait, each claim looks for the next.
pub(crate) const LOOK_FOR: usize = 128;

/// An organization that has executions that wait for nothing but their moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WaitingShare {
    /// Which; `None` is all executions without one.
    pub(crate) organization_id: Option<Uuid>,
    /// The moment of one of them has come.
    pub(crate) is_due: bool,
    /// Its weight; 1 where none is set.
    pub(crate) weight: f64,
    /// The worker time it had of the fleet, decayed, in seconds. `None`: nobody but this supervisor runs any.
    pub(crate) used_seconds: Option<f64>,
}

/// How many executions of an organization a claim may take.
pub(crate) type Allotment = (Option<Uuid>, usize);

/// The worker time that organizations had, where supervisors tell each other.
#[async_trait]
pub trait ShareStore: std::fmt::Debug + Send + Sync + 'static {
    /// Adds worker time to what the fleet knows.
    async fn add_worker_time(&self, worked: &[(Option<Uuid>, Duration)]) -> Result<()>;
}

/// What one supervisor knows of shares. Cheap to clone: all clones are one book.
#[derive(Clone, Debug, Default)]
pub struct ShareBook {
    book: Arc<Mutex<Book>>,
}

/// Times are since the Unix epoch: so they are told of runs.
#[derive(Debug, Default)]
struct Book {
    ledger: ShareLedger,
    /// Since when each attempt's worker time was not charged, and to whom it will be.
    running: HashMap<Attempt, RunningShare>,
    /// Who has executions that may start, with the weights.
    waiting: BTreeMap<Option<Uuid>, f64>,
    look: ShareLook,
}

#[derive(Clone, Copy, Debug)]
struct RunningShare {
    organization_id: Option<Uuid>,
    started: Duration,
    charged_until: Duration,
}

/// What was looked at last.
#[derive(Clone, Copy, Debug, Default)]
struct ShareLook {
    /// When all was; `None`: it is to be looked again.
    at: Option<Duration>,
    /// Behind whom the next look begins; `None`: with the first.
    behind: Option<Uuid>,
}

impl ShareBook {
    /// An attempt has a worker since then, in microseconds since the Unix epoch.
    pub fn started(&self, attempt: Attempt, organization_id: Option<Uuid>, at_us: i64) {
        let (mut book, started) = (self.book(), since_epoch(at_us));
        book.running.insert(attempt, RunningShare { organization_id, started, charged_until: started });
    }

    /// It has none any more since then, in microseconds since the Unix epoch.
    pub fn ended(&self, attempt: Attempt, at_us: i64) {
        let (mut book, now) = (self.book(), since_epoch(at_us));
        if let Some(run) = book.running.remove(&attempt) {
            book.ledger.charge(run.organization_id, now.saturating_sub(run.charged_until), now);
            book.ledger.ran(run.organization_id, now.saturating_sub(run.started));
        }
    }

    /// The worker time up to now that was not told yet, of what ended and of what runs.
    pub fn untold(&self) -> Vec<(Option<Uuid>, Duration)> {
        let mut book = self.book();
        let now = now();
        let Book { ledger, running, .. } = &mut *book;
        for run in running.values_mut() {
            ledger.charge(run.organization_id, now.saturating_sub(run.charged_until), now);
            run.charged_until = now;
        }
        ledger.forget(now);
        ledger.untold()
    }

    /// Telling it failed: it is told with what comes next.
    pub fn not_told(&self, worked: &[(Option<Uuid>, Duration)]) {
        let mut book = self.book();
        for (organization_id, worked) in worked {
            book.ledger.still_untold(*organization_id, *worked);
        }
    }

    /// Behind whom to look for organizations with executions that may start, if it must be looked again. The first look
    /// is behind nobody.
    pub(crate) fn look_behind(&self) -> Option<Option<Uuid>> {
        let book = self.book();
        let known_for = known_for(book.waiting.len());
        let is_known = book.look.at.is_some_and(|at| now().saturating_sub(at) < known_for);
        (!is_known).then_some(book.look.behind)
    }

    /// What a look found, in the order of the ids: those behind where it began, and those without an organization if it
    /// began at the beginning.
    pub(crate) fn found(&self, found: &[WaitingShare]) {
        let mut book = self.book();
        let now = now();
        let behind = book.look.behind;
        let last = found.last().filter(|_| found.len() >= LOOK_FOR).and_then(|last| last.organization_id);
        book.waiting.retain(|id, _| {
            let is_before = id.is_none_or(|id| behind.is_some_and(|behind| id <= behind)) && behind.is_some();
            let is_after = last.is_some_and(|last| id.is_some_and(|id| id > last));
            is_before || is_after
        });
        for share in found.iter().filter(|share| share.is_due) {
            book.waiting.insert(share.organization_id, share.weight);
            if let Some(used) = share.used_seconds {
                book.ledger.learn(share.organization_id, used, now);
            }
        }
        // Where there are more, each claim goes on; where there are not, all is known now.
        book.look = ShareLook { at: last.is_none().then_some(now), behind: last };
    }

    /// How many executions of each a claim of so many may take.
    pub(crate) fn allot(&self, starts: usize) -> Vec<Allotment> {
        let book = self.book();
        let now = now();
        let shares: Vec<Share> =
            book.waiting.iter().map(|(id, weight)| book.ledger.share(*id, *weight, now)).collect();
        let given = shares.iter().zip(allot(&shares, starts));
        given
            .filter(|(_, starts)| *starts > 0)
            .map(|(share, starts)| (share.organization_id, starts))
            .collect()
    }

    /// What a claim took of what it might have. Whoever had less is not offered a start before the next look, which the
    /// next claim begins with. True when more may be due: where somebody had less others may have more than is known, and
    /// where nobody was known to have any, unless this claim has looked at all there is.
    pub(crate) fn took(&self, allotted: &[Allotment], taken: &[Option<Uuid>], has_looked: bool) -> bool {
        let mut of = HashMap::<Option<Uuid>, usize>::new();
        for organization_id in taken {
            *of.entry(*organization_id).or_default() += 1;
        }
        let short = allotted.iter().filter(|(id, starts)| of.get(id).copied().unwrap_or_default() < *starts);
        let short: Vec<Option<Uuid>> = short.map(|(id, _)| *id).collect();
        let mut book = self.book();
        for id in &short {
            book.waiting.remove(id);
        }
        let is_all_known = has_looked && book.look.at.is_some();
        let may_be_left = !short.is_empty() || (allotted.is_empty() && !is_all_known);
        if allotted.is_empty() || !short.is_empty() {
            book.look.at = None;
        }
        may_be_left
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long what is known of so many organizations is good for.
fn known_for(organizations: usize) -> Duration {
    let each = KNOWN_FOR_EACH.saturating_mul(u32::try_from(organizations).unwrap_or(u32::MAX));
    KNOWN_FOR_LEAST.saturating_add(each).min(KNOWN_FOR_MOST)
}

fn now() -> Duration {
    since_epoch(columns::now().as_microsecond())
}

fn since_epoch(at_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(at_us).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_organizations_are_looked_for_often_and_many_five_times_a_second() {
        assert_eq!(known_for(0), Duration::from_millis(20));
        assert_eq!(known_for(2), Duration::from_millis(30));
        assert_eq!((known_for(36), known_for(10_000)), (KNOWN_FOR_MOST, KNOWN_FOR_MOST));
    }
}
