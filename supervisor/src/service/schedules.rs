//! Looks for ticks that are due, and runs them: every supervisor does, and of those who see the same tick one comes through.

use std::sync::Weak;
use std::time::Duration;

use jiff::Timestamp;
use muster_bus::StatusChange;
use muster_core::execution::{Attempt, Status};
use muster_core::schedule::{ExecutionsBefore, ScheduleStanding, SkipReason, TickDecision, decide};
use muster_store::{
    DueSchedule, NewExecution, ScheduleAdvance, ScheduleAdvanced, ScheduleRecord, StoreError,
};
use uuid::Uuid;

use super::supervisor::Supervisor;
use crate::api::{ApiService as _, ServiceError, SubmitAnswer};
use crate::schedules::{execution_of, rules, tick_id};

/// How long nobody looks at most: a schedule that is new, or whose execution before is over, is seen so soon.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many are looked at at once.
const LOOKED_AT: usize = 1_000;
/// What a tick came to whose execution cannot be made.
const REFUSED: &str = "refused";
/// What is told of a schedule whose row says what is no schedule.
const WRONG: &str = "refused: it is written wrong";

/// Runs what is due, for ever.
pub(super) async fn run_for_ever(supervisor: Weak<Supervisor>) {
    let mut told = String::new();
    loop {
        let Some(here) = supervisor.upgrade() else { return };
        let looked = here.run_due().await;
        drop(here);
        let wait = match looked {
            Ok(wait) => {
                told.clear();
                wait
            }
            Err(error) => {
                let error = error.to_string();
                if error != told {
                    tracing::warn!(error, "schedules cannot be looked at; trying again every second");
                    told = error;
                }
                LOOK_EVERY
            }
        };
        tokio::time::sleep(wait).await;
    }
}

impl Supervisor {
    /// Runs what is due now; gives how long to wait before the next look.
    async fn run_due(&self) -> Result<Duration, StoreError> {
        let mut advances = Vec::new();
        for due in self.store.due_schedules(LOOKED_AT).await? {
            advances.extend(self.look_at(&due).await);
        }
        if self.advance(&advances).await? {
            return Ok(Duration::ZERO);
        }
        let next = self.store.next_tick().await?;
        Ok(next.map_or(LOOK_EVERY, |next| next.min(LOOK_EVERY)))
    }

    /// What follows for a schedule that is due; `None` when it stays where it is.
    async fn look_at(&self, due: &DueSchedule) -> Option<ScheduleAdvance> {
        let schedule = &due.schedule;
        let rules = match rules(schedule) {
            Ok(rules) => rules,
            Err(reason) => {
                tracing::warn!(
                    schedule = schedule.name,
                    reason,
                    "a schedule that was written by hand is wrong"
                );
                return Some(ScheduleAdvance { outcome: Some(WRONG), ..advance_to(schedule, None, None) });
            }
        };
        let go_on = |next: Option<Timestamp>| advance_to(schedule, next, next.map(|next| rules.due(next)));
        let Some(moment) = schedule.next_at else { return Some(go_on(rules.times.next_after(due.now))) };
        let before = match due.ended_at {
            _ if !due.unfinished.is_empty() => ExecutionsBefore::Running,
            Some(at) => ExecutionsBefore::Over(at),
            None => ExecutionsBefore::None,
        };
        let standing = ScheduleStanding { moment, due: schedule.due_at, last: schedule.last_at, before };
        match decide(&rules, standing, due.now) {
            TickDecision::NotYet | TickDecision::Wait => None,
            TickDecision::MakeUp { moment, since } => Some(advance_to(schedule, Some(moment), Some(since))),
            TickDecision::StartAnew { next } => {
                tracing::warn!(
                    schedule = schedule.name,
                    "the clock of the database was set back by hours: the next tick is found anew"
                );
                Some(done(go_on(next), due.now, "the clock was set back"))
            }
            TickDecision::Skip { next, reason } => {
                let outcome = match reason {
                    SkipReason::StillRunning => "skipped: the execution before was not over",
                    SkipReason::Missed => "skipped: missed",
                };
                tracing::info!(schedule = schedule.name, %moment, outcome, "a tick was not run");
                Some(done(go_on(next), moment, outcome))
            }
            TickDecision::Run { moment, replaces, next, due: next_due } => {
                let replaced = if replaces { due.unfinished.as_slice() } else { &[] };
                for id in replaced {
                    // What cannot be cancelled now runs beside the new one.
                    let _ = self.cancel(*id).await;
                }
                let go_on = |next| advance_to(schedule, next, next_due);
                Some(match self.tick_row(schedule, tick_id(schedule.id, moment), moment) {
                    Ok(execution) => {
                        ScheduleAdvance { execution: Some(execution), ..done(go_on(next), moment, "run") }
                    }
                    Err(error) => {
                        tracing::warn!(schedule = schedule.name, %error, "a tick cannot be run");
                        done(go_on(next), moment, REFUSED)
                    }
                })
            }
        }
    }

