//! Why an execution is where it is: one function of what is known, in the order in which it would have to change.

use jiff::{SignedDuration, Timestamp};
use muster_core::execution::Status;
use muster_store::{Claimant, ExecutionRecord, LimitWait, PauseSubject, Store};
use uuid::Uuid;

use crate::api::{PauseView, ReasonKind, ReasonView, pause_view};
use crate::dispatch::{IntakeClosed, StartTrouble};

/// More rows before one than this are "so many at least".
const AHEAD_MAX: u64 = 1_000;

/// What is known when somebody asks.
#[derive(Debug)]
pub(super) struct ExplainFacts<'a> {
    pub(super) record: &'a ExecutionRecord,
    pub(super) now: Timestamp,
    /// The supervisor that is asked.
    pub(super) supervisor: Uuid,
    /// The queues it serves.
    pub(super) served: &'a [String],
    /// Others that serve its queue, where this one does not: then they know what keeps it.
    pub(super) served_by: Vec<String>,
    pub(super) closed: Vec<IntakeClosed>,
    pub(super) start_trouble: Option<StartTrouble>,
    pub(super) slots_are_free: bool,
    pub(super) max_workers: usize,
    /// How many rows of its organization go before it in its queue.
    pub(super) ahead: u64,
    /// What a failure of its next or present attempt would lead to; `None` when it would be the end.
    pub(super) outlook: Option<String>,
    /// What is paused of it.
    pub(super) pauses: Vec<PauseView>,
    /// What was paused of it and is not any more, while it is not back in the claim.
    pub(super) resumed: Option<String>,
    /// The limit it waits for.
    pub(super) limit: Option<LimitWait>,
}

impl<'a> ExplainFacts<'a> {
    /// The queue it waits in, if the supervisor that is asked does not serve that.
    pub(super) fn queue_not_served(&self) -> Option<&'a str> {
        let waits = self.record.status == Status::Pending;
        self.record.queue.as_ref().filter(|queue| waits && !self.served.contains(queue)).map(String::as_str)
    }

    /// What the record alone says, as if there were a worker for everybody.
    pub(super) async fn of_record(
        store: &dyn Store,
        claimant: &'a Claimant,
        record: &'a ExecutionRecord,
    ) -> muster_store::Result<Self> {
        let waits = record.status == Status::Pending;
        let subject = PauseSubject {
            queue: record.queue.as_deref(),
            workflow_name: record.workflow_name.as_deref(),
            workflow_id: record.workflow_id,
            organization_id: record.organization_id,
        };
        let pauses = store.known_pauses();
        let parked = record.waits_for.as_deref().and_then(|waits_for| waits_for.strip_prefix("pause:"));
        let is_over = |target: &&str| !pauses.iter().any(|pause| pause.target.to_string() == **target);
        Ok(Self {
            record,
            now: Timestamp::now(),
            supervisor: claimant.owner,
            served: claimant.queues.names(),
            served_by: Vec::new(),
            closed: Vec::new(),
            start_trouble: None,
            slots_are_free: true,
            max_workers: 0,
            ahead: if waits { store.ahead(record.id).await? } else { 0 },
            outlook: None,
            pauses: pauses.keeping(subject).map(pause_view).collect(),
            resumed: parked.filter(is_over).map(str::to_owned),
            limit: if waits { store.limit_wait(record).await? } else { None },
        })
    }
}

/// What the record alone says of an execution to a supervisor that would claim it, as if there were a worker for everybody.
///
/// # Errors
/// When the store gives no answer.
pub async fn reasons_of(
    store: &dyn Store,
    claimant: &Claimant,
    record: &ExecutionRecord,
) -> muster_store::Result<Vec<ReasonView>> {
    Ok(explain(&ExplainFacts::of_record(store, claimant, record).await?))
}

/// All there is to say; what keeps it from starting comes first.
pub(super) fn explain(facts: &ExplainFacts<'_>) -> Vec<ReasonView> {
    match facts.record.status {
        Status::Pending => waiting(facts),
        Status::Running => running(facts),
        Status::Success | Status::Failed | Status::Timeout | Status::Cancelled => vec![ended(facts.record)],
    }
}

