//! What a message is, before anybody else is asked.

use lapin::BasicProperties;
use muster_core::execution::{InvalidRequest, RequestDraft};
use muster_protocol::error_type;
use muster_store::ExecutionFailure;
use uuid::Uuid;

/// A message as it came.
#[derive(Debug)]
pub(super) struct Delivery {
    /// What closes it on its channel.
    pub(super) tag: u64,
    /// Its bytes.
    pub(super) body: Vec<u8>,
    /// Its AMQP properties.
    pub(super) properties: BasicProperties,
}

/// A message that names its execution.
#[derive(Debug)]
pub(super) struct IdentifiedDelivery {
    /// The message, kept until it is closed.
    pub(super) message: Delivery,
    /// Which execution.
    pub(super) id: Uuid,
    /// What the message says of it.
    pub(super) draft: RequestDraft,
}

/// A message that cannot be used.
#[derive(Debug)]
pub(super) struct UnusableDelivery {
    /// The message.
    pub(super) message: Delivery,
    /// Which execution it was meant for, if that can be read.
    pub(super) id: Option<Uuid>,
    /// Why: also the failure of that execution.
    pub(super) failure: ExecutionFailure,
    /// Somebody waits for the reply.
    pub(super) sync: bool,
}

impl UnusableDelivery {
    pub(super) fn invalid(message: Delivery, id: Option<Uuid>, reason: impl Into<String>) -> Self {
        Self { message, id, failure: ExecutionFailure::new(error_type::INVALID_REQUEST, reason), sync: false }
    }

    /// The same, for somebody who waits for the reply or does not.
    #[must_use]
    pub(super) fn with_sync(self, sync: bool) -> Self {
        Self { sync, ..self }
    }

    pub(super) fn pending_not_found(message: Delivery, id: Uuid) -> Self {
        let reason = format!("the message says nothing but its id, and there is no pending record for {id}");
        let failure = ExecutionFailure::new(error_type::PENDING_NOT_FOUND, reason);
        Self { message, id: Some(id), failure, sync: false }
    }

    /// The text of the header that says why.
    pub(super) fn reason(&self) -> String {
        format!("{}: {}", self.failure.error_type, self.failure.message)
    }
}

/// Reads a message as far as it goes by itself.
pub(super) fn read(message: Delivery) -> Result<IdentifiedDelivery, Box<UnusableDelivery>> {
    let draft = match RequestDraft::parse(&message.body) {
        Ok(draft) => draft,
        Err(InvalidRequest { execution_id, problems }) => {
            let reason = problems.join("; ");
            return Err(Box::new(UnusableDelivery::invalid(message, execution_id, reason)));
        }
    };
    match draft.execution_id {
        Some(id) => Ok(IdentifiedDelivery { message, id, draft }),
        None => {
            let reason = draft.into_request().err().map_or_else(String::new, |error| error.to_string());
            Err(Box::new(UnusableDelivery::invalid(message, None, reason)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> Delivery {
        Delivery { tag: 1, body: body.as_bytes().to_vec(), properties: BasicProperties::default() }
    }

    #[test]
    fn what_names_no_execution_is_unusable() {
        for (body, reason) in [
            ("nonsense", "InvalidRequest: not a JSON object"),
            ("{}", "execution_id: is missing"),
            (r#"{"execution_id":"x","workflow":"w"}"#, "execution_id: must be a UUID"),
        ] {
            let unusable = read(message(body)).unwrap_err();
            assert!(unusable.reason().contains(reason), "{}", unusable.reason());
        }
    }

    #[test]
    fn what_names_one_goes_on_even_if_the_rest_is_missing() {
        let id = Uuid::now_v7();
        let wanted = read(message(&format!(r#"{{"execution_id":"{id}"}}"#))).unwrap();
        assert!(wanted.id == id && wanted.draft.is_minimal());
    }
}
