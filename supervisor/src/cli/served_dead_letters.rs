//! The dead letters of all queues that the settings say are served here, as if they were in one.

use muster_intake::rabbitmq::{DeadLetter, DeadLetters, LetterChoice, ReplayError, ReplayResult};
use muster_protocol::spelled_out;
use muster_store::QueueStore;

use super::dead::amqp_failure;
use super::exit::CommandFailure;
use super::output::note;
use crate::settings::Settings;

/// The dead letters of each served queue, in the order in which the settings name them.
#[derive(Debug)]
pub(super) struct ServedDeadLetters(Vec<DeadLetters>);

impl ServedDeadLetters {
    pub(super) async fn open(settings: &Settings) -> Result<Self, CommandFailure> {
        let Some(url) = &settings.amqp_url else {
            return Err(CommandFailure::usage(
                "there are no dead letters without RabbitMQ: set amqp_url (--amqp-url, MUSTER_AMQP_URL); executions of \
                 the embedded queue that could not run are in `supervisor list --status FAILED`",
            ));
        };
        let mut queues = Vec::new();
        for queue in settings.served_queues() {
            queues.push(DeadLetters::open(settings.server(url), queue).await.map_err(amqp_failure)?);
        }
        Ok(Self(queues))
    }

    /// The queues by name, and which of them has nowhere to keep dead letters.
    pub(super) async fn described(&self) -> Result<String, CommandFailure> {
        let mut words = Vec::new();
        for queue in &self.0 {
            let name = format!("queue {}", queue.queue());
            words.push(match queue.count().await.map_err(amqp_failure)? {
                Some(_) => name,
                None => format!("{name} (nobody has served it yet)"),
            });
        }
        Ok(words.join(", "))
    }

    /// The oldest letters of each queue, at most `limit` in all.
    pub(super) async fn list(&self, limit: usize) -> Result<Vec<DeadLetter>, CommandFailure> {
        let mut letters = Vec::new();
        for queue in &self.0 {
            letters.extend(queue.list(limit - letters.len()).await.map_err(amqp_failure)?);
        }
        Ok(letters)
    }

    /// Leaves out the queues in which none of these letters is.
    pub(super) fn keep_those_of<'a>(&mut self, letters: impl Iterator<Item = &'a DeadLetter> + Clone) {
        self.0.retain(|queue| letters.clone().any(|letter| letter.queue == queue.queue()));
    }

    /// Puts them back, each into its own queue.
    pub(super) async fn replay(
        &self,
        choice: LetterChoice,
        store: &dyn QueueStore,
    ) -> Result<ReplayResult, ReplayError> {
        let mut all = ReplayResult::default();
        for queue in &self.0 {
            let ReplayResult { replayed, reopened } = queue
                .replay(choice, store)
                .await
                .inspect_err(|_| note_done(&format!("{} replayed", all.replayed), queue))?;
            all.replayed += replayed;
            all.reopened += reopened;
        }
        Ok(all)
    }

    /// Throws them away, and says how many there were.
    pub(super) async fn purge(&self, choice: LetterChoice) -> Result<u32, CommandFailure> {
        let mut purged = 0;
        for queue in &self.0 {
            purged += queue
                .purge(choice)
                .await
                .inspect_err(|_| note_done(&format!("{purged} purged"), queue))
                .map_err(amqp_failure)?;
        }
        Ok(purged)
    }
}

/// Says what was done before a queue failed.
fn note_done(done: &str, failed: &DeadLetters) {
    note(&spelled_out(&format!("{done} before queue {}, which failed", failed.queue())));
}