fn waiting(facts: &ExplainFacts<'_>) -> Vec<ReasonView> {
    let paused = facts.pauses.iter().map(|pause| blocking(ReasonKind::Paused, pause.sentence()));
    // What keeps this supervisor from it is no reason where others are to claim it.
    let is_ours = facts.served_by.is_empty();
    let others = [
        facts.resumed.as_deref().map(resumed),
        starts_later(facts),
        facts.limit.as_ref().map(limit_full),
        not_served(facts),
        (is_ours && !facts.closed.is_empty()).then(|| intake_closed(&facts.closed)),
        facts.start_trouble.as_ref().filter(|_| is_ours).map(workers_fail),
        // Where no worker starts, or nothing is claimed, none is free either, and none need have a run.
        (is_ours && !facts.slots_are_free && facts.start_trouble.is_none() && facts.closed.is_empty())
            .then(|| no_free_worker(facts.max_workers)),
        (facts.ahead > 0).then(|| behind_others(facts.ahead)),
    ];
    let mut reasons: Vec<ReasonView> = paused.chain(others.into_iter().flatten()).collect();
    if !reasons.iter().any(|reason| reason.is_blocking) {
        reasons.push(said(ReasonKind::Due, "it is next: it is claimed within a second"));
    }
    let expires = facts.record.expires_at.filter(|_| facts.record.attempts_charged == 0);
    reasons.extend(expires.map(|end| {
        said(ReasonKind::Expires, format!("it is cancelled as Expired if it has not started by {end}"))
    }));
    reasons.extend(waits_since(facts));
    reasons.extend(outlook(facts));
    reasons
}

/// Since when its first attempt waits, where that is not the moment at which its row was made.
fn waits_since(facts: &ExplainFacts<'_>) -> Option<ReasonView> {
    let published = facts.record.published_at.filter(|_| facts.record.attempt == 0)?;
    let waited = seconds(facts.now.duration_since(published));
    Some(said(ReasonKind::WaitsSince, format!("its message was published at {published}, {waited} ago")))
}

fn resumed(target: &str) -> ReasonView {
    said(
        ReasonKind::Paused,
        format!("{target} is not paused any more: it is back in the claim within a second"),
    )
}

fn starts_later(facts: &ExplainFacts<'_>) -> Option<ReasonView> {
    let record = facts.record;
    if record.run_after <= facts.now {
        return None;
    }
    let left = seconds(record.run_after.duration_since(facts.now));
    let why = match record.attempt {
        0 => "it starts".to_owned(),
        attempt => format!("attempt {attempt} went back to the queue; the next starts"),
    };
    Some(blocking(
        ReasonKind::StartsLater,
        format!("{why} at {} at the earliest, in {left}", record.run_after),
    ))
}

fn limit_full(wait: &LimitWait) -> ReasonView {
    let LimitWait { name, key, most, running, holders, before, opens_at } = wait;
    let Some(most) = most else {
        let message = format!("it waited for limit {name}, which has room again: it is let go in a moment");
        return said(ReasonKind::LimitFull, message);
    };
    let for_key = match key.as_deref() {
        None => String::new(),
        Some("") => " for what has no key".to_owned(),
        Some(key) => format!(" for key {key}"),
    };
    if let Some(opens_at) = opens_at {
        let position = before + 1;
        let message = format!(
            "limit {name}: its rate lets the next one start{for_key} at {opens_at}, position {position}"
        );
        return blocking(ReasonKind::LimitFull, message);
    }
    let ids: Vec<String> = holders.iter().map(Uuid::to_string).collect();
    let rest = usize::try_from(*running).unwrap_or_default().saturating_sub(ids.len());
    let held = match (ids.as_slice(), rest) {
        // None is named: of whom they are is not for everybody.
        ([], _) => String::new(),
        ([..], 0) => format!(", held by {}", ids.join(", ")),
        ([..], rest) => format!(", held by {} and {rest} more", ids.join(", ")),
    };
    let position = before + 1;
    let at_least = if *before >= AHEAD_MAX { " at least" } else { "" };
    let message = format!("limit {name}: {running} of {most}{for_key}{held}, position {position}{at_least}");
    blocking(ReasonKind::LimitFull, message)
}

