//! Making rows ours, from messages and from the poll.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::execution::{Attempt, Status};
use muster_protocol::error_type;
use uuid::Uuid;

use super::definitions::{known_workflows, put_into_own_limits};
use super::limits::{DirtyLimits, admit, tend_changed};
use super::pauses::{hold_back, known_pauses};
use super::queue::submit;
use super::renew::{record_started, renew};
use super::{again, locked_rows, standings, statuses};
use crate::batch::InsertGroups;
use crate::columns::now;
use crate::decide::{distinct, end_instead_of_claim, finalized_detail};
use crate::limits::KnownWorkflows;
use crate::limits::on_full::FullLimit;
use crate::pauses::{PauseSubject, Pauses};
use crate::rows::{EndedRow, EventRowIn, FailureColumns};
use crate::session::{Backend, Candidate, Extent, Purpose, StoreSession};
use crate::shares::Allotment;
use crate::{
    Claim, ClaimStore, Claimant, Claimed, DueExecutions, ExecutionFailure, ExecutionOutcome, NewExecution,
    Renewal, Result, StoreError, Submitted, TakeOver,
};

#[async_trait]
impl<B: Backend> ClaimStore for B {
    async fn claim(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
        again(B::PLANS_MAX, || claim(self, claimant, executions)).await
    }

    async fn claimed_by(&self, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>> {
        again(B::PLANS_MAX, || self.claims_of(owner, ids)).await
    }

    async fn claim_due(
        &self,
        claimant: &Claimant,
        limit: usize,
        take_over: TakeOver<'_>,
    ) -> Result<DueExecutions> {
        again(B::PLANS_MAX, || claim_due(self, claimant, limit, take_over)).await
    }

    async fn expire(&self, claimant: &Claimant, limit: usize) -> Result<Vec<Uuid>> {
        again(B::PLANS_MAX, || expire(self, claimant, limit)).await
    }

    async fn renew(&self, claimant: &Claimant, held: &[Attempt]) -> Result<Renewal> {
        again(B::PLANS_MAX, || renew(self, claimant, held)).await
    }

    async fn record_started(&self, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()> {
        again(B::PLANS_MAX, || record_started(self, owner, started)).await
    }
}

async fn claim<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    executions: &[Arc<NewExecution>],
) -> Result<Vec<Claim>> {
    let now = now();
    let workflows = known_workflows(backend).await?;
    let pauses = known_pauses(backend).await?;
    let waits = |new: &NewExecution| {
        // A key is given away with a row that waits: one way to write it, for those who come together.
        new.must_wait(now)
            || new.idempotency.is_some()
            || !claimant.queues.holds(new.queue.as_deref())
            || workflows.queue_of(new) != new.queue.as_deref()
            || !workflows.limits_of(new).is_empty()
            || pauses.keeping(PauseSubject::of(new)).next().is_some()
    };
    if !executions.iter().any(|new| waits(new)) {
        return claim_at_once(backend, claimant, executions).await;
    }
    let (later, at_once): (Vec<_>, Vec<_>) = executions.iter().cloned().partition(|new| waits(new));
    // First what may be written twice: should the claim fail, all of them come again.
    let mut later = keep_as_rows(backend, &later).await?.into_iter();
    let mut at_once = claim_at_once(backend, claimant, &at_once).await?.into_iter();
    let answer = |new: &Arc<NewExecution>| if waits(new) { later.next() } else { at_once.next() };
    Ok(executions.iter().filter_map(answer).collect())
}

/// Makes rows that wait of what is not to run now, or not here.
async fn keep_as_rows<B: Backend>(backend: &B, later: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
    let answer = |submitted| match submitted {
        Submitted::Inserted => Claim::Elsewhere(Status::Pending),
        Submitted::Exists(status) => Claim::Elsewhere(status),
        Submitted::Existing { id, status } => Claim::Existing { id, status },
        Submitted::KeyReused { id } => Claim::KeyReused { id },
        Submitted::LimitReached { limit, holder } => {
            Claim::Refused(FullLimit { name: limit, holder }.to_string())
        }
        Submitted::Refused(reason) => Claim::Refused(reason),
    };
    Ok(submit(backend, later).await?.into_iter().map(answer).collect())
}

async fn claim_at_once<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    executions: &[Arc<NewExecution>],
) -> Result<Vec<Claim>> {
    let mut groups = InsertGroups::of(executions);
    while let Some(group) = groups.next_group() {
        let written = claim_group(backend, claimant, group).await;
        if let Some((_, error)) = groups.written(group, written)? {
            groups.answer(Claim::Refused(error.to_string()));
        }
    }
    Ok(groups.into_answers())
}

