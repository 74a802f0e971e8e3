//! Why a supervisor could not be asked.

use crate::ProblemView;

/// Why a supervisor could not be asked, or what it said instead.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not one that can be called.
    #[error("{url:?} is no address of a supervisor: {reason}")]
    Address {
        /// The address as it was given.
        url: String,
        /// What is wrong with the address.
        reason: String,
    },
    /// Nothing can be called so.
    #[error("{0:?} cannot be a name here: in the address of a request it would stand for another place")]
    Name(String),
    /// Nobody answers at the address.
    #[error(
        "no supervisor answers at {url} ({reason}): start one with `supervisor run`, or name another with --url or MUSTER_URL"
    )]
    Unreachable {
        /// The address that was called.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// It wants a token, or another one.
    #[error("the supervisor at {url} wants its token: give it with --token or MUSTER_HTTP_TOKEN; {place}")]
    Unauthorized {
        /// The address that was called.
        url: String,
        /// Where the token is to be found, for a person.
        place: String,
    },
    /// The supervisor refused the request.
    #[error("{detail}")]
    Refused {
        /// The HTTP status of the answer.
        status: u16,
        /// What the supervisor said about it.
        detail: String,
        /// The same one by one, where it is about several things.
        problems: Vec<String>,
    },
    /// Something answers that is no supervisor, or one of another version.
    #[error("what answers at {url} does not talk like this version of supervisor: {reason}")]
    Foreign {
        /// The address that was called.
        url: String,
        /// What a supervisor would not answer so.
        reason: String,
    },
}

impl ClientError {
    /// The meaning of an answer with an error status.
    pub(super) fn refused(url: &str, status: u16, body: &str) -> Self {
        match serde_json::from_str::<ProblemView>(body) {
            Ok(problem) if status == 401 => {
                let place = match problem.token_file {
                    Some(file) => format!("it is in {file}, for the user the supervisor runs as"),
                    // It was one, and what became of it is worth more than where another is.
                    None if problem.detail.starts_with("the token ") => problem.detail,
                    None => "it is the setting http_token, else in the file http_token of the supervisor's data_dir".to_owned(),
                };
                Self::Unauthorized { url: url.to_owned(), place }
            }
            Ok(problem) => Self::Refused { status, detail: problem.detail, problems: problem.problems },
            Err(_) => {
                Self::Foreign { url: url.to_owned(), reason: format!("it answers with status {status}") }
            }
        }
    }

    /// True when asking again a little later may help: it is starting, or was restarted just now.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => matches!(status, 502..=504),
            Self::Address { .. } | Self::Name(_) | Self::Unauthorized { .. } | Self::Foreign { .. } => false,
        }
    }
}
