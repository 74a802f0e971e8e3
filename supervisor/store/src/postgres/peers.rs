//! One look at what the other supervisors hold. What follows from all looks together is decided in
//! [`crate::takeover`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_core::execution::Attempt;
use muster_system::process::{ProcessIdentity, ProcessLiveness};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use tokio::time::Instant;
use uuid::Uuid;

use super::error::store_error;
use super::session::record;
use super::transaction::within;
use super::waiting::duration;
use super::{PLANS_MAX, PostgresStore, StoreShared, statements};
use crate::columns::TimeColumn;
use crate::flow::again;
use crate::takeover::{Answer, LockEvidence, Look, OwnerSeen, ProcessEvidence, Sign};
use crate::{Claimant, ExpiredOwners, OverdueRow, PeerStore, PresenceShown, Result, StoreError};

/// How long each question of a look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// So many rows that ran out are watched at once.
const OVERDUE_MAX: i64 = 1000;

#[async_trait]
impl PeerStore for PostgresStore {
    async fn expired_owners(&self, claimant: &Claimant) -> Result<ExpiredOwners> {
        again(PLANS_MAX, || expired_owners(&self.shared, claimant)).await
    }

    async fn hold_presence(&self, claimant: &Claimant) -> Result<()> {
        let StoreShared { options, identity, marks, statements, renewals, transactions, .. } = &*self.shared;
        let others = [marks, statements, renewals, transactions].map(Arc::clone);
        self.shared.presence.hold(options, claimant, identity.clone(), others).await
    }

    fn presence(&self) -> PresenceShown {
        self.shared.presence.shown()
    }

    fn writes_work(&self) -> bool {
        self.shared.watch().writes_work(Instant::now())
    }
}

async fn expired_owners(shared: &StoreShared, claimant: &Claimant) -> Result<ExpiredOwners> {
    let looked = look(shared, claimant).await;
    let mut watch = shared.watch();
    match looked {
        Ok(look) => Ok(watch.looked(&look, claimant.lease, Instant::now())),
        Err(error) => {
            watch.observe(no_contact(&error), Instant::now());
            Err(error)
        }
    }
}

/// An error is no contact, whatever it says.
pub(super) fn no_contact(error: &StoreError) -> Answer {
    match error {
        StoreError::Unreachable { .. }
        | StoreError::NoRoom { .. }
        | StoreError::Damaged { .. }
        | StoreError::CommitUnknown { .. }
        | StoreError::Locked { .. } => Answer::Nothing,
        StoreError::StalePlan { .. }
        | StoreError::Refused { .. }
        | StoreError::NotBuilt
        | StoreError::Incompatible { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Failed { .. } => Answer::Refused,
    }
}

/// Writes first, because only who can write may judge those who did not; then looks.
async fn look(shared: &StoreShared, claimant: &Claimant) -> Result<Look> {
    let mut lent = within(LOOK_TIMEOUT, shared.transactions.borrow()).await?;
    let connection = &mut lent.connection;
    let asked = Instant::now();
    within(LOOK_TIMEOUT, sqlx::query(statements::PROBE).execute(&mut *connection)).await?;
    let beat = sqlx::query(statements::PROBE_BEAT).bind(claimant.owner);
    within(LOOK_TIMEOUT, beat.execute(&mut *connection)).await?;
    shared.watch().observe(Answer::Wrote { waited: asked.elapsed() }, Instant::now());

    let rows = sqlx::query(statements::OTHERS).bind(claimant.owner).fetch_all(&mut *connection);
    let rows = within(LOOK_TIMEOUT, rows).await?;
    let mut look = Look::default();
    for row in &rows {
        look.server_up_for = duration(row, "up_us").map_err(store_error)?.unwrap_or_default();
        look.looks_before_us = row.try_get("looks_before_us").map_err(store_error)?;
        look.owners.extend(seen(row, shared.identity.as_ref()).map_err(store_error)?);
    }
    let is_due = shared.watch().overdue_is_due(&look, claimant.lease, Instant::now());
    if is_due {
        look.overdue = Some(overdue(connection, claimant).await?);
    }
    shared.transactions.give_back(lent);
    Ok(look)
}

async fn overdue(connection: &mut PgConnection, claimant: &Claimant) -> Result<Vec<(OverdueRow, Uuid)>> {
    let query = sqlx::query(statements::OVERDUE).bind(claimant.owner).bind(OVERDUE_MAX);
    let rows = within(LOOK_TIMEOUT, query.fetch_all(connection)).await?;
    let read = |row: &PgRow| {
        let attempt: Attempt = record::attempt(row)?;
        let lease_ends = row.try_get::<TimeColumn, _>("lease_expires_at")?.0;
        Ok((OverdueRow { attempt, lease_ends }, row.try_get("lease_owner")?))
    };
    rows.iter().map(read).collect::<sqlx::Result<_>>().map_err(store_error)
}

/// What an owner shows, if the row is of one.
fn seen(row: &PgRow, own: Option<&ProcessIdentity>) -> sqlx::Result<Option<OwnerSeen>> {
    let Some(owner) = row.try_get("owner")? else { return Ok(None) };
    let lock = if row.try_get("lock_held")? { LockEvidence::Held } else { LockEvidence::Free };
    let process = match (own, identity(row)?) {
        (Some(own), Some(other)) => match own.whereabouts_of(&other) {
            ProcessLiveness::Unknown => ProcessEvidence::Unknown,
            ProcessLiveness::Lives => ProcessEvidence::Lives,
            ProcessLiveness::Gone => ProcessEvidence::Gone,
        },
        (Some(_) | None, _) => ProcessEvidence::Unknown,
    };
    let lease_ends = row.try_get::<Option<TimeColumn>, _>("lease_ends")?.map(|at| at.0);
    let sign = Sign { beats: row.try_get("beats")?, lease_ends };
    Ok(Some(OwnerSeen { owner, sign, lock, process, lease: duration(row, "lease_us")? }))
}

fn identity(row: &PgRow) -> sqlx::Result<Option<ProcessIdentity>> {
    let host: Option<String> = row.try_get("host")?;
    let process_id = row.try_get::<Option<i64>, _>("process_id")?.and_then(|id| u32::try_from(id).ok());
    let started: Option<i64> = row.try_get("process_started")?;
    Ok(host.zip(process_id).zip(started).map(|((host, process_id), started)| ProcessIdentity {
        host,
        process_id,
        started: started.cast_unsigned(),
    }))
}
