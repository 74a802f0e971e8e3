//! The rules of the next strict domain, laid down when nobody waits for them: most are the same for each worker, and there
//! are many, because what is beside a closed file is allowed one by one.

use std::path::{Path, PathBuf};

use landlock::RulesetCreated;
use rustix::fs::{AtFlags, CWD, statat};

use super::landlock_domain::{AllowLists, DomainError, strict};
use super::plan::ConfinementPlan;

/// The rules for one more process, if they are there.
#[derive(Debug, Default)]
pub(crate) struct SpareDomain(Option<LaidDown>);

#[derive(Debug)]
struct LaidDown {
    rules: RulesetCreated,
    readable: Vec<PathBuf>,
    writable: Vec<PathBuf>,
    ports: Vec<u16>,
    /// What was at each path. A rule is about that, and not about what is there later.
    seen: Vec<Option<(u64, u64)>>,
}

impl SpareDomain {
    /// Rules for what a plan allows every worker: those that are there if they still fit, else new ones.
    pub(super) fn take(&mut self, plan: &ConfinementPlan) -> Result<RulesetCreated, DomainError> {
        match self.0.take().filter(|spare| spare.fits(plan)) {
            Some(spare) => Ok(spare.rules),
            None => strict(lists(plan)),
        }
    }

    /// Lays down the next ones. What cannot be allowed is an error when they are needed.
    pub(crate) fn refill(&mut self, plan: &ConfinementPlan) {
        let seen = seen(plan);
        let laid_down = |rules| LaidDown {
            rules,
            readable: plan.readable.clone(),
            writable: plan.writable.clone(),
            ports: plan.ports.clone(),
            seen,
        };
        self.0 = strict(lists(plan)).ok().map(laid_down);
    }
}

impl LaidDown {
    fn fits(&self, plan: &ConfinementPlan) -> bool {
        let known = AllowLists { readable: &self.readable, writable: &self.writable, ports: &self.ports };
        known == lists(plan) && self.seen == seen(plan)
    }
}

fn lists(plan: &ConfinementPlan) -> AllowLists<'_> {
    let ConfinementPlan { readable, writable, ports, .. } = plan;
    AllowLists { readable, writable, ports }
}

fn seen(plan: &ConfinementPlan) -> Vec<Option<(u64, u64)>> {
    plan.readable.iter().chain(&plan.writable).map(|path| what_is_at(path)).collect()
}

fn what_is_at(path: &Path) -> Option<(u64, u64)> {
    statat(CWD, path, AtFlags::empty()).ok().map(|seen| (seen.st_dev, seen.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confinement::{ConfinementLevel, KernelFacts};

    #[test]
    fn rules_that_are_there_are_taken_once_and_only_while_they_fit() {
        if KernelFacts::read().landlock_abi < 6 {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("workflows");
        std::fs::create_dir(&path).unwrap();
        let plan =
            ConfinementPlan { readable: vec![path.clone()], ..ConfinementPlan::of(ConfinementLevel::Strict) };
        let mut spare = SpareDomain::default();
        spare.refill(&plan);
        let fits = |spare: &SpareDomain, plan| spare.0.as_ref().is_some_and(|spare| spare.fits(plan));
        assert!(fits(&spare, &plan));
        let more = ConfinementPlan { ports: vec![443], ..plan.clone() };
        assert!(!fits(&spare, &more), "other settings");
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(!fits(&spare, &plan), "a folder that was put in its place");
        spare.refill(&plan);
        spare.take(&plan).unwrap();
        assert!(spare.0.is_none());
        spare.take(&plan).unwrap();
    }
}
