//! Notes what there was, minute by minute, for charts; and reads what all supervisors noted.

use std::collections::VecDeque;
use std::sync::Weak;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_store::FiguresRecord;
use serde_json::value::to_raw_value;

use super::supervisor::Supervisor;
use crate::api::{HistorySpan, HistoryView, ServiceError};
use crate::figures::{FiguresBook, QUARTER_MINUTES, Stretch, history, minutes_of_record};

/// A clock that is set back is noticed after so long at most.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// While the database is away, so many stretches wait for it: an hour.
const KEPT_MAX: usize = 120;
/// How long minutes are kept, and how long quarters of an hour.
const MINUTES_KEPT: SignedDuration = SignedDuration::from_hours(2);
const QUARTERS_KEPT: SignedDuration = SignedDuration::from_hours(8 * 24);

/// Notes and writes for as long as the supervisor lives.
pub(super) async fn note_for_ever(supervisor: Weak<Supervisor>) {
    let mut book = FiguresBook::new(Timestamp::now());
    let mut unwritten = VecDeque::new();
    loop {
        let over_in = book.until_written(Timestamp::now());
        let over_in = Duration::try_from(over_in).unwrap_or_default().max(Duration::from_millis(1));
        tokio::time::sleep(LOOK_EVERY.min(over_in)).await;
        let Some(here) = supervisor.upgrade() else { return };
        unwritten.extend(book.note(Timestamp::now(), &here.core.metrics.take_noted()));
        while unwritten.len() > KEPT_MAX {
            unwritten.pop_front();
        }
        while let Some(stretch) = unwritten.front() {
            if !here.write_figures(stretch).await {
                break;
            }
            unwritten.pop_front();
        }
    }
}

impl Supervisor {
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
