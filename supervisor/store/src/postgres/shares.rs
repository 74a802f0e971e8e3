//! The worker time that organizations had of the fleet.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::read::all;
use super::{PostgresStore, statements};
use crate::{Result, ShareStore};

#[async_trait]
impl ShareStore for PostgresStore {
    async fn add_worker_time(&self, worked: &[(Option<Uuid>, Duration)]) -> Result<()> {
        // In one order everywhere: two supervisors that add at once must not wait for one another.
        let mut worked: Vec<(Uuid, f64)> =
            worked.iter().map(|(id, worked)| (id.unwrap_or_default(), worked.as_secs_f64())).collect();
        worked.sort_unstable_by_key(|(id, _)| *id);
        let (ids, seconds): (Vec<Uuid>, Vec<f64>) = worked.into_iter().unzip();
        let query = || sqlx::query(statements::ADD_WORKER_TIME).bind(&ids).bind(&seconds);
        all(self, query, |_: &PgRow| Ok(())).await.map(drop)
    }
}
