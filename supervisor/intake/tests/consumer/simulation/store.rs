//! A store of rows, as far as a consumer sees it, and a cache of pending records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_core::execution::{ExecutionRequest, Status};
use muster_core::pool::PoolTime;
use muster_intake::ClaimAnswer;
use muster_store::{NewExecution, Submitted};
use uuid::Uuid;

/// The rows that are committed.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) rows: BTreeMap<Uuid, Status>,
    pub(crate) is_away: bool,
}

impl Store {
    /// Commits a claim. What was taken needs a slot each.
    pub(crate) fn claim(&mut self, executions: &[Arc<NewExecution>]) -> Vec<ClaimAnswer> {
        let claim = |execution: &Arc<NewExecution>| {
            if is_refused(execution) {
                return ClaimAnswer::Refused("the database says no".to_owned());
            }
            match self.rows.get(&execution.id) {
                None | Some(Status::Pending) => {
                    self.rows.insert(execution.id, Status::Running);
                    ClaimAnswer::Taken
                }
                Some(status) => ClaimAnswer::Elsewhere(*status),
            }
        };
        executions.iter().map(claim).collect()
    }

    pub(crate) fn submit(&mut self, executions: &[Arc<NewExecution>]) -> Vec<Submitted> {
        let submit = |execution: &Arc<NewExecution>| {
            if is_refused(execution) {
                return Submitted::Refused("the database says no".to_owned());
            }
            match self.rows.get(&execution.id) {
                None => {
                    self.rows.insert(execution.id, Status::Pending);
                    Submitted::Inserted
                }
                Some(status) => Submitted::Exists(*status),
            }
        };
        executions.iter().map(submit).collect()
    }

    /// What a claim of an existing row is asked with.
    pub(crate) fn known(&self, id: Uuid) -> Option<NewExecution> {
        self.rows.contains_key(&id).then(|| {
            let request = format!(r#"{{"execution_id":"{id}","workflow":"w","parameters":{{"n":1}}}}"#);
            NewExecution::of(&ExecutionRequest::parse(request.as_bytes()).unwrap(), 3)
        })
    }
}

fn is_refused(execution: &NewExecution) -> bool {
    execution.request.get().contains("refuse")
}

/// The pending records, and how long each was denied.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    records: BTreeMap<Uuid, PoolTime>,
    pub(crate) is_away: bool,
    /// How long the cache has answered that there is no record, and when it last did.
    denied: BTreeMap<Uuid, (Duration, Option<PoolTime>)>,
}

impl Cache {
    /// A record that is there from some time on.
    pub(crate) fn put(&mut self, id: Uuid, from: PoolTime) {
        self.records.insert(id, from);
    }

    pub(crate) fn read(&mut self, now: PoolTime, ids: &[Uuid]) -> Option<Vec<Option<Bytes>>> {
        if self.is_away {
            for id in ids {
                self.denied.entry(*id).or_default().1 = None;
            }
            return None;
        }
        let read = |id: &Uuid| {
            if self.records.get(id).is_some_and(|from| *from <= now) {
                return Some(Bytes::from_static(br#"{"workflow":"w","parameters":{"n":2}}"#));
            }
            let (denied, last) = self.denied.entry(*id).or_default();
            *denied += last.map_or(Duration::ZERO, |last| now.since(last));
            *last = Some(now);
            None
        };
        Some(ids.iter().map(read).collect())
    }

    pub(crate) fn denied(&self, id: Uuid) -> Duration {
        self.denied.get(&id).map_or(Duration::ZERO, |(denied, _)| *denied)
    }

    /// Deliveries come anew, and wait anew.
    pub(crate) fn forget_denials(&mut self) {
        self.denied.clear();
    }
}