    /// Writes what follows, and tells of the executions that were made. True when a schedule went on.
    async fn advance(&self, advances: &[ScheduleAdvance]) -> Result<bool, StoreError> {
        if advances.is_empty() {
            return Ok(false);
        }
        let written = self.store.advance_schedules(advances).await?;
        let (mut went_on, mut refused) = (false, Vec::new());
        for (advance, written) in advances.iter().zip(written) {
            match written {
                ScheduleAdvanced::Done => {
                    went_on = true;
                    if let Some(execution) = &advance.execution {
                        self.tell_pending(execution);
                    }
                }
                ScheduleAdvanced::NotOurs => {}
                ScheduleAdvanced::Refused(error) => {
                    tracing::warn!(schedule_id = %advance.id, error, "the database does not take the execution of a tick");
                    refused.push(ScheduleAdvance {
                        execution: None,
                        outcome: Some(REFUSED),
                        ..advance.clone()
                    });
                }
            }
        }
        if !refused.is_empty() {
            self.store.advance_schedules(&refused).await?;
        }
        Ok(went_on)
    }

    pub(super) fn tell_pending(&self, execution: &NewExecution) {
        let pending = StatusChange::new(Attempt::new(execution.id, 0), Status::Pending, Timestamp::now());
        let (workflow, organization_id) = (execution.workflow_name.clone(), execution.organization_id);
        self.core.bus.status_changed(&StatusChange { workflow, organization_id, ..pending });
    }

    fn tick_row(
        &self,
        schedule: &ScheduleRecord,
        id: Uuid,
        moment: Timestamp,
    ) -> Result<NewExecution, ServiceError> {
        let request =
            execution_of(schedule, id, moment).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        Ok(NewExecution::of(&request, self.default_max_attempts()).in_queue(&self.started_with.queue))
    }

    /// Runs a schedule's workflow now, beside its ticks.
    pub(super) async fn run_schedule_now(
        &self,
        schedule: &ScheduleRecord,
    ) -> Result<SubmitAnswer, ServiceError> {
        let (id, now) = (Uuid::now_v7(), Timestamp::now());
        let row = self.tick_row(schedule, id, now)?;
        let answer = self.insert(row).await?;
        self.store.note_schedule_run(schedule.id, now, id).await?;
        Ok(answer)
    }
}

/// The schedule goes on to this tick. Without one it stands still.
fn advance_to(
    schedule: &ScheduleRecord,
    next_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
) -> ScheduleAdvance {
    ScheduleAdvance {
        id: schedule.id,
        from: schedule.next_at,
        next_at,
        due_at: due_at.or(Some(Timestamp::MAX)),
        done: None,
        outcome: None,
        execution: None,
    }
}

/// The same after a tick that came to this.
fn done(advance: ScheduleAdvance, moment: Timestamp, outcome: &'static str) -> ScheduleAdvance {
    ScheduleAdvance { done: Some(moment), outcome: Some(outcome), ..advance }
}
