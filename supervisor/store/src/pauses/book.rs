//! What one process knows of pauses, and what is still to be done about those that are new.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{PauseTarget, Pauses};
use crate::limits::admission::WaitsFor;

/// The pauses that this process obeys.
#[derive(Debug, Default)]
pub(crate) struct PauseBook(Mutex<KnownPauses>);

#[derive(Debug, Default)]
struct KnownPauses {
    /// `None`: they were never read, and nothing may be claimed before.
    pauses: Option<Arc<Pauses>>,
    /// Rows of these may still be in the claim.
    to_park: BTreeSet<PauseTarget>,
}

impl PauseBook {
    /// What they are; `None` before they were read.
    pub(crate) fn now(&self) -> Option<Arc<Pauses>> {
        self.known().pauses.clone()
    }

    /// Which of these texts rows wait for although that is not paused any more, as far as is known: they are let go in a
    /// moment.
    pub(crate) fn resumed(&self, mut waited_for: Vec<String>) -> Vec<String> {
        let Some(pauses) = self.now() else { return Vec::new() };
        waited_for.retain(|text| match WaitsFor::parse(text) {
            Some(WaitsFor::Pause(target)) => !pauses.holds(&target),
            Some(WaitsFor::Limit(_) | WaitsFor::Key(_) | WaitsFor::Rate(_)) | None => false,
        });
        waited_for
    }

    /// From now on these. True when something is no longer paused.
    pub(crate) fn replace(&self, pauses: Pauses) -> bool {
        let mut known = self.known();
        let before = known.pauses.take().unwrap_or_default();
        let is_new = |target: &&PauseTarget| target.parks() && !before.holds(target);
        let new: Vec<PauseTarget> =
            pauses.iter().map(|pause| &pause.target).filter(is_new).cloned().collect();
        known.to_park.extend(new);
        known.to_park.retain(|target| pauses.holds(target));
        let resumed = before.iter().any(|pause| !pauses.holds(&pause.target));
        known.pauses = Some(Arc::new(pauses));
        resumed
    }

    /// Whose rows are to be taken out of the claim, told once.
    pub(crate) fn to_park(&self) -> Vec<PauseTarget> {
        std::mem::take(&mut self.known().to_park).into_iter().collect()
    }

    fn known(&self) -> MutexGuard<'_, KnownPauses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::PauseRecord;
    use super::*;

    fn pauses(targets: &[&str]) -> Pauses {
        let pause = |target: &&str| PauseRecord {
            target: target.parse().unwrap(),
            who: String::new(),
            why: None,
            since: Timestamp::UNIX_EPOCH,
            workflow_ids: Vec::new(),
            organization_key: None,
        };
        Pauses::of(targets.iter().map(pause).collect())
    }

    #[test]
    fn what_is_new_is_told_once_and_what_is_over_never() {
        let book = PauseBook::default();
        assert!(book.now().is_none());
        assert!(!book.replace(pauses(&["queue:q", "workflow:a", "workflow:b"])));
        assert!(book.replace(pauses(&["queue:q", "workflow:b"])), "one was resumed");
        let waited_for = ["limit:a", "pause:workflow:a", "pause:workflow:b", "pause:moon:a"];
        let waited_for = waited_for.map(str::to_owned).to_vec();
        assert_eq!(book.resumed(waited_for.clone()), ["pause:workflow:a"]);
        assert!(PauseBook::default().resumed(waited_for).is_empty(), "nothing is known yet");
        assert_eq!(book.to_park(), ["workflow:b".parse().unwrap()]);
        assert!(!book.replace(pauses(&["queue:q", "workflow:b"])));
        assert!(book.to_park().is_empty());
        assert!(book.replace(pauses(&[])));
        assert!(!book.replace(pauses(&["workflow:b"])));
        assert_eq!(book.to_park().len(), 1, "it is new again");
    }
}
