//! Worker time where there is one supervisor: its own book says all there is.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::SqliteStore;
use crate::{Result, ShareStore};

#[async_trait]
impl ShareStore for SqliteStore {
    async fn add_worker_time(&self, _worked: &[(Option<Uuid>, Duration)]) -> Result<()> {
        Ok(())
    }
}
