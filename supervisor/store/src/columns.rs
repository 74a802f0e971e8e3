//! The types of our columns. Each adapter says how they lie in its database.

use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

/// An id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdColumn(pub(super) Uuid);

/// A moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeColumn(pub(super) Timestamp);

/// JSON text.
#[derive(Clone, Debug)]
pub(crate) struct JsonColumn(pub(super) Box<RawValue>);

/// The moment now, by this process's clock, with the microseconds a database keeps.
pub(crate) fn now() -> Timestamp {
    truncated(Timestamp::now())
}

/// Without the nanoseconds that no database keeps.
pub(crate) fn truncated(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// The moment that a database keeps as so many microseconds since the Unix epoch. What was written by hand may lie before or after
/// all that we know, as PostgreSQL's `infinity`: it is the first or the last moment there is.
pub(crate) fn moment(micros: i64) -> Timestamp {
    let beyond = if micros < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_microsecond(micros).unwrap_or(beyond)
}

/// Counters lie in signed columns and are never negative.
pub(crate) fn unsigned(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}
