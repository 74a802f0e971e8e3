//! Notes what there was, minute by minute, for charts; and reads what all supervisors noted.

use std::collections::VecDeque;
use std::sync::Weak;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_store::FiguresRecord;
use serde_json::value::to_raw_value;

use super::supervisor::Supervisor;
use crate::api::{HistorySpan, HistoryView, OutcomeCounts, ServiceError};
use crate::figures::{FiguresBook, QUARTER_MINUTES, Stretch, ended_before, history, minutes_of_record};

/// A clock that is set back is noticed after so long at most.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// While the database is away, so many stretches wait for it: an hour.
const KEPT_MAX: usize = 120;
/// How long minutes are kept, and how long quarters of an hour.
const MINUTES_KEPT: SignedDuration = SignedDuration::from_hours(2);
const QUARTERS_KEPT: SignedDuration = SignedDuration::from_hours(8 * 24);

/// The last figures of one that leaves wait for the database no longer.
const LAST_WITHIN: Duration = Duration::from_secs(2);

/// What was noted and is not written yet.
#[derive(Debug)]
pub(super) struct FigureNotes {
    book: FiguresBook,
    unwritten: VecDeque<Stretch>,
}

impl FigureNotes {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { book: FiguresBook::new(now), unwritten: VecDeque::new() }
    }

    fn keep(&mut self, stretches: Vec<Stretch>) {
        self.unwritten.extend(stretches);
        while self.unwritten.len() > KEPT_MAX {
            self.unwritten.pop_front();
        }
    }

    async fn write(&mut self, here: &Supervisor) {
        while let Some(stretch) = self.unwritten.front() {
            if !here.write_figures(stretch).await {
                break;
            }
            self.unwritten.pop_front();
        }
    }
}

/// Notes and writes for as long as the supervisor lives.
pub(super) async fn note_for_ever(supervisor: Weak<Supervisor>) {
    loop {
        let Some(here) = supervisor.upgrade() else { return };
        let over_in = here.figures.lock().await.book.until_written(Timestamp::now());
        drop(here);
        let over_in = Duration::try_from(over_in).unwrap_or_default().max(Duration::from_millis(1));
        tokio::time::sleep(LOOK_EVERY.min(over_in)).await;
        let Some(here) = supervisor.upgrade() else { return };
        let mut notes = here.figures.lock().await;
        let stretches = notes.book.note(Timestamp::now(), &here.core.metrics.take_noted());
        notes.keep(stretches);
        notes.write(&here).await;
    }
}

impl Supervisor {
    /// Writes what is not over yet: nobody else knows of it once this process is gone.
    pub(super) async fn write_last_figures(&self) {
        let mut notes = self.figures.lock().await;
        let stretches = notes.book.note_last(Timestamp::now(), &self.core.metrics.take_noted());
        notes.keep(stretches);
        if tokio::time::timeout(LAST_WITHIN, notes.write(self)).await.is_err() {
            tracing::debug!("the database did not take in time what was noted for charts last");
        }
    }

    /// How executions ended in the last day before the last quarter of an hour, as all supervisors noted it.
    pub(super) async fn noted_before(&self) -> Result<OutcomeCounts, ServiceError> {
        let now = Timestamp::now();
        let (day, quarter) =
            (SignedDuration::from_hours(24), SignedDuration::from_mins(QUARTER_MINUTES.into()));
        let (quarters, minutes) = tokio::try_join!(
            self.store.figures(QUARTER_MINUTES, now - day),
            self.store.figures(1, now - quarter)
        )?;
        Ok(ended_before(&quarters, &minutes))
    }

    async fn write_figures(&self, stretch: &Stretch) -> bool {
        let Ok(figures) = to_raw_value(&stretch.noted) else { return true };
        let kept = if stretch.minutes == QUARTER_MINUTES { QUARTERS_KEPT } else { MINUTES_KEPT };
        let record = FiguresRecord {
            supervisor: self.core.claimant.owner,
            minutes: stretch.minutes,
            begins_at: stretch.begins_at,
            figures,
        };
        let forget_before = stretch.begins_at.checked_sub(kept).unwrap_or(Timestamp::UNIX_EPOCH);
        let written = self.store.put_figures(&record, forget_before).await;
        if let Err(error) = &written {
            tracing::debug!(%error, "what is noted for charts waits for the database");
        }
        written.is_ok()
    }

    /// What all supervisors noted of such a span up to now.
    pub(super) async fn noted_history(&self, span: HistorySpan) -> Result<HistoryView, ServiceError> {
        let now = Timestamp::now();
        let records = self.store.figures(minutes_of_record(span), span.since(now)).await?;
        Ok(history(span, now, records))
    }
}