fn not_served(facts: &ExplainFacts<'_>) -> Option<ReasonView> {
    let queue = facts.queue_not_served()?;
    let (served, by) = (facts.served.join(", "), facts.served_by.join(", "));
    let what = format!("it waits in the queue {queue}, and this supervisor serves {served}");
    let message = match facts.served_by.len() {
        0 => format!("{what}: start one with queues = [{queue:?}]"),
        _ => format!("{what}; {queue} is served by {by}: ask there what keeps it"),
    };
    Some(blocking(ReasonKind::QueueNotServed, message))
}

fn intake_closed(closed: &[IntakeClosed]) -> ReasonView {
    let why: Vec<&str> = closed.iter().map(|reason| reason.explain()).collect();
    blocking(ReasonKind::IntakeClosed, format!("this supervisor claims nothing: {}", why.join("; ")))
}

fn workers_fail(trouble: &StartTrouble) -> ReasonView {
    let StartTrouble { consecutive, message } = trouble;
    blocking(ReasonKind::WorkersFail, format!("{consecutive} starts of workers failed in a row: {message}"))
}

fn no_free_worker(max_workers: usize) -> ReasonView {
    let message = match max_workers {
        1 => "the only worker there may be has a run (max_workers = 1)".to_owned(),
        count => format!("all {count} workers there may be have a run (max_workers)"),
    };
    blocking(ReasonKind::NoFreeWorker, message)
}

fn behind_others(ahead: u64) -> ReasonView {
    let message = match ahead {
        1 => "1 other of its organization goes first in its queue, by priority and time waited".to_owned(),
        AHEAD_MAX.. => {
            format!(
                "at least {AHEAD_MAX} others of its organization go first in its queue, by priority and time waited"
            )
        }
        count => {
            format!("{count} others of its organization go first in its queue, by priority and time waited")
        }
    };
    blocking(ReasonKind::BehindOthers, message)
}

fn running(facts: &ExplainFacts<'_>) -> Vec<ReasonView> {
    let record = facts.record;
    let place = match record.lease_owner {
        Some(owner) if owner == facts.supervisor => "here".to_owned(),
        Some(owner) => format!("at the supervisor {owner}"),
        None => "at a supervisor that is not named".to_owned(),
    };
    let since = match record.started_at {
        Some(started) => format!("since {started}, for {}", seconds(facts.now.duration_since(started))),
        None => "and its code was not entered yet, as far as the record says".to_owned(),
    };
    let (attempt, most) = (record.attempt, record.max_attempts);
    let mut reasons =
        vec![said(ReasonKind::Running, format!("attempt {attempt} of at most {most} runs {place} {since}"))];
    reasons.extend(record.cancel_requested_at.map(|at| {
        said(ReasonKind::CancelRequested, format!("somebody asked at {at} for it to end; its worker is told"))
    }));
    reasons.extend(outlook(facts).filter(|_| record.cancel_requested_at.is_none()));
    reasons
}

fn outlook(facts: &ExplainFacts<'_>) -> Option<ReasonView> {
    Some(said(ReasonKind::RetriesAfter, facts.outlook.clone()?))
}

fn ended(record: &ExecutionRecord) -> ReasonView {
    let at = record.completed_at.map_or_else(String::new, |at| format!(" at {at}"));
    let why = match (&record.error_type, &record.error_message) {
        (Some(kind), Some(message)) => format!(": {kind}: {message}"),
        (Some(kind), None) => format!(": {kind}"),
        (None, _) => String::new(),
    };
    let attempts = match (record.status, record.attempt) {
        (Status::Success, _) | (_, 0 | 1) => String::new(),
        (_, attempt) => format!(", in attempt {attempt}"),
    };
    said(ReasonKind::Ended, format!("it ended {}{at}{attempts}{why}", record.status))
}

