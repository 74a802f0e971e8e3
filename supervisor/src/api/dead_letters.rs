//! Dead letters: messages of RabbitMQ that could not be used.

use muster_core::execution::RequestDraft;
use muster_intake::rabbitmq::{DeadLetter, LetterChoice, LetterKey, ReplayResult};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The dead letters of a queue.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLetters)]
pub struct DeadLettersView {
    /// Which queue they were in.
    pub queue: String,
    /// The oldest of them, the oldest first.
    pub letters: Vec<DeadLetterView>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct DeadLetterView {
    /// What it is called, made of its content: letters of the same bytes have the same key.
    pub key: String,
    /// Which execution it was meant for; null when that cannot be read.
    pub execution_id: Option<Uuid>,
    /// Why it could not be used.
    pub reason: String,
    /// The message itself; bytes that are no UTF-8 are replaced.
    pub message: String,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { number: _, queue: _, key, execution_id, reason, message } = letter;
        Self { key: key.to_string(), execution_id, reason, message }
    }
}

/// Which dead letters are put back, or thrown away: all, those of an execution, or those of a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = DeadLetterSelection)]
pub struct DeadLetterWish {
    /// Of which queue; left out, of the first one that is served here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub queue: Option<String>,
    /// True: all that are there now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Those of this execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub execution_id: Option<Uuid>,
    /// Those of this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub key: Option<String>,
    /// With a key, where they are put back: this message instead, and of several with the key the first one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub message: Option<String>,
}

/// What is to be done with dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeadLetterAction {
    /// They go back into the queue.
    Replay(LetterChoice),
    /// This message goes into the queue in the place of the one of that key.
    ReplayAs(LetterKey, String),
    /// They are thrown away.
    Purge(LetterChoice),
}

impl DeadLetterWish {
    /// What is to be put back.
    ///
    /// # Errors
    /// What is wrong with the wish, in words for whoever made it.
    pub fn replay(&self) -> Result<DeadLetterAction, String> {
        let choice = self.choice()?;
        let Some(message) = &self.message else { return Ok(DeadLetterAction::Replay(choice)) };
        let LetterChoice::Key(key) = choice else {
            return Err("message: it takes the place of one letter, so name that by its key".to_owned());
        };
        RequestDraft::parse(message.as_bytes()).map_err(|error| format!("message: {error}"))?;
        Ok(DeadLetterAction::ReplayAs(key, message.clone()))
    }

    /// What is to be thrown away.
    ///
    /// # Errors
    /// As [`replay`](Self::replay).
    pub fn purge(&self) -> Result<DeadLetterAction, String> {
        match &self.message {
            Some(_) => {
                Err("message: nothing takes the place of what is thrown away; leave it out".to_owned())
            }
            None => Ok(DeadLetterAction::Purge(self.choice()?)),
        }
    }

    fn choice(&self) -> Result<LetterChoice, String> {
        match (self.all, self.execution_id, &self.key) {
            (true, None, None) => Ok(LetterChoice::All),
            (false, Some(id), None) => Ok(LetterChoice::Execution(id)),
            (false, None, Some(key)) => {
                key.parse().map(LetterChoice::Key).map_err(|error| format!("key: {error}"))
            }
            _ => Err("say which letters are meant by one of all (true), execution_id and key".to_owned()),
        }
    }
}

/// How many dead letters went where they were to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeadLettersMoved)]
pub struct DeadLettersMovedView {
    /// So many are in the queue again.
    pub replayed: usize,
    /// So many of these had a row that had failed for want of a usable message, and can run now.
    pub reopened: usize,
    /// So many were thrown away.
    pub purged: u32,
}

impl From<ReplayResult> for DeadLettersMovedView {
    fn from(ReplayResult { replayed, reopened }: ReplayResult) -> Self {
        Self { replayed, reopened, purged: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_meant_in_one_way() {
        let wish = |text: &str| serde_json::from_str::<DeadLetterWish>(text).unwrap();
        assert_eq!(wish(r#"{"all": true}"#).replay(), Ok(DeadLetterAction::Replay(LetterChoice::All)));
        let key: LetterKey = "9ce48422e8d7".parse().unwrap();
        let edited = wish(r#"{"key": "9ce48422e8d7", "message": "{\"workflow\": \"w\"}"}"#);
        assert_eq!(edited.replay(), Ok(DeadLetterAction::ReplayAs(key, r#"{"workflow": "w"}"#.to_owned())));
        for (text, problem) in [
            ("{}", "say which letters"),
            (r#"{"all": true, "key": "9ce48422e8d7"}"#, "say which letters"),
            (r#"{"key": "9ce"}"#, "key: a key has twelve"),
            (r#"{"all": true, "message": "{}"}"#, "name that by its key"),
            (r#"{"key": "9ce48422e8d7", "message": "{"}"#, "message: "),
        ] {
            let said = wish(text).replay().unwrap_err();
            assert!(said.contains(problem), "{text}: {said}");
        }
        assert!(edited.purge().unwrap_err().contains("leave it out"));
    }
}
