//! For how long executions are kept: as the row of their workflow says, and else as the settings say. Pure.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::Status;
use muster_store::{EndedExecution, PruneScope, RetentionTerms, WorkflowRecord};
use uuid::Uuid;

/// How long a day is.
const DAY_SECONDS: f64 = 86_400.0;

/// For how long one is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeptFor {
    EverOn,
    Time(Duration),
}

/// What the settings say, for those whose workflow's row does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RetentionSettings {
    /// How long executions are kept; `None`: for ever.
    pub(super) all: Option<Duration>,
    /// How long those are kept that failed or took too long; `None`: as the others.
    pub(super) failed: Option<Duration>,
}

/// What settings and rows say together.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RetentionRules {
    settings: RetentionSettings,
    by_id: HashMap<Uuid, RetentionTerms>,
    /// Of the names that any row says something of: all rows with it that count, by whose they are.
    by_name: HashMap<String, HashMap<Option<Uuid>, RetentionTerms>>,
}

/// A walk that the rules ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PruneWalk {
    /// Over those that came to this.
    pub(super) status: Status,
    /// Over those of these workflows.
    pub(super) scope: PruneScope,
    /// None of them goes sooner after its end.
    pub(super) kept: Duration,
}

impl RetentionRules {
    /// Of these settings and rows; of rows with the same name and owner the first one counts.
    pub(super) fn of(settings: RetentionSettings, workflows: &[WorkflowRecord]) -> Self {
        let mut rules = Self { settings, ..Self::default() };
        let active = || workflows.iter().filter(|row| row.is_active);
        for row in active().filter(|row| row.retention != RetentionTerms::default()) {
            rules.by_id.insert(row.id, row.retention);
            rules.by_name.entry(row.name.clone()).or_default();
        }
        for row in active() {
            if let Some(owners) = rules.by_name.get_mut(&row.name) {
                owners.entry(row.organization_id).or_insert(row.retention);
            }
        }
        rules
    }

    /// What the settings said.
    pub(super) fn settings(&self) -> RetentionSettings {
        self.settings
    }

    /// All walks that may find something to remove.
    pub(super) fn walks(&self) -> Vec<PruneWalk> {
        let mut walks = Vec::new();
        for status in ends() {
            let walk = |scope, kept| PruneWalk { status, scope, kept };
            if let KeptFor::Time(kept) = self.by_settings(status) {
                walks.push(walk(PruneScope::Everything, kept));
            }
            let of = |terms: &RetentionTerms| match said(terms, status) {
                Some(KeptFor::Time(kept)) => Some(kept),
                Some(KeptFor::EverOn) | None => None,
            };
            for (name, owners) in &self.by_name {
                if let Some(kept) = owners.values().filter_map(of).min() {
                    walks.push(walk(PruneScope::Workflow(name.clone()), kept));
                }
            }
            if let Some(kept) = self.by_id.values().filter_map(of).min() {
                walks.push(walk(PruneScope::Nameless, kept));
            }
        }
        walks
    }

    /// Whether one that came to this has been kept for long enough.
    pub(super) fn lets_go(&self, status: Status, one: &EndedExecution, now: Timestamp) -> bool {
        let of_row = self.terms(one).and_then(|terms| said(&terms, status));
        match of_row.unwrap_or_else(|| self.by_settings(status)) {
            KeptFor::EverOn => false,
            KeptFor::Time(kept) => now.checked_sub(kept).is_ok_and(|before| one.completed_at < before),
        }
    }

    /// What the row of its workflow says: that of its organization stands above everybody's.
    fn terms(&self, one: &EndedExecution) -> Option<RetentionTerms> {
        if let Some(id) = one.workflow_id {
            return self.by_id.get(&id).copied();
        }
        let owners = self.by_name.get(one.workflow_name.as_deref()?)?;
        let own = one.organization_id.and_then(|id| owners.get(&Some(id)));
        own.or_else(|| owners.get(&None)).copied()
    }

    fn by_settings(&self, status: Status) -> KeptFor {
        let RetentionSettings { all, failed } = self.settings;
        let kept = if is_failure(status) { failed.or(all) } else { all };
        kept.map_or(KeptFor::EverOn, KeptFor::Time)
    }
}

/// The ends of an execution, those of failures last.
pub(super) fn ends() -> impl Iterator<Item = Status> {
    Status::ALL.into_iter().filter(|status| status.is_terminal())
}

fn is_failure(status: Status) -> bool {
    match status {
        Status::Failed | Status::Timeout => true,
        Status::Success | Status::Cancelled | Status::Pending | Status::Running => false,
    }
}

/// What a row says of those that came to this. What somebody wrote by hand and that is no time says nothing.
fn said(terms: &RetentionTerms, status: Status) -> Option<KeptFor> {
    let days = if is_failure(status) { terms.failed_days.or(terms.days) } else { terms.days };
    let kept = Duration::try_from_secs_f64(days? * DAY_SECONDS).ok()?;
    Some(if kept.is_zero() { KeptFor::EverOn } else { KeptFor::Time(kept) })
}

