//! Ticks of schedules: the schedule goes on and its execution is there, both or neither.

use super::again;
use super::entry::{EnteredRows, enter_rows};
use crate::batch::InsertGroups;
use crate::limits::session::LockPatience;
use crate::schedules::{ScheduleAdvance, ScheduleAdvanced, ScheduleSession as _};
use crate::session::{Backend, Extent, Purpose, StoreSession};
use crate::{NewExecution, Result};

/// Lets schedules go on, in as few transactions as the database takes.
pub(crate) async fn advance_schedules<B: Backend>(
    backend: &B,
    advances: &[ScheduleAdvance],
) -> Result<Vec<ScheduleAdvanced>> {
    let mut groups = InsertGroups::of(advances);
    while let Some(group) = groups.next_group() {
        let written = again(B::PLANS_MAX, || advance_group(backend, group)).await;
        if let Some((_, error)) = groups.written(group, written)? {
            groups.answer(ScheduleAdvanced::Refused(error.to_string()));
        }
    }
    Ok(groups.into_answers())
}

async fn advance_group<B: Backend>(
    backend: &B,
    advances: &[ScheduleAdvance],
) -> Result<Vec<ScheduleAdvanced>> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let ours = session.advance_schedules(advances).await?;
    let new: Vec<&NewExecution> = advances
        .iter()
        .filter(|advance| ours.contains(&advance.id))
        .filter_map(|advance| advance.execution.as_ref())
        .collect();
    let mut entered = EnteredRows::default();
    if !new.is_empty() {
        entered = enter_rows(&mut session, backend, &new, LockPatience::Short).await?;
        session.wake().await?;
    }
    session.commit().await?;
    entered.committed(backend).await;
    let answer = |advance: &ScheduleAdvance| {
        if ours.contains(&advance.id) { ScheduleAdvanced::Done } else { ScheduleAdvanced::NotOurs }
    };
    Ok(advances.iter().map(answer).collect())
}
