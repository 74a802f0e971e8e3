//! Everything that goes wrong, each with what to do.

use uuid::Uuid;

use crate::row::ExecutionRow;

/// Why there is no answer, or no result.
#[derive(Debug, thiserror::Error)]
pub enum MusterError {
    /// The address is not one that can be called.
    #[error("{0:?} is no address of a supervisor: it must be like http://127.0.0.1:7420")]
    Address(String),
    /// A value cannot be written as JSON, or the result is another type than was asked for.
    #[error("not as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Nobody answered for as long as the client is patient.
    #[error(
        "no supervisor answers at {url} ({reason}): start one with `supervisor run`, or name another with MUSTER_URL"
    )]
    Unavailable {
        /// The address that was called.
        url: String,
        /// What the last try came to.
        reason: String,
    },
    /// The supervisor wants a token, or another one.
    #[error("{0}; give it with MusterClient::with_token or MUSTER_HTTP_TOKEN")]
    Unauthorized(String),
    /// The supervisor refused the request.
    #[error("{detail}")]
    Refused {
        /// The HTTP status: 400 and 422 for what is wrong, 403 for a token whose role or organization does not do, 404 for what is not there, 409 for another state.
        status: u16,
        /// What happened, and what to do.
        detail: String,
        /// All that is wrong with a request, a sentence each.
        problems: Vec<String>,
    },
    /// What answers is no supervisor.
    #[error("what answers at {0} is no supervisor: name its address with MUSTER_URL")]
    Foreign(String),
    /// It is not over in time. It goes on: wait again, or cancel it.
    #[error("execution {0} is not over yet: it goes on; wait again, or cancel it")]
    NotFinished(Uuid),
    /// It is over and has no result: its row says why.
    #[error("{} is {:?}: {}: {}", .0.workflow, .0.status, .0.error_type.as_deref().unwrap_or("no error"), .0.error_message.as_deref().unwrap_or_default())]
    Failed(Box<ExecutionRow>),
}
