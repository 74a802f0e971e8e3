//! What supervisors note of stretches of time.

use async_trait::async_trait;
use jiff::Timestamp;

use super::read::all;
use super::session::record;
use super::{PostgresStore, statements};
use crate::Result;
use crate::columns::TimeColumn;
use crate::figures::{FiguresRecord, FiguresStore};

#[async_trait]
impl FiguresStore for PostgresStore {
    async fn put_figures(&self, figures: &FiguresRecord, forget_before: Timestamp) -> Result<()> {
        let query = || {
            sqlx::query(statements::PUT_FIGURES)
                .bind(figures.supervisor)
                .bind(i64::from(figures.minutes))
                .bind(TimeColumn(figures.begins_at))
                .bind(figures.figures.get())
                .bind(TimeColumn(forget_before))
        };
        all(self, query, record::figures).await.map(drop)
    }

    async fn figures(&self, minutes: u32, since: Timestamp) -> Result<Vec<FiguresRecord>> {
        let query = || sqlx::query(statements::FIGURES).bind(i64::from(minutes)).bind(TimeColumn(since));
        all(self, query, record::figures).await
    }
}
