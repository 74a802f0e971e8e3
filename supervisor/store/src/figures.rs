//! What supervisors note of each minute and each quarter of an hour, for charts of what was. Nothing is decided by it.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::Result;

/// What one supervisor noted of a stretch of time.
#[derive(Clone, Debug)]
pub struct FiguresRecord {
    /// Which supervisor.
    pub supervisor: Uuid,
    /// How long the stretch is, in minutes.
    pub minutes: u32,
    /// When it begins.
    pub begins_at: Timestamp,
    /// What there was in it, a JSON object in the supervisor's words.
    pub figures: Box<RawValue>,
}

/// Keeps what supervisors note.
#[async_trait]
pub trait FiguresStore: Debug + Send + Sync + 'static {
    /// Writes what a supervisor notes of a stretch; again in the place of what it wrote before. Stretches as long as this one that
    /// began before that moment are forgotten, whosever they are.
    async fn put_figures(&self, figures: &FiguresRecord, forget_before: Timestamp) -> Result<()>;

    /// All that was noted of stretches so long that began at that moment or later, in their order.
    async fn figures(&self, minutes: u32, since: Timestamp) -> Result<Vec<FiguresRecord>>;
}
