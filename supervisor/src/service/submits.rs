//! Single submits that come at the same time are one transaction: a commit waits for the disk, and those that come
//! meanwhile go together with the next one. Nobody waits for company: whoever comes alone is written at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_store::{NewExecution, QueueStore, StoreError, Submitted};
use tokio::sync::oneshot;

/// So many are one transaction at most.
const GROUP_MAX: usize = 256;
/// Transactions at once where the database takes several.
const SHARED_WRITERS_MAX: usize = 4;

type SubmitResult = Result<Submitted, StoreError>;

/// What is to be submitted, and those who write it.
#[derive(Debug)]
pub(super) struct SubmitGroups {
    store: Arc<dyn QueueStore>,
    writers_max: usize,
    state: Mutex<GroupState>,
}

#[derive(Debug, Default)]
struct GroupState {
    waiting: Vec<(NewExecution, oneshot::Sender<SubmitResult>)>,
    writers: usize,
}

impl SubmitGroups {
    /// For this store, which others may write to as well.
    pub(super) fn new(store: Arc<dyn QueueStore>, is_shared: bool) -> Arc<Self> {
        let writers_max = if is_shared { SHARED_WRITERS_MAX } else { 1 };
        Arc::new(Self { store, writers_max, state: Mutex::default() })
    }

    /// Submits one; `None` when the store says nothing about it. It is written even if nobody waits for the answer any
    /// more, as it would have been alone.
    ///
    /// # Errors
    /// What the store says of the transaction it was in.
    pub(super) async fn submit(self: &Arc<Self>, row: NewExecution) -> Result<Option<Submitted>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let wants_writer = {
            let mut state = self.state();
            state.waiting.push((row, answer));
            let wants_writer = state.writers < self.writers_max;
            state.writers += usize::from(wants_writer);
            wants_writer
        };
        if wants_writer {
            tokio::spawn(Arc::clone(self).write());
        }
        answered.await.ok().transpose()
    }

    /// Writes group after group, until nothing waits.
    async fn write(self: Arc<Self>) {
        while let Some((rows, answers)) = self.next_group() {
            let mut written = self.store.submit(&rows).await.map(Vec::into_iter);
            for answer in answers {
                let submitted = match &mut written {
                    Ok(submitted) => submitted.next().map(Ok),
                    Err(error) => Some(Err(error.clone())),
                };
                // Whoever asked may have gone.
                let _ = submitted.map(|submitted| answer.send(submitted));
            }
        }
    }

    /// What waits, oldest first. `None` when nothing does: the writer that asked is one no longer.
    fn next_group(&self) -> Option<(Vec<NewExecution>, Vec<oneshot::Sender<SubmitResult>>)> {
        let mut state = self.state();
        if state.waiting.is_empty() {
            state.writers -= 1;
            return None;
        }
        let count = state.waiting.len().min(GROUP_MAX);
        Some(state.waiting.drain(..count).unzip())
    }

    fn state(&self) -> MutexGuard<'_, GroupState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use muster_core::execution::{ExecutionRequest, Status};
    use muster_store::{CancelResult, ExecutionFailure, ExecutionOutcome};
    use tokio::sync::Semaphore;
    use uuid::Uuid;

    use super::*;

    /// A store that writes one group for each permit, and remembers how large they were.
    #[derive(Debug)]
    struct GatedStore {
        gate: Semaphore,
        groups: Mutex<Vec<usize>>,
        fails: bool,
    }

    #[async_trait::async_trait]
    impl QueueStore for GatedStore {
        async fn submit(&self, executions: &[NewExecution]) -> muster_store::Result<Vec<Submitted>> {
            self.gate.acquire().await.unwrap().forget();
            self.groups.lock().unwrap().push(executions.len());
            if self.fails {
                let message = "no disk".to_owned();
                return Err(StoreError::Unreachable { backend: "test", message });
            }
            let answer = |new: &NewExecution| Submitted::Existing { id: new.id, status: Status::Pending };
            Ok(executions.iter().map(answer).collect())
        }

        async fn forget_keys(&self, _: usize) -> muster_store::Result<usize> {
            Ok(0)
        }

        async fn follow_clock(&self, _: usize) -> muster_store::Result<usize> {
            Ok(0)
        }

        async fn give_up(&self, _: &[(Uuid, ExecutionOutcome)]) -> muster_store::Result<()> {
            Ok(())
        }

        async fn request_cancel(&self, _: Uuid) -> muster_store::Result<CancelResult> {
            Ok(CancelResult::Tombstone)
        }

        async fn request_cancels(&self, _: &[Uuid]) -> muster_store::Result<Vec<(Uuid, CancelResult)>> {
            Ok(Vec::new())
        }

        async fn fail_unusable(&self, _: Uuid, _: &ExecutionFailure) -> muster_store::Result<Option<Status>> {
            Ok(None)
        }

        async fn reopen_unusable(&self, _: Uuid) -> muster_store::Result<bool> {
            Ok(false)
        }
    }

    fn store(fails: bool) -> Arc<GatedStore> {
        Arc::new(GatedStore { gate: Semaphore::new(0), groups: Mutex::default(), fails })
    }

    fn row() -> NewExecution {
        let message = format!(r#"{{"execution_id": "{}", "workflow": "greet"}}"#, Uuid::now_v7());
        let request = ExecutionRequest::parse(message.as_bytes()).unwrap();
        NewExecution::of(&request, 1)
    }

    /// As many as there may be writers, each taken before the next one comes, and then the others.
    async fn submit_ten(
        store: &Arc<GatedStore>,
        is_shared: bool,
    ) -> Vec<Result<Option<Submitted>, StoreError>> {
        let groups = SubmitGroups::new(Arc::clone(store) as Arc<dyn QueueStore>, is_shared);
        let mut submits = Vec::new();
        for number in 0..10 {
            let (groups_of_it, row) = (Arc::clone(&groups), row());
            submits.push(tokio::spawn(async move {
                let id = row.id;
                let answer = groups_of_it.submit(row).await;
                if let Ok(Some(Submitted::Existing { id: answered, .. })) = answer {
                    assert_eq!(answered, id, "everybody gets the own answer");
                }
                answer
            }));
            let writers = groups.writers_max.min(number + 1);
            let has_come = || {
                let state = groups.state();
                (state.writers, state.waiting.len()) == (writers, number + 1 - writers)
            };
            let comes = async {
                while !has_come() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), comes).await.unwrap();
        }
        store.gate.add_permits(10);
        let mut answers = Vec::new();
        for submit in submits {
            answers.push(tokio::time::timeout(Duration::from_secs(20), submit).await.unwrap().unwrap());
        }
        let rest = async {
            while groups.state().writers > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), rest).await.expect("no writer stays without work");
        answers
    }

    #[tokio::test]
    async fn those_that_come_during_a_commit_go_together() {
        let store = store(false);
        let answers = submit_ten(&store, false).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Some(Submitted::Existing { .. })))));
        assert_eq!(*store.groups.lock().unwrap(), [1, 9]);
    }

    #[tokio::test]
    async fn a_shared_store_is_written_by_several() {
        let store = store(false);
        submit_ten(&store, true).await;
        let mut groups = store.groups.lock().unwrap().clone();
        groups.sort_unstable();
        assert_eq!(groups, [1, 1, 1, 1, 6]);
    }

    #[tokio::test]
    async fn an_error_is_told_to_all_of_the_group() {
        let store = store(true);
        let answers = submit_ten(&store, false).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(StoreError::Unreachable { .. }))));
    }
}
