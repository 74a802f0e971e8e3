//! Rows that wait, and rows that never will.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use muster_core::execution::{Attempt, Status};
use uuid::Uuid;

use super::entry::{enter_rows, lock_strict_limits};
use super::keys::settle_keys;
use super::tending::{DirtyLimits, tend_changed};
use super::unclaimed::give_up;
use super::{again, standings, statuses};
use crate::batch::InsertGroups;
use crate::decide::{FoundRow, distinct};
use crate::finalized_event::finalized_detail;
use crate::limits::on_full::FullLimit;
use crate::limits::session::LockPatience;
use crate::rows::EventRowIn;
use crate::session::{Backend, CancelledRow, Extent, Purpose, StoreSession};
use crate::webhooks::WebhookSession as _;
use crate::{CancelResult, ExecutionFailure, ExecutionOutcome, NewExecution, QueueStore, Result, Submitted};

#[async_trait]
impl<B: Backend> QueueStore for B {
    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>> {
        again(B::PLANS_MAX, || submit(self, executions)).await
    }

    async fn forget_keys(&self, limit: usize) -> Result<usize> {
        again(B::PLANS_MAX, || forget_keys(self, limit)).await
    }

    async fn follow_clock(&self, limit: usize) -> Result<usize> {
        again(B::PLANS_MAX, || follow_clock(self, limit)).await
    }

    async fn request_cancel(&self, id: Uuid) -> Result<CancelResult> {
        again(B::PLANS_MAX, || request_cancel(self, id)).await
    }

    async fn request_cancels(&self, ids: &[Uuid]) -> Result<Vec<(Uuid, CancelResult)>> {
        again(B::PLANS_MAX, || request_cancels(self, ids)).await
    }

    async fn give_up(&self, given_up: &[(Uuid, ExecutionOutcome)]) -> Result<()> {
        again(B::PLANS_MAX, || give_up(self, given_up)).await
    }

    async fn fail_unusable(&self, id: Uuid, failure: &ExecutionFailure) -> Result<Option<Status>> {
        again(B::PLANS_MAX, || fail_unusable(self, id, failure)).await
    }

    async fn reopen_unusable(&self, id: Uuid) -> Result<bool> {
        again(B::PLANS_MAX, || reopen_unusable(self, id)).await
    }
}

pub(super) async fn submit<B: Backend, T: Borrow<NewExecution> + Sync>(
    backend: &B,
    executions: &[T],
) -> Result<Vec<Submitted>> {
    let mut groups = InsertGroups::of(executions);
    while let Some(group) = groups.next_group() {
        let written = submit_group(backend, group).await;
        if let Some((_, error)) = groups.written(group, written)? {
            groups.answer(Submitted::Refused(error.to_string()));
        }
    }
    Ok(groups.into_answers())
}

async fn submit_group<B: Backend, T: Borrow<NewExecution> + Sync>(
    backend: &B,
    executions: &[T],
) -> Result<Vec<Submitted>> {
    loop {
        if let Some(answers) = try_submit_group(backend, executions).await? {
            return Ok(answers);
        }
    }
}

/// `None`, and nothing is written: a key was given to an execution that another request made meanwhile. It is seen from then on.
async fn try_submit_group<B: Backend, T: Borrow<NewExecution> + Sync>(
    backend: &B,
    executions: &[T],
) -> Result<Option<Vec<Submitted>>> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let all: Vec<&NewExecution> = executions.iter().map(Borrow::borrow).collect();
    let patience = if all.iter().any(|new| new.idempotency.is_some()) {
        lock_strict_limits(&mut session, backend, &all).await?;
        LockPatience::Short
    } else {
        LockPatience::First
    };
    let keys = settle_keys(&mut session, executions).await?;
    let unanswered: Vec<&NewExecution> =
        all.iter().copied().filter(|new| keys.answer(new).is_none()).collect();
    let new: Vec<&NewExecution> = distinct(&unanswered).into_iter().copied().collect();
    let entered = enter_rows(&mut session, backend, &new, patience).await?;
    let is_known = |id: &Uuid| !entered.inserted.contains(id) && !entered.refused.contains_key(id);
    let known: Vec<Uuid> = new.iter().map(|new| new.id).filter(is_known).collect();
    let known: HashMap<Uuid, Status> =
        if known.is_empty() { HashMap::new() } else { statuses(&session.current_state(&known).await?) };
    if new.iter().any(|new| known.contains_key(&new.id) && keys.is_given(new)) {
        return Ok(None);
    }
    if !entered.inserted.is_empty() {
        session.wake().await?;
    }
    session.commit().await?;
    let refused = entered.refused.clone();
    entered.committed(backend).await;
    let mut answered = HashSet::new();
    let answer = |execution: &T| {
        let new = execution.borrow();
        if let Some(FullLimit { name, holder, .. }) = refused.get(&new.id) {
            return Submitted::LimitReached { limit: name.clone(), holder: *holder };
        }
        if let Some(answer) = keys.answer(new) {
            return answer;
        }
        let is_first = answered.insert(new.id);
        match known.get(&new.id) {
            Some(status) => Submitted::Exists(*status),
            None if is_first => Submitted::Inserted,
            // Of several with one id the first became the row.
            None => Submitted::Exists(Status::Pending),
        }
    };
    Ok(Some(executions.iter().map(answer).collect()))
}

