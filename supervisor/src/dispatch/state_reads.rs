//! State that runs ask for. A read changes nothing, so one that met a database that is away is asked again: what runs goes on
//! while the database is away, and so does what reads its state then.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use muster_store::{StateStore, StoreError};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::executor::StateQuestion;

/// How long a run waits for a database that is away.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before it is asked again, at first and at most.
const AGAIN_AFTER: Duration = Duration::from_millis(20);
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(1);

/// Answers a run that asks for an entry of its state.
pub(super) async fn answer_state(store: &dyn StateStore, question: StateQuestion) {
    let value = read_patiently(store, &question, PATIENCE).await;
    let value = value.map(|value| value.map(|value| String::from(Box::<str>::from(value))));
    // The executor may be gone: then nobody waits.
    let _ = question.answer.send(value.map_err(|error| error.to_string()));
}

async fn read_patiently(
    store: &dyn StateStore,
    question: &StateQuestion,
    patience: Duration,
) -> Result<Option<Box<RawValue>>, StoreError> {
    let begun = Instant::now();
    let pauses = ExponentialBuilder::default()
        .with_min_delay(AGAIN_AFTER)
        .with_max_delay(AGAIN_AFTER_MAX)
        .without_max_times();
    (|| store.state(question.organization, &question.key))
        .retry(pauses)
        .when(|error: &StoreError| {
            error.is_passing() && begun.elapsed() < patience && !question.answer.is_closed()
        })
        .notify(|error: &StoreError, _| {
            tracing::debug!(%error, "the state that a run asks for is read again");
        })
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::*;

    /// A store that answers with these errors first; then with a value.
    #[derive(Debug)]
    struct AwayStore(Mutex<Vec<StoreError>>);

    #[async_trait]
    impl StateStore for AwayStore {
        async fn state(&self, _: Option<Uuid>, _: &str) -> muster_store::Result<Option<Box<RawValue>>> {
            match self.0.lock().unwrap().pop() {
                Some(error) => Err(error),
                None => Ok(Some(RawValue::from_string("41".to_owned()).unwrap())),
            }
        }
    }

    fn asked(answer: oneshot::Sender<Result<Option<String>, String>>) -> StateQuestion {
        StateQuestion { organization: None, key: "total".to_owned(), answer }
    }

    fn away(times: usize) -> AwayStore {
        let error = || StoreError::Unreachable { backend: "test", message: "it is away".to_owned() };
        AwayStore(Mutex::new((0..times).map(|_| error()).collect()))
    }

    #[tokio::test]
    async fn a_connection_that_is_lost_fails_no_run_that_reads() {
        let (answer, answered) = oneshot::channel();
        answer_state(&away(3), asked(answer)).await;
        assert_eq!(answered.await.unwrap(), Ok(Some("41".to_owned())));
    }

    #[tokio::test]
    async fn what_stays_away_or_does_not_pass_is_told() {
        let (answer, _answered) = oneshot::channel();
        let question = asked(answer);
        let read = read_patiently(&away(1000), &question, AGAIN_AFTER * 3).await;
        assert!(matches!(read, Err(StoreError::Unreachable { .. })), "{read:?}");
        let error = StoreError::Failed { backend: "test", message: "no such table".to_owned() };
        let read = read_patiently(&AwayStore(Mutex::new(vec![error])), &question, PATIENCE).await;
        assert!(matches!(read, Err(StoreError::Failed { .. })), "{read:?}");
    }

    #[tokio::test]
    async fn nothing_is_asked_again_for_nobody() {
        let (answer, answered) = oneshot::channel();
        drop(answered);
        let store = away(2);
        answer_state(&store, asked(answer)).await;
        assert_eq!(store.0.lock().unwrap().len(), 1);
    }
}