async fn claim_group<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    executions: &[Arc<NewExecution>],
) -> Result<Vec<Claim>> {
    let new = distinct(executions);
    let mut ours = match claim_rows(backend, claimant, &new).await {
        Err(error @ StoreError::Locked { .. }) => claim_free(backend, claimant, &new, error).await?,
        claimed => claimed?,
    };
    let others: Vec<Uuid> = new.iter().map(|new| new.id).filter(|id| !ours.contains_key(id)).collect();
    let others = match standings(backend, &others).await {
        Ok(others) => statuses(&others),
        // What was claimed stays claimed, though this answer cannot be given.
        Err(StoreError::Unreachable { backend, message } | StoreError::Locked { backend, message, .. }) => {
            return Err(StoreError::CommitUnknown { backend, message });
        }
        Err(error) => return Err(error),
    };
    // The same id twice is one claim: the first place gets it.
    let answer = |execution: &Arc<NewExecution>| match ours.remove(&execution.id) {
        Some(claimed) => Claim::Claimed(claimed),
        None => Claim::Elsewhere(others.get(&execution.id).copied().unwrap_or(Status::Running)),
    };
    Ok(executions.iter().map(answer).collect())
}

async fn claim_rows<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    new: &[&Arc<NewExecution>],
) -> Result<TakenRows> {
    let mut session = backend.begin(Purpose::Claim, Extent::OneStatement).await?;
    let ours = session.claim(claimant, new).await?;
    session.commit().await?;
    Ok(ours)
}

/// Claims without the rows that somebody has locked. These are there already, so whoever polls claims them when their
/// locks go. Where no row is locked it is the error.
async fn claim_free<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    new: &[&Arc<NewExecution>],
    error: StoreError,
) -> Result<TakenRows> {
    let ids: Vec<Uuid> = new.iter().map(|new| new.id).collect();
    let locked = locked_rows(backend, &ids).await?;
    let free: Vec<_> = new.iter().copied().filter(|new| !locked.contains(&new.id)).collect();
    if locked.is_empty() {
        Err(error)
    } else if free.is_empty() {
        Ok(HashMap::new())
    } else {
        claim_rows(backend, claimant, &free).await
    }
}

async fn expire<B: Backend>(backend: &B, claimant: &Claimant, limit: usize) -> Result<Vec<Uuid>> {
    // Almost always there are none, and nobody is to be held up for that.
    let mut session = backend.begin(Purpose::Read, Extent::Several).await?;
    let nothing = session.expired(1).await?.is_empty();
    session.commit().await?;
    if nothing {
        return Ok(Vec::new());
    }
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let expired = session.expired(limit).await?;
    let over: Vec<_> = expired.iter().filter_map(|row| Some((row, end_instead_of_claim(row)?))).collect();
    end(&mut session, claimant, &over).await?;
    session.commit().await?;
    tend_changed(backend, left_by(&over)).await;
    Ok(over.iter().map(|(row, _)| row.attempt.execution_id).collect())
}

/// The limits that these were in, or were let go for.
fn left_by(over: &[(&Candidate, ExecutionOutcome)]) -> DirtyLimits {
    let mut dirty = DirtyLimits::default();
    for (row, _) in over {
        dirty.add(Some(row.attempt.execution_id), &row.limits);
    }
    dirty
}

/// So far a poll looks that found only rows which have to wait for room.
const LOOK_AHEAD: usize = 512;
/// So often it looks before others have their turn.
const LOOKS_MAX: u32 = 20;

async fn claim_due<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    limit: usize,
    take_over: TakeOver<'_>,
) -> Result<DueExecutions> {
    if limit == 0 {
        return Ok(DueExecutions::default());
    }
    let pauses = known_pauses(backend).await?;
    let workflows = known_workflows(backend).await?;
    let known = ClaimRules { pauses: &pauses, workflows: &workflows };
    let mut look = PollReach { most: limit, ahead: limit };
    for _ in 0..LOOKS_MAX {
        let polled = match poll(backend, claimant, known, look, take_over, ClaimCare::Together).await {
            // One row may be the reason, and must not keep the others waiting.
            Err(StoreError::Refused { .. } | StoreError::Failed { .. }) => {
                poll(backend, claimant, known, look, take_over, ClaimCare::Apart).await?
            }
            answer => answer?,
        };
        let found = !polled.due.claimed.is_empty() || !polled.due.ended.is_empty();
        let waits_for_room = polled.parked > 0 || (polled.passed_over > 0 && look.ahead == limit);
        // Whoever was known to wait may have gone meanwhile, and then it is the turn of others at once.
        if found || !(waits_for_room || polled.others_may_start) {
            return Ok(polled.due);
        }
        if waits_for_room {
            look.ahead = limit.max(LOOK_AHEAD);
        }
    }
    Ok(DueExecutions::default())
}