#[cfg(test)]
mod tests {
    use muster_store::WorkflowTerms;

    use super::*;

    const ACME: Uuid = Uuid::from_u128(7);

    fn row(id: u128, name: &str, organization_id: Option<Uuid>, terms: RetentionTerms) -> WorkflowRecord {
        WorkflowRecord {
            id: Uuid::from_u128(id),
            name: name.to_owned(),
            path: None,
            function_name: None,
            language: None,
            organization_id,
            timeout_seconds: None,
            max_attempts: None,
            is_active: true,
            admission: WorkflowTerms::default(),
            retry: Default::default(),
            webhook: None,
            retention: terms,
        }
    }

    fn days(days: f64) -> RetentionTerms {
        RetentionTerms { days: Some(days), failed_days: None }
    }

    fn day(days: u64) -> Duration {
        Duration::from_secs(days * 86_400)
    }

    fn rules() -> RetentionRules {
        let settings = RetentionSettings { all: Some(day(30)), failed: Some(day(90)) };
        let rows = [
            row(1, "audit", None, days(0.0)),
            row(2, "beat", None, RetentionTerms { days: Some(1.0), failed_days: Some(7.0) }),
            row(3, "beat", Some(ACME), days(60.0)),
            row(4, "plain", None, RetentionTerms::default()),
            WorkflowRecord { is_active: false, ..row(5, "plain", None, days(1.0)) },
            row(6, "wrong", None, days(f64::NAN)),
            row(7, "mixed", Some(ACME), RetentionTerms::default()),
            row(8, "mixed", None, days(2.0)),
        ];
        RetentionRules::of(settings, &rows)
    }

    /// For how many whole days one is kept that came to this; `None`: for longer than it was looked.
    fn kept(status: Status, name: Option<&str>, id: Option<u128>, owner: Option<Uuid>) -> Option<u64> {
        let (rules, now) = (rules(), Timestamp::from_second(1_800_000_000).unwrap());
        (0..400).find(|age| {
            let one = EndedExecution {
                id: Uuid::nil(),
                workflow_id: id.map(Uuid::from_u128),
                workflow_name: name.map(ToOwned::to_owned),
                organization_id: owner,
                created_at: now - day(1_000),
                completed_at: now - day(*age) - Duration::from_secs(1),
                may_go: true,
            };
            rules.lets_go(status, &one, now)
        })
    }

    #[test]
    fn the_row_of_the_workflow_stands_above_the_settings() {
        let by_name = |status, name| kept(status, Some(name), None, None);
        assert_eq!(by_name(Status::Success, "other"), Some(30));
        assert_eq!(by_name(Status::Failed, "other"), Some(90));
        assert_eq!(by_name(Status::Timeout, "plain"), Some(90), "an inactive row is as if it were not there");
        assert_eq!(by_name(Status::Cancelled, "beat"), Some(1));
        assert_eq!(by_name(Status::Failed, "beat"), Some(7));
        assert_eq!((by_name(Status::Success, "audit"), by_name(Status::Failed, "audit")), (None, None));
        assert_eq!(by_name(Status::Success, "wrong"), Some(30));
        // The row of the organization stands above everybody's, also where it says nothing.
        assert_eq!(kept(Status::Failed, Some("beat"), None, Some(ACME)), Some(60));
        assert_eq!(kept(Status::Success, Some("beat"), None, Some(Uuid::from_u128(8))), Some(1));
        assert_eq!(kept(Status::Success, Some("mixed"), None, Some(ACME)), Some(30));
        assert_eq!(kept(Status::Success, Some("mixed"), None, None), Some(2));
        assert_eq!(kept(Status::Success, None, Some(3), None), Some(60));
        assert_eq!(kept(Status::Success, None, Some(4), None), Some(30));
    }

    #[test]
    fn a_walk_is_asked_for_wherever_something_may_go() {
        let mut walks: Vec<_> =
            rules().walks().into_iter().filter(|walk| walk.status == Status::Success).collect();
        walks.sort_by_key(|walk| walk.kept);
        let of = |name: &str| PruneScope::Workflow(name.to_owned());
        assert_eq!(walks.len(), 4, "{walks:?}");
        assert!(walks.iter().any(|walk| walk.scope == of("beat") && walk.kept == day(1)));
        assert!(walks.iter().any(|walk| walk.scope == PruneScope::Nameless && walk.kept == day(1)));
        assert!(walks.iter().any(|walk| walk.scope == of("mixed") && walk.kept == day(2)));
        assert_eq!((&walks[3].scope, walks[3].kept), (&PruneScope::Everything, day(30)));
        assert!(
            RetentionRules::of(RetentionSettings::default(), &[row(1, "w", None, days(0.0))])
                .walks()
                .is_empty()
        );
    }
}