fn blocking(kind: ReasonKind, message: impl Into<String>) -> ReasonView {
    ReasonView { kind, is_blocking: true, message: message.into() }
}

fn said(kind: ReasonKind, message: impl Into<String>) -> ReasonView {
    ReasonView { kind, is_blocking: false, message: message.into() }
}

fn seconds(time: SignedDuration) -> String {
    format!("{:.1} s", time.as_secs_f64().max(0.0))
}

#[cfg(test)]
mod tests {
    use muster_core::execution::ExecutionRequest;
    use muster_store::{
        Durability, ExecutionStore as _, NewExecution, QueueStore as _, SchemaStore as _, SqliteStore,
    };

    use super::*;

    async fn record() -> ExecutionRecord {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("rows.db"), Durability::Normal).await.unwrap();
        store.migrate().await.unwrap();
        let request = format!(r#"{{"execution_id":"{}","workflow":"w","queue":"q"}}"#, Uuid::from_u128(1));
        let request = ExecutionRequest::parse(request.as_bytes()).unwrap();
        store.submit(&[NewExecution::of(&request, 3)]).await.unwrap();
        store.execution(Uuid::from_u128(1)).await.unwrap().unwrap()
    }

    fn facts<'a>(record: &'a ExecutionRecord, served: &'a [String]) -> ExplainFacts<'a> {
        ExplainFacts {
            record,
            now: record.run_after + std::time::Duration::from_secs(1),
            supervisor: Uuid::from_u128(7),
            served,
            served_by: Vec::new(),
            closed: Vec::new(),
            start_trouble: None,
            slots_are_free: true,
            max_workers: 2,
            ahead: 0,
            outlook: None,
            pauses: Vec::new(),
            resumed: None,
            limit: None,
        }
    }

    fn kinds(facts: &ExplainFacts<'_>) -> Vec<(ReasonKind, bool)> {
        explain(facts).iter().map(|reason| (reason.kind, reason.is_blocking)).collect()
    }

    #[tokio::test]
    async fn what_waits_is_told_all_that_keeps_it() {
        let (mut record, served) = (record().await, ["q".to_owned()]);
        assert_eq!(kinds(&facts(&record, &served)), [(ReasonKind::Due, false)]);

        let full = ExplainFacts { slots_are_free: false, ahead: 3, ..facts(&record, &served) };
        assert_eq!(kinds(&full), [(ReasonKind::NoFreeWorker, true), (ReasonKind::BehindOthers, true)]);

        let other = ["p".to_owned()];
        let closed = vec![IntakeClosed::StoreUnreachable];
        let start_trouble = Some(StartTrouble { consecutive: 4, message: "no such file".to_owned() });
        let broken = ExplainFacts { closed, start_trouble, slots_are_free: false, ..facts(&record, &other) };
        let told = explain(&broken);
        let expected = [ReasonKind::QueueNotServed, ReasonKind::IntakeClosed, ReasonKind::WorkersFail];
        assert_eq!(told.iter().map(|reason| reason.kind).collect::<Vec<_>>(), expected);
        assert!(told.iter().all(|reason| reason.is_blocking), "{told:?}");
        assert!(told[0].message.contains("serves p") && told[2].message.contains("no such file"), "{told:?}");

        let elsewhere = ExplainFacts {
            served_by: vec!["vm, process 7".to_owned()],
            slots_are_free: false,
            ..facts(&record, &other)
        };
        let told = explain(&elsewhere);
        assert_eq!(kinds(&elsewhere), [(ReasonKind::QueueNotServed, true)], "{told:?}");
        assert!(
            told[0].message.ends_with("q is served by vm, process 7: ask there what keeps it"),
            "{told:?}"
        );

        record.expires_at = Some(record.run_after + std::time::Duration::from_secs(60));
        record.run_after += std::time::Duration::from_secs(30);
        let early = ExplainFacts { now: record.created_at, ..facts(&record, &served) };
        assert_eq!(kinds(&early), [(ReasonKind::StartsLater, true), (ReasonKind::Expires, false)]);
        assert!(explain(&early)[0].message.ends_with("in 30.0 s"), "{:?}", explain(&early));

        record.published_at = Some(record.created_at - std::time::Duration::from_secs(240));
        let told = explain(&ExplainFacts { now: record.created_at, ..facts(&record, &served) });
        let since = told.iter().find(|reason| reason.kind == ReasonKind::WaitsSince).unwrap();
        assert!(!since.is_blocking && since.message.ends_with(", 240.0 s ago"), "{told:?}");
    }