/// What a poll goes by, as far as this process knows.
#[derive(Clone, Copy, Debug)]
struct ClaimRules<'a> {
    pauses: &'a Pauses,
    workflows: &'a KnownWorkflows,
}

/// How far a poll looks, and how many it takes of what it finds.
#[derive(Clone, Copy, Debug)]
struct PollReach {
    most: usize,
    ahead: usize,
}

/// What one poll brought.
#[derive(Debug)]
struct Polled {
    due: DueExecutions,
    /// So many wait from now on for room in a limit, or for the end of a pause.
    parked: usize,
    /// So many were not decided about.
    passed_over: usize,
    /// Somebody else may have what may start, though this poll found less than it might take.
    others_may_start: bool,
    dirty: DirtyLimits,
    /// Somebody waits for a rate from now on.
    waits_for_rate: bool,
}

/// How rows are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClaimCare {
    /// All in one statement.
    Together,
    /// So that a row that cannot be taken stands alone.
    Apart,
}

async fn poll<B: Backend>(
    backend: &B,
    claimant: &Claimant,
    known: ClaimRules<'_>,
    look: PollReach,
    take_over: TakeOver<'_>,
    care: ClaimCare,
) -> Result<Polled> {
    let mut session = backend.begin(Purpose::Claim, Extent::Several).await?;
    match poll_within(&mut session, claimant, known, look, take_over, care).await {
        Ok((mut polled, allotted)) => {
            session.commit().await?;
            if polled.waits_for_rate {
                backend.rate_waker().notify_one();
            }
            tend_changed(backend, std::mem::take(&mut polled.dirty)).await;
            let claimed = polled.due.claimed.iter();
            let taken: Vec<_> = claimed.map(|claimed| claimed.execution.organization_id).collect();
            polled.others_may_start = claimant.shares.took(&allotted, &taken);
            Ok(polled)
        }
        // The next try passes over what is locked: it must not meet the locks of this one.
        Err(error) => {
            session.roll_back().await;
            Err(error)
        }
    }
}

async fn poll_within<S: StoreSession>(
    session: &mut S,
    claimant: &Claimant,
    ClaimRules { pauses, workflows }: ClaimRules<'_>,
    look: PollReach,
    take_over: TakeOver<'_>,
    care: ClaimCare,
) -> Result<(Polled, Vec<Allotment>)> {
    let open = pauses.open_queues(&claimant.queues);
    let queues = open.as_ref().unwrap_or(&claimant.queues);
    if open.is_some()
        && let Some(behind) = claimant.shares.look_behind()
    {
        claimant.shares.found(&session.waiting_shares(queues, behind).await?);
    }
    let allotted = if open.is_some() { claimant.shares.allot(look.ahead) } else { Vec::new() };
    let mut candidates = session.candidates(claimant, queues, look.ahead, take_over, &allotted).await?;
    put_into_own_limits(session, workflows, &mut candidates).await?;
    let mut startable = Vec::new();
    let mut over = Vec::new();
    for candidate in &candidates {
        match end_instead_of_claim(candidate) {
            Some(outcome) => over.push((candidate, outcome)),
            None => startable.push(candidate),
        }
    }
    let held_back = hold_back(session, pauses, &startable).await?;
    let (paused, startable): (Vec<&Candidate>, Vec<&Candidate>) =
        startable.into_iter().partition(|row| held_back.holds(row));
    let admitted = admit(session, &startable, look.most).await?;
    let set_down: Vec<&Candidate> = (startable.iter().copied())
        .filter(|row| admitted.set_down.contains(&row.attempt.execution_id))
        .collect();
    let wanted: Vec<&Candidate> =
        startable.into_iter().filter(|row| admitted.may_start(row)).take(look.most).collect();
    let gone = over.iter().map(|(row, _)| *row).chain(wanted.iter().copied()).chain(paused).chain(set_down);
    let lost: Vec<_> = gone.filter_map(lost_event).collect();
    if !lost.is_empty() {
        session.insert_events(&lost).await?;
    }
    end(session, claimant, &over).await?;
    let ids: Vec<Uuid> = wanted.iter().map(|row| row.attempt.execution_id).collect();
    let mut ours = match care {
        ClaimCare::Together if ids.is_empty() => HashMap::new(),
        ClaimCare::Together => session.take(claimant, &ids).await?,
        ClaimCare::Apart => {
            let (ours, refused) = take_apart(session, claimant, &ids).await?;
            for (id, reason) in &refused {
                let row = candidates.iter().find(|candidate| candidate.attempt.execution_id == *id);
                if let Some(row) = row {
                    over.extend(fail_refused(session, claimant, row, reason).await?);
                }
            }
            ours
        }
    };
    let holders: Vec<_> = (wanted.iter())
        .filter(|row| ours.contains_key(&row.attempt.execution_id))
        .flat_map(|row| row.limits.iter().map(|held| (row.attempt.execution_id, held.clone())))
        .collect();
    if !holders.is_empty() {
        session.hold(&holders).await?;
    }
    let ended = over.iter().map(|(row, outcome)| (row.attempt.execution_id, outcome.status())).collect();
    let mut dirty = left_by(&over);
    let (parked, passed_over) = (admitted.parked + held_back.count(), admitted.passed_over);
    let waits_for_rate = admitted.waits_for_rate;
    dirty.append(admitted.dirty);
    dirty.append(held_back.dirty);
    let due = DueExecutions { claimed: ids.iter().filter_map(|id| ours.remove(id)).collect(), ended };
    Ok((Polled { due, parked, passed_over, others_may_start: false, dirty, waits_for_rate }, allotted))
}

