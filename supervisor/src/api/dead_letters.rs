//! What is done with dead letters, and how they are shown.

use muster_api::{DeadLetterView, DeadLetterWish, DeadLettersMovedView};
use muster_core::execution::RequestDraft;
use muster_intake::rabbitmq::{DeadLetter, LetterChoice, LetterKey, ReplayResult};

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

impl DeadLetterAction {
    /// What is to be put back.
    ///
    /// # Errors
    /// What is wrong with the wish, in words for whoever made it.
    pub fn replay(wish: &DeadLetterWish) -> Result<Self, String> {
        let choice = choice(wish)?;
        let Some(message) = &wish.message else { return Ok(Self::Replay(choice)) };
        let LetterChoice::Key(key) = choice else {
            return Err("message: it takes the place of one letter, so name that by its key".to_owned());
        };
        RequestDraft::parse(message.as_bytes()).map_err(|error| format!("message: {error}"))?;
        Ok(Self::ReplayAs(key, message.clone()))
    }

    /// What is to be thrown away.
    ///
    /// # Errors
    /// As [`replay`](Self::replay).
    pub fn purge(wish: &DeadLetterWish) -> Result<Self, String> {
        match &wish.message {
            Some(_) => {
                Err("message: nothing takes the place of what is thrown away; leave it out".to_owned())
            }
            None => Ok(Self::Purge(choice(wish)?)),
        }
    }
}

/// Which letters a wish means.
fn choice(wish: &DeadLetterWish) -> Result<LetterChoice, String> {
    match (wish.all, wish.execution_id, &wish.key) {
        (true, None, None) => Ok(LetterChoice::All),
        (false, Some(id), None) => Ok(LetterChoice::Execution(id)),
        (false, None, Some(key)) => {
            key.parse().map(LetterChoice::Key).map_err(|error| format!("key: {error}"))
        }
        _ => Err("say which letters are meant by one of all (true), execution_id and key".to_owned()),
    }
}

/// A dead letter, as it is shown.
pub fn letter_view(letter: DeadLetter) -> DeadLetterView {
    let DeadLetter { number: _, queue: _, key, execution_id, reason, message } = letter;
    DeadLetterView { key: key.to_string(), execution_id, reason, message }
}

/// What came of putting letters back, as it is shown.
pub fn moved_view(ReplayResult { replayed, reopened }: ReplayResult) -> DeadLettersMovedView {
    DeadLettersMovedView { replayed, reopened, purged: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_meant_in_one_way() {
        let wish = |text: &str| serde_json::from_str::<DeadLetterWish>(text).unwrap();
        assert_eq!(
            DeadLetterAction::replay(&wish(r#"{"all": true}"#)),
            Ok(DeadLetterAction::Replay(LetterChoice::All))
        );
        let key: LetterKey = "9ce48422e8d7".parse().unwrap();
        let edited = wish(r#"{"key": "9ce48422e8d7", "message": "{\"workflow\": \"w\"}"}"#);
        assert_eq!(
            DeadLetterAction::replay(&edited),
            Ok(DeadLetterAction::ReplayAs(key, r#"{"workflow": "w"}"#.to_owned()))
        );
        for (text, problem) in [
            ("{}", "say which letters"),
            (r#"{"all": true, "key": "9ce48422e8d7"}"#, "say which letters"),
            (r#"{"key": "9ce"}"#, "key: a key has twelve"),
            (r#"{"all": true, "message": "{}"}"#, "name that by its key"),
            (r#"{"key": "9ce48422e8d7", "message": "{"}"#, "message: "),
        ] {
            let said = DeadLetterAction::replay(&wish(text)).unwrap_err();
            assert!(said.contains(problem), "{text}: {said}");
        }
        assert!(DeadLetterAction::purge(&edited).unwrap_err().contains("leave it out"));
    }
}
