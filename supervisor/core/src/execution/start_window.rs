//! When an execution may start: not before one moment, and not after another.

use jiff::Timestamp;
use serde::Serialize;

/// The window in which an execution may start, as it was asked for. Of each end at most one way to say it is given.
///
/// What counts from the submit counts from the moment the row is written, by the database's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StartWindow {
    /// It does not start before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// It does not start before so many seconds have passed since it was taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_seconds: Option<f64>,
    /// It is cancelled as `Expired` if it has not started by this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// It is cancelled as `Expired` if it has not started so many seconds after it was taken in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_seconds: Option<f64>,
}

impl StartWindow {
    /// What is not said here is taken from `other`; an end that is said here hides both ways to say it there.
    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        let begins = if self.run_at.is_some() || self.delay_seconds.is_some() { self } else { other };
        let ends = if self.expires_at.is_some() || self.expires_seconds.is_some() { self } else { other };
        Self {
            run_at: begins.run_at,
            delay_seconds: begins.delay_seconds,
            expires_at: ends.expires_at,
            expires_seconds: ends.expires_seconds,
        }
    }

    /// What contradicts itself in it, each beginning with the fields it is about.
    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let twice = |one: bool, two: bool, names: &str| {
            (one && two).then(|| format!("{names}: two ways to say one thing; give one of them"))
        };
        let too_late = match (self.run_at, self.expires_at, self.delay_seconds, self.expires_seconds) {
            (Some(begins), Some(ends), ..) => begins >= ends,
            (.., Some(delay), Some(expires)) => delay >= expires,
            (..) => false,
        };
        let never = "expires_at, expires_seconds: it would expire before it may start; give a later end";
        [
            twice(self.run_at.is_some(), self.delay_seconds.is_some(), "run_at, delay_seconds"),
            twice(self.expires_at.is_some(), self.expires_seconds.is_some(), "expires_at, expires_seconds"),
            too_late.then(|| never.to_owned()),
        ]
        .into_iter()
        .flatten()
    }

    /// True when nothing is said: it may start at once, and whenever there is room.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}