type TakenRows = HashMap<Uuid, Claimed>;

/// Takes rows by halves until those that cannot be taken stand alone; they come back with the reason.
async fn take_apart<S: StoreSession>(
    session: &mut S,
    claimant: &Claimant,
    wanted: &[Uuid],
) -> Result<(TakenRows, Vec<(Uuid, String)>)> {
    let (mut ours, mut refused) = (HashMap::new(), Vec::new());
    let mut waiting = if wanted.is_empty() { Vec::new() } else { vec![wanted] };
    while let Some(group) = waiting.pop() {
        session.mark().await?;
        match (session.take(claimant, group).await, group) {
            (Ok(taken), _) => ours.extend(taken),
            (Err(error @ (StoreError::Refused { .. } | StoreError::Failed { .. })), [id]) => {
                session.back_to_mark().await?;
                refused.push((*id, error.to_string()));
            }
            (Err(StoreError::Refused { .. } | StoreError::Failed { .. }), _) => {
                session.back_to_mark().await?;
                let (left, right) = group.split_at(group.len() / 2);
                waiting.extend([right, left]);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok((ours, refused))
}

/// Ends a row that cannot be taken. One that cannot be ended either stays, and a person is told.
async fn fail_refused<'a, S: StoreSession>(
    session: &mut S,
    claimant: &Claimant,
    row: &'a Candidate,
    reason: &str,
) -> Result<Option<(&'a Candidate, ExecutionOutcome)>> {
    let message = format!("the execution cannot be read back from its row: {reason}");
    let over = [(row, ExecutionOutcome::Failed(ExecutionFailure::new(error_type::INVALID_REQUEST, message)))];
    session.mark().await?;
    match end(session, claimant, &over).await {
        Ok(()) => Ok(over.into_iter().next()),
        Err(error @ (StoreError::Refused { .. } | StoreError::Failed { .. })) => {
            session.back_to_mark().await?;
            let id = row.attempt.execution_id;
            tracing::error!(%id, %error, reason, "a row can neither be claimed nor ended; repair or delete it");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn lost_event(candidate: &Candidate) -> Option<EventRowIn<'static>> {
    candidate.previous_owner.map(|owner| EventRowIn::of(candidate.attempt, Some(owner), "lost"))
}

async fn end<S: StoreSession>(
    session: &mut S,
    claimant: &Claimant,
    over: &[(&Candidate, ExecutionOutcome)],
) -> Result<()> {
    if over.is_empty() {
        return Ok(());
    }
    let row = |(candidate, outcome): &'_ (&Candidate, ExecutionOutcome)| EventRowIn {
        detail: Some(finalized_detail(outcome)),
        ..EventRowIn::of(candidate.attempt, Some(claimant.owner), "finalized")
    };
    let events: Vec<EventRowIn<'static>> = over.iter().map(row).collect();
    let rows: Vec<_> = over
        .iter()
        .map(|(candidate, outcome)| EndedRow {
            id: candidate.attempt.execution_id,
            status: outcome.status().as_str(),
            failure: FailureColumns::of(outcome.failure()),
        })
        .collect();
    session.end_unclaimed(Some(claimant.owner), &rows).await?;
    session.insert_events(&events).await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    session.note_webhooks(&ids).await
}
