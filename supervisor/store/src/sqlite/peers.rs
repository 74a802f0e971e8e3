//! The other supervisors, of which a service has none: it locks its folder, and then all others are lost.

use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tokio::time::Instant;
use uuid::Uuid;

use super::read::all;
use super::session::record;
use super::{SqliteStore, statements};
use crate::columns::{IdColumn, TimeColumn, now};
use crate::takeover::{Answer, Look};
use crate::{Claimant, ExpiredOwners, OverdueRow, PeerStore, PresenceShown, Result};

#[async_trait]
impl PeerStore for SqliteStore {
    /// Rows that ran out, by the same rules as elsewhere, for whoever opens one file twice.
    async fn expired_owners(&self, claimant: &Claimant) -> Result<ExpiredOwners> {
        let query = sqlx::query(statements::OVERDUE).bind(claimant.owner.to_string());
        let overdue = all(self, query.bind(now().as_microsecond()), overdue_row).await?;
        let server_up_for = self.opened_at.elapsed();
        let look = Look { overdue: Some(overdue), server_up_for, ..Look::default() };
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.observe(Answer::Wrote { waited: Duration::ZERO }, Instant::now());
        Ok(watch.looked(&look, claimant.lease, Instant::now()))
    }

    async fn hold_presence(&self, _claimant: &Claimant) -> Result<()> {
        Ok(())
    }

    fn presence(&self) -> PresenceShown {
        PresenceShown::NotNeeded
    }

    fn writes_work(&self) -> bool {
        // One writer at a time, and nobody else's: what keeps it from writing is no fault of its loops.
        false
    }
}

fn overdue_row(row: &SqliteRow) -> sqlx::Result<(OverdueRow, Uuid)> {
    let lease_ends = row.try_get::<TimeColumn, _>("lease_expires_at")?.0;
    let overdue = OverdueRow { attempt: record::attempt(row)?, lease_ends };
    Ok((overdue, row.try_get::<IdColumn, _>("lease_owner")?.0))
}
