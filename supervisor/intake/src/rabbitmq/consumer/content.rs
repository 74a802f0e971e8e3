//! What a message is, before anybody else is asked.

use muster_core::execution::{InvalidRequest, RequestDraft};
use muster_protocol::error_type;
use muster_store::ExecutionFailure;
use uuid::Uuid;

/// A message's body, read as far as it goes by itself.
#[derive(Clone, Debug)]
pub enum MessageContent {
    /// It names its execution. What it leaves out may be in the row or the pending record.
    Named {
        /// The execution that the message names.
        execution_id: Uuid,
        /// What the message says of it.
        draft: Box<RequestDraft>,
    },
    /// The message can never be used.
    Unusable {
        /// The execution it was meant for, if that can be read.
        execution_id: Option<Uuid>,
        /// Why: also the failure of that execution.
        failure: ExecutionFailure,
    },
}

impl MessageContent {
    /// Reads the body of a message, which may be anything.
    pub fn read(body: &[u8]) -> Self {
        let unusable = |execution_id, reason: String| Self::Unusable {
            execution_id,
            failure: ExecutionFailure::new(error_type::INVALID_REQUEST, reason),
        };
        let draft = match RequestDraft::parse(body) {
            Ok(draft) => draft,
            Err(InvalidRequest { execution_id, problems }) => {
                return unusable(execution_id, problems.join("; "));
            }
        };
        match draft.execution_id {
            Some(execution_id) => Self::Named { execution_id, draft: Box::new(draft) },
            None => {
                unusable(None, draft.into_request().err().map_or_else(String::new, |error| error.to_string()))
            }
        }
    }

    /// Takes the trace context that came beside the body.
    pub fn take_traceparent(&mut self, traceparent: &str) {
        match self {
            Self::Named { draft, .. } => draft.take_traceparent(traceparent),
            Self::Unusable { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_execution_is_unusable() {
        for (body, reason) in [
            ("nonsense", "not a JSON object"),
            ("{}", "execution_id: is missing"),
            (r#"{"execution_id":"x","workflow":"w"}"#, "execution_id: must be a UUID"),
        ] {
            let MessageContent::Unusable { execution_id: None, failure } =
                MessageContent::read(body.as_bytes())
            else {
                panic!("{body} was read");
            };
            assert_eq!(failure.error_type, "InvalidRequest");
            assert!(failure.message.contains(reason), "{}", failure.message);
        }
    }

    #[test]
    fn what_names_one_goes_on_even_if_the_rest_is_missing() {
        let id = Uuid::now_v7();
        let body = format!(r#"{{"execution_id":"{id}"}}"#);
        let MessageContent::Named { execution_id, draft } = MessageContent::read(body.as_bytes()) else {
            panic!("it names its execution");
        };
        assert!(execution_id == id && draft.is_minimal());
    }
}
