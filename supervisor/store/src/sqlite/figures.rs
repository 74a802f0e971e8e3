//! What supervisors note of stretches of time.

use async_trait::async_trait;
use jiff::Timestamp;

use super::read::all;
use super::rows::write_query;
use super::session::record;
use super::{SqliteStore, statements};
use crate::Result;
use crate::figures::{FiguresRecord, FiguresStore};

#[async_trait]
impl FiguresStore for SqliteStore {
    async fn put_figures(&self, figures: &FiguresRecord, forget_before: Timestamp) -> Result<()> {
        let minutes = i64::from(figures.minutes);
        let forget =
            write_query(statements::FORGET_FIGURES).bind(minutes).bind(forget_before.as_microsecond());
        self.write(forget).await?;
        let put = write_query(statements::PUT_FIGURES)
            .bind(figures.supervisor.to_string())
            .bind(minutes)
            .bind(figures.begins_at.as_microsecond())
            .bind(figures.figures.get());
        self.write(put).await?;
        Ok(())
    }

    async fn figures(&self, minutes: u32, since: Timestamp) -> Result<Vec<FiguresRecord>> {
        let query = sqlx::query(statements::FIGURES).bind(i64::from(minutes)).bind(since.as_microsecond());
        all(self, query, record::figures).await
    }
}