async fn forget_keys<B: Backend>(backend: &B, limit: usize) -> Result<usize> {
    let mut session = backend.begin(Purpose::Write, Extent::OneStatement).await?;
    let forgotten = session.forget_keys(limit).await?;
    session.commit().await?;
    Ok(forgotten)
}

async fn follow_clock<B: Backend>(backend: &B, limit: usize) -> Result<usize> {
    let mut session = backend.begin(Purpose::Write, Extent::OneStatement).await?;
    let moved = session.follow_clock(limit).await?;
    session.commit().await?;
    Ok(moved)
}

async fn request_cancel<B: Backend>(backend: &B, id: Uuid) -> Result<CancelResult> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let Some(CancelledRow { row, is_tombstone, limits }) = session.cancel(id).await? else {
        let row = session.current_state(&[id]).await?.pop();
        session.commit().await?;
        return Ok(match row {
            // Somebody asked before: that is noted, and once is enough.
            Some(FoundRow { status: Status::Running, owner: Some(owner), attempt, .. }) => {
                CancelResult::Requested { attempt, owner }
            }
            row => CancelResult::AlreadyTerminal(row.map_or(Status::Cancelled, |row| row.status)),
        });
    };
    let (answer, event) = cancelled(&row, is_tombstone);
    session.insert_events(&[EventRowIn::of(row.attempt, None, event)]).await?;
    if event == "cancelled" {
        session.note_webhooks(&[id]).await?;
    }
    session.commit().await?;
    if answer == CancelResult::Cancelled {
        // It may have been let go, and another starts in its place.
        let mut dirty = DirtyLimits::default();
        dirty.add(Some(id), &limits);
        tend_changed(backend, dirty).await;
    }
    Ok(answer)
}

/// What a cancel led to that changed this row, and the name of the event.
fn cancelled(row: &FoundRow, is_tombstone: bool) -> (CancelResult, &'static str) {
    match row.owner {
        Some(owner) if row.status == Status::Running => {
            (CancelResult::Requested { attempt: row.attempt, owner }, "cancel_requested")
        }
        Some(_) | None if is_tombstone => (CancelResult::Tombstone, "cancelled"),
        Some(_) | None => (CancelResult::Cancelled, "cancelled"),
    }
}

async fn request_cancels<B: Backend>(backend: &B, ids: &[Uuid]) -> Result<Vec<(Uuid, CancelResult)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let (mut answers, mut events, mut dirty) = (Vec::new(), Vec::new(), DirtyLimits::default());
    for CancelledRow { row, is_tombstone, limits } in session.cancel_several(ids).await? {
        let (answer, event) = cancelled(&row, is_tombstone);
        if answer == CancelResult::Cancelled {
            dirty.add(Some(row.attempt.execution_id), &limits);
        }
        events.push(EventRowIn::of(row.attempt, None, event));
        answers.push((row.attempt.execution_id, answer));
    }
    if !events.is_empty() {
        session.insert_events(&events).await?;
    }
    let over = |(id, answer): &(Uuid, CancelResult)| (*answer == CancelResult::Cancelled).then_some(*id);
    let over: Vec<Uuid> = answers.iter().filter_map(over).collect();
    if !over.is_empty() {
        session.note_webhooks(&over).await?;
    }
    session.commit().await?;
    tend_changed(backend, dirty).await;
    // What was locked at that moment is asked by itself, and waited for; a claim may have it meanwhile.
    let changed: HashSet<Uuid> = answers.iter().map(|(id, _)| *id).collect();
    let rest: Vec<Uuid> = ids.iter().copied().filter(|id| !changed.contains(id)).collect();
    for row in standings(backend, &rest).await? {
        if !row.status.is_terminal() {
            let id = row.attempt.execution_id;
            answers.push((id, request_cancel(backend, id).await?));
        }
    }
    Ok(answers)
}

async fn fail_unusable<B: Backend>(
    backend: &B,
    id: Uuid,
    failure: &ExecutionFailure,
) -> Result<Option<Status>> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let present = if session.insert_unusable(id, failure).await? {
        let outcome = ExecutionOutcome::Failed(failure.clone());
        let never_ran = Attempt::new(id, 0);
        let event = EventRowIn::of(never_ran, None, "finalized");
        session.insert_events(&[EventRowIn { detail: Some(finalized_detail(&outcome)), ..event }]).await?;
        session.note_webhooks(&[id]).await?;
        None
    } else {
        session.current_state(&[id]).await?.pop().map(|row| row.status)
    };
    session.commit().await?;
    Ok(present)
}

async fn reopen_unusable<B: Backend>(backend: &B, id: Uuid) -> Result<bool> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let forgotten = session.forget_unusable(id).await?;
    session.commit().await?;
    Ok(forgotten)
}