    #[tokio::test]
    async fn what_is_paused_says_by_whom_and_why() {
        let (record, served) = (record().await, ["q".to_owned()]);
        let pause = PauseView {
            target: "queue:q".to_owned(),
            who: "anna@build1 from 127.0.0.1".to_owned(),
            why: Some("the CRM is away".to_owned()),
            since: Timestamp::UNIX_EPOCH,
        };
        let told = explain(&ExplainFacts { pauses: vec![pause], ..facts(&record, &served) });
        assert_eq!((told[0].kind, told[0].is_blocking), (ReasonKind::Paused, true));
        assert_eq!(
            told[0].message,
            "queue:q is paused by anna@build1 from 127.0.0.1 since 1970-01-01T00:00:00Z: the CRM is away"
        );
    }

    #[tokio::test]
    async fn what_was_resumed_says_that_it_is_on_its_way() {
        let (record, served) = (record().await, ["q".to_owned()]);
        let facts = ExplainFacts { resumed: Some("workflow:w".to_owned()), ..facts(&record, &served) };
        assert_eq!(kinds(&facts), [(ReasonKind::Paused, false), (ReasonKind::Due, false)]);
        assert!(explain(&facts)[0].message.starts_with("workflow:w is not paused any more"));
        let behind = ExplainFacts { ahead: 17, ..facts };
        assert_eq!(kinds(&behind), [(ReasonKind::Paused, false), (ReasonKind::BehindOthers, true)]);
    }

    #[tokio::test]
    async fn what_runs_is_told_where_and_what_ended_why() {
        let (mut record, served) = (record().await, ["q".to_owned()]);
        record.status = Status::Running;
        (record.attempt, record.lease_owner) = (2, Some(Uuid::from_u128(7)));
        record.cancel_requested_at = Some(record.created_at);
        let told = explain(&facts(&record, &served));
        assert!(told[0].message.starts_with("attempt 2 of at most 3 runs here"), "{told:?}");
        assert_eq!(told[1].kind, ReasonKind::CancelRequested);

        let outlook = Some("if it fails, attempt 3 follows".to_owned());
        let told = explain(&ExplainFacts { outlook, ..facts(&record, &served) });
        assert_eq!(told.len(), 2, "what is to end is not tried again: {told:?}");
        record.status = Status::Failed;
        (record.error_type, record.error_message) = (Some("ValueError".to_owned()), Some("no".to_owned()));
        let told = explain(&facts(&record, &served));
        assert_eq!(told[0].message, "it ended FAILED, in attempt 2: ValueError: no");
    }

    #[tokio::test]
    async fn what_waits_for_a_limit_says_who_holds_it() {
        let record = record().await;
        let served = ["default".to_owned()];
        let limit = LimitWait {
            name: "crm".to_owned(),
            key: Some("acme".to_owned()),
            most: Some(5),
            running: 5,
            holders: vec![Uuid::nil()],
            before: 11,
            opens_at: None,
        };
        let reasons = explain(&ExplainFacts { limit: Some(limit), ..facts(&record, &served) });
        let reason = reasons.iter().find(|reason| reason.kind == ReasonKind::LimitFull).unwrap();
        assert!(reason.is_blocking);
        assert_eq!(
            reason.message,
            "limit crm: 5 of 5 for key acme, held by 00000000-0000-0000-0000-000000000000 and 4 more, \
             position 12"
        );
    }
}
