//! What somebody asks to be forgotten: for a moment at a time, and on from where the last answer ended.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use muster_core::execution::Status;
use muster_store::{Cursor, PruneRange, PruneScope, PruneStep, PrunedRows};

use super::rules::ends;
use super::{REST_MIN, Supervisor};
use crate::api::{PruneWish, PrunedView, ServiceError};

/// For how long one request removes or counts.
const REQUEST_TAKES: Duration = Duration::from_secs(2);
/// How many are looked at in one transaction that counts.
const COUNTED_AT_ONCE: usize = 1_000;

impl Supervisor {
    /// What somebody asks for, for a moment. What is said of workflows does not hold it back.
    pub(in crate::service) async fn prune_now(&self, wish: &PruneWish) -> Result<PrunedView, ServiceError> {
        let before = before(wish, Timestamp::now())?;
        let mut walk = RequestedWalk::of(wish)?;
        let (begun, mut gone) = (Instant::now(), PrunedRows::default());
        while let Some(status) = walk.status()
            && begun.elapsed() < REQUEST_TAKES
        {
            let (step_begun, scope) = (Instant::now(), PruneScope::Everything);
            let range = PruneRange { status, before, scope };
            let step = if wish.dry_run {
                self.store.prunable(&range, walk.behind, COUNTED_AT_ONCE, &|_| true).await?
            } else {
                self.remove(&range, walk.behind, &|_| true).await?
            };
            if let PruneStep::Looked { rows, last, is_end } = step {
                gone = gone.and(rows);
                walk.go_on(last, is_end);
            }
            if !wish.dry_run {
                tokio::time::sleep(step_begun.elapsed().max(REST_MIN)).await;
            }
        }
        let PrunedRows { executions, logs, events } = gone;
        let next_cursor = walk.place();
        Ok(PrunedView { before, executions, logs, events, is_done: next_cursor.is_none(), next_cursor })
    }
}

/// The walks of a request, one for each end, one after the other.
#[derive(Debug)]
struct RequestedWalk {
    /// What is still to be walked over, the one under way first.
    statuses: Vec<Status>,
    behind: Option<Cursor>,
}

impl RequestedWalk {
    fn of(wish: &PruneWish) -> Result<Self, ServiceError> {
        let asked = |status: &Status| wish.statuses.is_empty() || wish.statuses.contains(status);
        if let Some(status) = wish.statuses.iter().find(|status| !status.is_terminal()) {
            let problem = format!("statuses: {} is no end of an execution", status.as_str());
            return Err(ServiceError::Invalid(problem));
        }
        let walk = Self { statuses: ends().filter(asked).collect(), behind: None };
        match &wish.cursor {
            Some(place) => walk.from(place).ok_or_else(|| {
                let problem = "cursor: pass on the `next_cursor` of the answer before, unchanged";
                ServiceError::Invalid(problem.to_owned())
            }),
            None => Ok(walk),
        }
    }

    /// The same from this place on.
    fn from(self, place: &str) -> Option<Self> {
        let (status, behind) = place.split_once('.')?;
        let statuses: Vec<Status> =
            self.statuses.into_iter().skip_while(|one| one.as_str() != status).collect();
        let behind = if behind.is_empty() { None } else { Some(behind.parse().ok()?) };
        (!statuses.is_empty()).then_some(Self { statuses, behind })
    }

    /// What is walked over now; `None` at the end.
    fn status(&self) -> Option<Status> {
        self.statuses.first().copied()
    }

    fn go_on(&mut self, last: Option<Cursor>, is_end: bool) {
        if is_end {
            self.statuses.remove(0);
            self.behind = None;
        } else {
            self.behind = last.or(self.behind);
        }
    }

    /// Where it is, as text; `None` at the end.
    fn place(&self) -> Option<String> {
        let behind = self.behind.map(|behind| behind.to_string()).unwrap_or_default();
        self.status().map(|status| format!("{}.{behind}", status.as_str()))
    }
}

/// The moment before which executions are to have ended.
fn before(wish: &PruneWish, now: Timestamp) -> Result<Timestamp, ServiceError> {
    let wrong = |problem: &str| ServiceError::Invalid(problem.to_owned());
    match (wish.before, wish.older_than_seconds) {
        (Some(before), None) => Ok(before),
        (None, Some(seconds)) => {
            let age = SignedDuration::try_from_secs_f64(seconds).ok().filter(|age| !age.is_negative());
            let age = age.ok_or_else(|| wrong("older_than_seconds: must be a number from 0"))?;
            now.checked_sub(age).map_err(|_| wrong("older_than_seconds: is too long ago"))
        }
        (Some(_), Some(_)) | (None, None) => Err(wrong("say either older_than_seconds or before")),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_next_request_goes_on_where_the_last_one_ended() {
        let wish = PruneWish { statuses: vec![Status::Failed, Status::Success], ..PruneWish::default() };
        let mut walk = RequestedWalk::of(&wish).unwrap();
        let mut seen = Vec::new();
        for number in 0..6 {
            seen.extend(walk.status());
            let Some(place) = walk.place() else { break };
            walk = RequestedWalk::of(&PruneWish { cursor: Some(place), ..wish.clone() }).unwrap();
            let last = Cursor { created_at: Timestamp::UNIX_EPOCH, id: Uuid::from_u128(number) };
            walk.go_on(Some(last), number % 2 == 1);
            assert_eq!(walk.behind.map(|behind| behind.id.as_u128()), (number % 2 == 0).then_some(number));
        }
        let (success, failed) = (Status::Success, Status::Failed);
        assert!(
            seen == [success, success, failed, failed] || seen == [failed, failed, success, success],
            "{seen:?}"
        );
        assert_eq!((walk.status(), walk.place()), (None, None));
    }

    #[test]
    fn a_place_that_is_none_is_refused() {
        for wrong in ["", "SUCCESS", "RUNNING.", "SUCCESS.7", "FAILED.1.00000000000000000000000000000001"] {
            let statuses = vec![Status::Success];
            let wish = PruneWish { cursor: Some(wrong.into()), statuses, ..PruneWish::default() };
            assert!(matches!(RequestedWalk::of(&wish), Err(ServiceError::Invalid(_))), "{wrong}");
        }
    }
}
