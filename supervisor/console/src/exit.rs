//! How a command ends: its exit code and its last words.

use std::io::Write as _;
use std::process::ExitCode;

use muster_api::client::ClientError;
use muster_core::execution::Status;
use muster_protocol::spelled_out;
use muster_settings::SettingsError;

/// The command line or the settings are wrong.
pub const USAGE: u8 = 2;
/// No supervisor, or no other server, answered. The number is that of `EX_UNAVAILABLE`.
pub const UNAVAILABLE: u8 = 69;
/// A fault of the program. The number is that of `EX_SOFTWARE`.
pub const BUG: u8 = 70;

/// A command that could not do its work.
#[derive(Debug)]
pub struct CommandFailure {
    code: u8,
    message: String,
}

impl CommandFailure {
    /// The command was used wrongly.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    /// A server did not answer.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { code: UNAVAILABLE, message: message.into() }
    }

    /// Anything else.
    pub fn other(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// The same, of this one among several.
    pub fn of(self, whom: &str) -> Self {
        Self { message: format!("{whom}: {}", self.message), ..self }
    }

    /// Says it on stderr and gives the exit code.
    pub fn report(&self) -> ExitCode {
        // When stderr is closed nobody listens, and the code still tells.
        let _ = writeln!(std::io::stderr().lock(), "error: {}", spelled_out(&self.message));
        ExitCode::from(self.code)
    }
}

impl From<SettingsError> for CommandFailure {
    fn from(error: SettingsError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ClientError> for CommandFailure {
    fn from(error: ClientError) -> Self {
        let code = match &error {
            // What the supervisor calls a bad request was a mistake of whoever wrote the command.
            ClientError::Address { .. } | ClientError::Name(_) | ClientError::Refused { status: 400, .. } => {
                USAGE
            }
            ClientError::Unreachable { .. } | ClientError::Foreign { .. } => UNAVAILABLE,
            ClientError::Unauthorized { .. } | ClientError::Refused { .. } => 1,
        };
        Self { code, message: error.to_string() }
    }
}

impl From<std::io::Error> for CommandFailure {
    fn from(error: std::io::Error) -> Self {
        Self::other(error.to_string())
    }
}

/// The exit code that stands for how an execution ended.
pub fn of_status(status: Status) -> ExitCode {
    ExitCode::from(match status {
        Status::Success => 0,
        Status::Failed | Status::Pending | Status::Running => 1,
        Status::Timeout => 124,
        Status::Cancelled => 130,
    })
}
