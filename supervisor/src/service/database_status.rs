//! What the database said last, for readiness and metrics: whoever asks is answered at once, with what is known
//! and its age, while a database that is away or stands still takes its time.

use std::sync::Arc;
use std::time::Duration;

use muster_store::{DatabaseFacts, LimitStore, LimitUse, QueueDepth, QueueUse, SchemaStore, WaitingStore};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::write_watch::WriteWatch;

/// Whoever asks waits for a new answer for so long.
const PATIENCE: Duration = Duration::from_millis(120);
/// A question without an answer for so long is an answer.
pub(super) const SILENT_MAX: Duration = Duration::from_secs(2);
/// What has to be counted is counted this often at most, however many ask.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// A number that is older says nothing any more.
const NUMBER_FOR: Duration = Duration::from_secs(10);

/// What is asked of the database again and again.
#[derive(Debug, Default)]
pub(super) struct DatabaseStatus {
    facts: StatusQuestion<DatabaseFacts>,
    depth: StatusQuestion<QueueDepth>,
    limits: StatusQuestion<Vec<LimitUse>>,
    queues: StatusQuestion<Vec<QueueUse>>,
    /// Whether it confirms what it is told.
    pub(super) writes: WriteWatch,
}

impl DatabaseStatus {
    /// What it says of itself.
    pub(super) async fn facts(&self, store: Arc<dyn SchemaStore>) -> StatusReading<DatabaseFacts> {
        self.facts.look(async move { store.facts().await }).await
    }

    /// How long ago it answered last; zero before its first answer.
    pub(super) fn age(&self) -> Duration {
        self.facts.0.borrow().answer.as_ref().map_or(Duration::ZERO, |(_, at)| at.elapsed())
    }

    /// How many rows wait; `None` when that is not known.
    pub(super) async fn pending(&self, store: Arc<dyn WaitingStore>) -> Option<u64> {
        let look = self.depth.look(async move { store.queue_depth().await }).await;
        match look.answer {
            Some(Ok(depth)) if look.age < NUMBER_FOR => Some(depth.pending),
            Some(_) | None => None,
        }
    }

    /// What waits in each queue; nothing when that is not known.
    pub(super) async fn queues(&self, store: Arc<dyn WaitingStore>) -> Vec<QueueUse> {
        if let Some(uses) = self.queues.answered_within(FRESH_FOR) {
            return uses;
        }
        let look = self.queues.look(async move { store.queue_uses().await }).await;
        match look.answer {
            Some(Ok(uses)) if look.age < NUMBER_FOR => uses,
            Some(_) | None => Vec::new(),
        }
    }

    /// How full the limits are; nothing when that is not known.
    pub(super) async fn limits(&self, store: Arc<dyn LimitStore>) -> Vec<LimitUse> {
        if let Some(uses) = self.limits.answered_within(FRESH_FOR) {
            return uses;
        }
        let look = self.limits.look(async move { store.limit_uses().await }).await;
        match look.answer {
            Some(Ok(uses)) if look.age < NUMBER_FOR => uses,
            Some(_) | None => Vec::new(),
        }
    }
}

/// One question, and its last answer.
#[derive(Debug)]
pub(super) struct StatusQuestion<T>(watch::Sender<QuestionState<T>>);

#[derive(Debug)]
struct QuestionState<T> {
    answer: Option<(Result<T, String>, Instant)>,
    /// The question is under way, since then.
    asked: Option<Instant>,
}

/// What is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StatusReading<T> {
    /// The last answer, if there ever was one.
    pub(super) answer: Option<Result<T, String>>,
    /// How old it is.
    pub(super) age: Duration,
    /// How long the next one has been waited for.
    pub(super) silent_for: Option<Duration>,
}

impl<T> Default for StatusQuestion<T> {
    fn default() -> Self {
        Self(watch::Sender::new(QuestionState { answer: None, asked: None }))
    }
}

impl<T: Clone + Send + Sync + 'static> StatusQuestion<T> {
    /// The last answer, if it is younger than this.
    fn answered_within(&self, max: Duration) -> Option<T> {
        match &self.0.borrow().answer {
            Some((Ok(answer), at)) if at.elapsed() < max => Some(answer.clone()),
            Some(_) | None => None,
        }
    }

    /// Asks, unless the question is under way, waits for a moment, and gives what is known then.
    pub(super) async fn look<E: std::fmt::Display>(
        &self,
        ask: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> StatusReading<T> {
        let is_new = self.0.send_if_modified(|state| {
            let is_new = state.asked.is_none();
            state.asked.get_or_insert_with(Instant::now);
            is_new
        });
        if is_new {
            let answers = self.0.clone();
            // On its own: it goes on when whoever asks has gone, so that the next one finds its answer.
            tokio::spawn(async move {
                let answer = ask.await.map_err(|error| error.to_string());
                answers.send_replace(QuestionState { answer: Some((answer, Instant::now())), asked: None });
            });
        }
        let mut answered = self.0.subscribe();
        // Without an answer in time there is the last one. What it gives is a lock on the state: kept while the state is borrowed
        // once more, both would wait for ever for whoever waits to write in between.
        drop(timeout(PATIENCE, answered.wait_for(|state| state.asked.is_none())).await);
        let state = self.0.borrow();
        StatusReading {
            answer: state.answer.as_ref().map(|(answer, _)| answer.clone()),
            age: state.answer.as_ref().map_or(Duration::ZERO, |(_, at)| at.elapsed()),
            silent_for: state.asked.map(|asked| asked.elapsed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_question_is_asked_once_and_whoever_asks_meanwhile_gets_the_last_answer_and_its_age() {
        let asked = StatusQuestion::default();
        let first = asked.look(async { Ok::<_, String>(1) }).await;
        assert_eq!((first.answer, first.silent_for), (Some(Ok(1)), None));
        let (answer, answered) = tokio::sync::oneshot::channel();
        let slow = async move { Ok::<_, String>(answered.await.unwrap()) };
        let second = asked.look(slow).await;
        assert_eq!(second.answer, Some(Ok(1)));
        assert!(second.age >= PATIENCE && second.silent_for.is_some_and(|it| it >= PATIENCE), "{second:?}");
        let third = asked.look(async { Err::<i32, _>("the question is under way") }).await;
        assert_eq!(third.answer, Some(Ok(1)));
        assert!(third.silent_for > second.silent_for, "{third:?}");
        answer.send(2).unwrap();
        let mut seen = asked.0.subscribe();
        drop(seen.wait_for(|state| state.asked.is_none()).await.unwrap());
        assert_eq!(asked.look(async { Ok::<_, String>(3) }).await.answer, Some(Ok(3)));
    }

    /// The threads of a runtime that wait for each other end no time limit of it, so somebody outside looks at the clock.
    #[test]
    fn many_may_ask_at_once() {
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
            runtime.block_on(async {
                let asked = Arc::<StatusQuestion<u64>>::default();
                let askers = (0..8).map(|number| {
                    let asked = Arc::clone(&asked);
                    tokio::spawn(async move {
                        for _ in 0..3000 {
                            asked.look(async move { Ok::<_, String>(number) }).await;
                        }
                    })
                });
                for asker in askers.collect::<Vec<_>>() {
                    asker.await.unwrap();
                }
            });
            done.send(()).unwrap();
        });
        is_done.recv_timeout(Duration::from_secs(60)).expect("they wait for each other");
    }
}
