//! Making rows ours that wait, and those whose supervisor is lost.

use std::collections::HashMap;

use uuid::Uuid;

use super::claim::TakenRows;
use super::definitions::{known_workflows, put_into_own_limits};
use super::limits::admit;
use super::pauses::{hold_back, known_pauses};
use super::tending::{DirtyLimits, tend_changed};
use super::unclaimed::{end, fail_refused, left_by, lost_event};
use crate::decide::end_instead_of_claim;
use crate::limits::KnownWorkflows;
use crate::pauses::Pauses;
use crate::session::{Backend, Candidate, Extent, Purpose, StoreSession};
use crate::shares::Allotment;
use crate::{Claimant, DueExecutions, Result, ServedQueues, StoreError, TakeOver};

/// So far a poll looks that found only rows which have to wait for room.
const LOOK_AHEAD: usize = 512;
/// So often it looks before others have their turn.
const LOOKS_MAX: u32 = 20;
/// So often where something is due, and others have it.
const LOOKS_IN_VAIN_MAX: u32 = 3;

/// See [`crate::ClaimStore::claim_due`].
pub(super) async fn claim_due<B: Backend>(
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
    let mut in_vain = 0;
    for _ in 0..LOOKS_MAX {
        let polled = match poll(backend, claimant, known, look, take_over, ClaimCare::Together).await {
            // One row may be the reason, and must not keep the others waiting.
            Err(StoreError::Refused { .. } | StoreError::Failed { .. }) => {
                poll(backend, claimant, known, look, take_over, ClaimCare::Apart).await?
            }
            answer => answer?,
        };
        if !polled.due.claimed.is_empty() || !polled.due.ended.is_empty() {
            return Ok(polled.due);
        }
        if polled.parked > 0 || (polled.passed_over > 0 && look.ahead == limit) {
            look.ahead = limit.max(LOOK_AHEAD);
            continue;
        }
        if !polled.may_be_left {
            return Ok(polled.due);
        }
        // Whoever was known to wait may have gone meanwhile, and then it is the turn of others at once.
        in_vain += 1;
        if in_vain == LOOKS_IN_VAIN_MAX || polled.passed_over > 0 {
            break;
        }
    }
    Ok(DueExecutions { may_be_left: true, ..DueExecutions::default() })
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
    /// Something that is due may be left, though this poll found less than it might take.
    may_be_left: bool,
    dirty: DirtyLimits,
    /// Somebody waits for a rate from now on.
    waits_for_rate: bool,
}

/// Whose rows a poll looks for.
#[derive(Debug)]
struct PollShares {
    /// There is a queue that is not paused.
    is_open: bool,
    /// It looked who has rows that wait, and did not go by what was known.
    has_looked: bool,
    allotted: Vec<Allotment>,
}

async fn shares_of_poll<S: StoreSession>(
    session: &mut S,
    claimant: &Claimant,
    open: &ServedQueues,
    most: usize,
) -> Result<PollShares> {
    let behind = claimant.shares.look_behind();
    if let Some(behind) = behind {
        claimant.shares.found(&session.waiting_shares(open, behind).await?);
    }
    Ok(PollShares { is_open: true, has_looked: behind.is_some(), allotted: claimant.shares.allot(most) })
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
        Ok((mut polled, by)) => {
            session.commit().await?;
            if polled.waits_for_rate {
                backend.rate_waker().notify_one();
            }
            tend_changed(backend, std::mem::take(&mut polled.dirty)).await;
            let claimed = polled.due.claimed.iter();
            let taken: Vec<_> = claimed.map(|claimed| claimed.execution.organization_id).collect();
            let may_be_left = claimant.shares.took(&by.allotted, &taken, by.has_looked);
            polled.may_be_left = may_be_left && by.is_open;
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
) -> Result<(Polled, PollShares)> {
    let open = pauses.open_queues(&claimant.queues);
    let queues = open.as_ref().unwrap_or(&claimant.queues);
    let by = match &open {
        None => PollShares { is_open: false, has_looked: false, allotted: Vec::new() },
        Some(open) => shares_of_poll(session, claimant, open, look.ahead).await?,
    };
    let mut candidates = session.candidates(claimant, queues, look.ahead, take_over, &by.allotted).await?;
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
    let due = DueExecutions {
        may_be_left: false,
        claimed: ids.iter().filter_map(|id| ours.remove(id)).collect(),
        ended,
    };
    Ok((Polled { due, parked, passed_over, may_be_left: false, dirty, waits_for_rate }, by))
}

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
