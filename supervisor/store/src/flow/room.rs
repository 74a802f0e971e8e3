//! Making room for what is newer, in limits that do not let wait: those that wait are cancelled, and those that run are
//! asked to end where the limit says so.
//!
//! Nobody is waited for in the transaction that decides, since a claim that has such a row waits for the same locks. What a
//! claim or a renewal had in its hands at that moment is asked again after the commit.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use muster_core::execution::Status;
use serde::Serialize;
use uuid::Uuid;

use super::entry::locked_entry;
use super::limits::names;
use super::statuses;
use super::tending::DirtyLimits;
use crate::Result;
use crate::limits::on_full::Displacement;
use crate::limits::session::LockPatience;
use crate::limits::{Displaced, HeldLimit};
use crate::rows::EventRowIn;
use crate::session::{Backend, CancelledRow, Extent, Purpose, StoreSession};

/// What somebody had locked is asked again after so long, and each time after twice as long: for 1.3 s in all.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(10);
const ASK_AGAIN_TIMES: u32 = 7;

/// What became of those that were in the way of others.
#[derive(Debug, Default)]
pub(super) struct MadeRoom {
    /// What others may have room in now, after the commit.
    dirty: DirtyLimits,
    /// Whom to tell of, after the commit.
    displaced: Vec<Displaced>,
    /// Somebody had them locked.
    passed_over: Vec<Displacement>,
}

impl MadeRoom {
    /// Nobody was in the way.
    pub(super) fn is_empty(&self) -> bool {
        self.dirty.is_empty() && self.displaced.is_empty() && self.passed_over.is_empty()
    }

    /// Notes rows that were not let in, and of which nobody was told yet.
    pub(super) fn note_over(&mut self, ids: impl Iterator<Item = Uuid>) {
        self.displaced.extend(ids.map(Displaced::Over));
    }

    /// Cancels those that wait, and where it may asks those that run.
    pub(super) async fn displace<S: StoreSession>(
        &mut self,
        session: &mut S,
        displaced: Vec<Displacement>,
    ) -> Result<()> {
        let (to_end, to_wait_no_more): (Vec<_>, Vec<_>) = displaced.into_iter().partition(|one| one.may_run);
        self.displace_some(session, to_wait_no_more, false).await?;
        self.displace_some(session, to_end, true).await
    }

    async fn displace_some<S: StoreSession>(
        &mut self,
        session: &mut S,
        asked: Vec<Displacement>,
        may_run: bool,
    ) -> Result<()> {
        if asked.is_empty() {
            return Ok(());
        }
        let rows: Vec<(Uuid, String)> = asked.iter().map(|one| (one.id, one.to_string())).collect();
        let reasons: HashMap<Uuid, &str> = rows.iter().map(|(id, reason)| (*id, reason.as_str())).collect();
        let (mut events, mut over) = (Vec::new(), Vec::new());
        let mut changed = HashSet::new();
        for CancelledRow { row, limits, .. } in session.displace(&rows, may_run).await? {
            let id = row.attempt.execution_id;
            changed.insert(id);
            match row.owner {
                Some(owner) if !row.status.is_terminal() => {
                    // Nobody asked for its end, so its way tells who came.
                    let reason = reasons.get(&id).copied().unwrap_or_default();
                    let detail = displaced_detail(reason);
                    events
                        .push(EventRowIn { detail, ..EventRowIn::of(row.attempt, None, "cancel_requested") });
                    self.displaced.push(Displaced::Asked {
                        attempt: row.attempt,
                        owner,
                        reason: reason.to_owned(),
                    });
                }
                Some(_) | None => {
                    events.push(EventRowIn::of(row.attempt, None, "cancelled"));
                    self.displaced.push(Displaced::Over(id));
                    over.push(id);
                    self.dirty.add(Some(id), &limits);
                }
            }
        }
        if !events.is_empty() {
            session.insert_events(&events).await?;
        }
        if !over.is_empty() {
            session.note_webhooks(&over).await?;
        }
        self.passed_over.extend(asked.into_iter().filter(|one| !changed.contains(&one.id)));
        Ok(())
    }

    /// Does what follows once it is committed; gives what others may have room in.
    pub(super) async fn committed<B: Backend>(mut self, backend: &B) -> DirtyLimits {
        let mut wait = ASK_AGAIN_AFTER;
        for _ in 0..ASK_AGAIN_TIMES {
            let rest = std::mem::take(&mut self.passed_over);
            if rest.is_empty() {
                break;
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
            match ask_again(backend, &rest).await {
                Ok(mut made) => {
                    self.displaced.append(&mut made.displaced);
                    self.dirty.append(made.dirty);
                    self.passed_over = made.passed_over;
                }
                Err(error) => {
                    tracing::debug!(%error, "what is older did not make room yet");
                    self.passed_over = rest;
                }
            }
        }
        backend.displaced().note(self.displaced);
        self.dirty
    }
}

/// What the event of one that is asked to end says.
fn displaced_detail(reason: &str) -> Option<Cow<'static, str>> {
    #[derive(Serialize)]
    struct DisplacedDetail<'a> {
        reason: &'a str,
    }
    serde_json::to_string(&DisplacedDetail { reason }).ok().map(Cow::Owned)
}

/// Asks those that somebody had locked.
async fn ask_again<B: Backend>(backend: &B, rest: &[Displacement]) -> Result<MadeRoom> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let held: Vec<HeldLimit> =
        rest.iter().map(|one| one.held.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let all: Vec<&HeldLimit> = held.iter().collect();
    let mut entry = locked_entry(&mut session, &names(&held), &all, LockPatience::First).await?;
    let ids: Vec<Uuid> = rest.iter().map(|one| one.id).collect();
    let found = statuses(&session.current_state(&ids).await?);
    let (mut left, mut started) = (Vec::new(), BTreeSet::new());
    for one in rest {
        match found.get(&one.id) {
            Some(Status::Running) if !one.may_run => drop(started.insert(&one.held)),
            Some(Status::Pending | Status::Running) if !entry.was_asked(one.id) => left.push(one.clone()),
            Some(_) | None => {}
        }
    }
    // They go on, and leave less room for others that wait.
    started.into_iter().for_each(|held| entry.replace_again(held));
    left.extend(entry.into_displaced());
    let mut made = MadeRoom::default();
    made.displace(&mut session, left).await?;
    session.commit().await?;
    Ok(made)
}
