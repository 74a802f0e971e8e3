//! How a command ends: its exit code and its last words.

use std::io::Write as _;
use std::process::ExitCode;

use crate::settings::SettingsError;

/// The command line or the settings are wrong.
pub const USAGE: u8 = 2;
/// A fault of the program. The number is that of `EX_SOFTWARE`.
pub const BUG: u8 = 70;

/// A command that could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The command was used wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    /// Anything else.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// Says it on stderr and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        // When stderr is closed nobody listens, and the code still tells.
        let _ = writeln!(std::io::stderr().lock(), "error: {}", self.message);
        ExitCode::from(self.code)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::other(error.to_string())
    }
}
