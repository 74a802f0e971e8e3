//! What the supervisor says about itself: its log and its metrics.
//!
//! One event is one line with structured fields, on stderr. ERROR means a person must act. The logs of
//! executions are not here: they are data, see [`muster_core::execution::LogLine`].

mod history;
mod log_output;
mod metrics;

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;

use log_output::LogWriter;
pub(crate) use log_output::dropped_lines;
pub(crate) use metrics::plain;
pub use metrics::{SupervisorMetrics, Unwritten};

use crate::settings::LogFormat;

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The setting `log_level` is not a filter.
    #[error("log_level {level:?} cannot be used: {reason}")]
    Filter {
        /// The text that was given.
        level: String,
        /// What is wrong with the text.
        reason: String,
    },
    /// Something in this process logs already.
    #[error("the log is set up already")]
    Twice,
}

/// Libraries that report each lost or slow connection themselves: whoever loses it says so, and what is done about it.
const NOISY: [&str; 2] = ["lapin", "sqlx"];

/// The level with libraries silenced that say nothing a person can act upon, unless it names them.
fn quiet_libraries(level: &str) -> String {
    let unnamed = NOISY.into_iter().filter(|library| !level.contains(library));
    unnamed.fold(level.to_owned(), |level, library| format!("{level},{library}=off"))
}

/// Sends the log of this process to stderr. Call it once, before anything is worth a line.
///
/// # Errors
/// When the level cannot be used, or a log is set up already.
pub fn start(level: &str, format: LogFormat) -> Result<(), ObserveError> {
    let filter = EnvFilter::try_new(quiet_libraries(level))
        .map_err(|error| ObserveError::Filter { level: level.to_owned(), reason: error.to_string() })?;
    let is_terminal = std::io::stderr().is_terminal();
    // A line that cannot be written is dropped. To say so would be one more write that fails, and the library's panics then.
    let builder =
        Subscriber::builder().with_env_filter(filter).with_writer(|| LogWriter).log_internal_errors(false);
    let is_text = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    if is_text {
        let colours = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        builder.with_ansi(colours).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    }
    .map_err(|_| ObserveError::Twice)
}

#[cfg(test)]
mod tests {
    use super::quiet_libraries;

    #[test]
    fn libraries_are_heard_when_they_are_asked_for() {
        assert_eq!(quiet_libraries("info"), "info,lapin=off,sqlx=off");
        assert_eq!(quiet_libraries("info,lapin=debug"), "info,lapin=debug,sqlx=off");
        assert_eq!(quiet_libraries("lapin=warn,sqlx::pool=debug"), "lapin=warn,sqlx::pool=debug");
    }
}
