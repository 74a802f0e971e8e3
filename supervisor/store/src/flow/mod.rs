//! The rules of delivery, written once over the statements of either adapter: the roles that follow them are
//! implemented here for every [`Backend`].

mod again;
mod claim;
mod definitions;
mod entry;
mod finalize;
mod keys;
mod limits;
mod limits_admin;
mod pauses;
mod poll;
mod queue;
mod renew;
mod retention;
mod room;
mod schedules;
mod tending;
mod tokens;
mod unclaimed;

pub(crate) use again::again;
pub(crate) use definitions::write_definitions;
pub(crate) use limits::PendingRow;
pub(crate) use schedules::advance_schedules;

use std::collections::{HashMap, HashSet};

use muster_core::execution::Status;
use uuid::Uuid;

use super::Result;
use super::decide::FoundRow;
use super::session::{Backend, Extent, Purpose, StoreSession};

/// In which state each is.
fn statuses(rows: &[FoundRow]) -> HashMap<Uuid, Status> {
    rows.iter().map(|row| (row.attempt.execution_id, row.status)).collect()
}

/// Which of these rows somebody has locked at this moment. Does not wait for them.
pub(super) async fn locked_rows<B: Backend>(backend: &B, ids: &[Uuid]) -> Result<HashSet<Uuid>> {
    let mut session = backend.begin(Purpose::Write, Extent::Several).await?;
    let locked = session.locked(ids).await?;
    session.commit().await?;
    Ok(locked)
}

/// Where rows are that a write passed by.
async fn standings<B: Backend>(backend: &B, ids: &[Uuid]) -> Result<Vec<FoundRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut session = backend.begin(Purpose::Write, Extent::OneStatement).await?;
    let found = session.current_state(ids).await?;
    session.commit().await?;
    Ok(found)
}
