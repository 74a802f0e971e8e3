//! What workers' processes started, and the files they left: looked for when a run is over, and ended with the run or
//! with the worker.
//!
//! Looking reads /proc and ending waits, so both happen away from the executor's thread. A run after which nobody was
//! started, by anyone, costs one small read.

use std::rc::Rc;

use muster_core::execution::Attempt;
use muster_core::pool::WorkerEvent;
use muster_system::process::ObservedProcess;
use serde_json::json;

use super::executor_loop::ExecutorLoop;
use super::link::WorkerLink;
use super::reader::WorkerReader;

/// So many of the processes that were left are named.
const NAMED_MAX: usize = 20;

impl ExecutorLoop {
    /// Asks a worker's group to end. Who descends from it is noted before, because when it ends what ties them is
    /// lost. A kill comes after this, and does not wait to look again.
    pub(super) fn terminate(self: &Rc<Self>, link: &Rc<WorkerLink>) {
        let Some(family) = link.family() else { return };
        let looked = self.background.spawn_blocking(move || family.members());
        let link = Rc::clone(link);
        tokio::task::spawn_local(async move {
            link.note_descendants(looked.await.unwrap_or_default());
            link.terminate();
        });
    }

    /// The numbers of all other workers.
    fn leaders_beside(&self, link: &WorkerLink) -> Vec<u32> {
        let state = self.state.borrow();
        state
            .links
            .values()
            .filter(|other| other.id != link.id)
            .filter_map(|other| other.process_id())
            .collect()
    }

    /// Says what an attempt left running.
    fn note_left(&self, link: &WorkerLink, attempt: Attempt, left: &[ObservedProcess]) {
        let named: Vec<_> = left.iter().take(NAMED_MAX).collect();
        let names: Vec<&str> = named.iter().map(|seen| seen.name.as_str()).collect();
        tracing::warn!(worker = %link.id, execution_id = %attempt.execution_id, attempt = attempt.number, count = left.len(), names = names.join(", "), "execution left processes running; they were ended, and the worker with them");
        let processes: Vec<_> =
            named.iter().map(|seen| json!({ "pid": seen.pid, "name": seen.name })).collect();
        if let Some(run) = self.state.borrow_mut().run_mut(attempt) {
            run.note("left_processes", json!({ "count": left.len(), "processes": processes }));
        }
    }
}

impl WorkerReader {
    /// A run is over. What it left running is ended first, and the worker that it was left in serves no other. What it
    /// left in the temporary folder goes, too.
    pub(super) fn finish_descendants(&self, run: u32, told_bytes: u64, recycle: bool) {
        let (engine, link) = (Rc::clone(&self.engine), Rc::clone(&self.link));
        let (since, now) = link.look(&engine.births);
        let undisturbed = now.is_some() && since == now;
        let left_files = link.belongings().temporary.filter(|folder| !folder.is_clean());
        let (Some(attempt), Some(family), false) =
            (link.attempt_of(run), link.family(), undisturbed && left_files.is_none())
        else {
            let rss_bytes = engine.memory_after_run(&link, told_bytes);
            return engine.worker(link.id, WorkerEvent::Idle { run, rss_bytes, recycle });
        };
        let others = if undisturbed { Vec::new() } else { engine.leaders_beside(&link) };
        let cleaned = engine.background.spawn_blocking(move || {
            let left = if undisturbed {
                Vec::new()
            } else {
                family.end_born_since(since, &others.into_iter().collect())
            };
            // After that nobody of the run writes into it any more.
            (left, left_files.map_or(Ok(()), |folder| folder.empty()))
        });
        tokio::task::spawn_local(async move {
            let (left, emptied) = cleaned.await.unwrap_or_else(|_| (Vec::new(), Ok(())));
            if !left.is_empty() {
                engine.note_left(&link, attempt, &left);
            }
            if let Err(error) = &emptied {
                tracing::warn!(worker = %link.id, %error, "the worker's temporary folder cannot be emptied; the worker is replaced");
            }
            let recycle = recycle || !left.is_empty() || emptied.is_err();
            let rss_bytes = engine.memory_after_run(&link, told_bytes);
            engine.worker(link.id, WorkerEvent::Idle { run, rss_bytes, recycle });
        });
    }

    /// The worker has ended and is not reaped: nobody it started outlives it. Gives how many had to be ended.
    pub(super) async fn end_descendants(&self) -> usize {
        let Some(family) = self.link.family() else { return 0 };
        let mut noted = self.link.take_descendants();
        // A worker that was killed without being asked before was looked at for its memory alone.
        let seen = self.link.memory.take().unwrap_or_default();
        noted.extend(seen.members.into_iter().filter(|seen| seen.pid != family.group().id()));
        let since = self.link.born_after.get();
        let left = self.engine.background.spawn_blocking(move || family.end_all(since, noted)).await;
        let (left, held) = (left.unwrap_or_default(), self.link.run.get());
        if let (Some((_, attempt)), false) = (held, left.is_empty()) {
            self.engine.note_left(&self.link, attempt, &left);
        }
        left.len()
    }
}
