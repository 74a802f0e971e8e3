//! The memory of workers, looked at while they run something and there is a limit.
//!
//! A look reads the processes of the machine once for all workers, away from the executor's thread. What it takes
//! bounds how soon the next one comes, so that a thousand workers are looked at less often, and never all the time; but
//! what one worker's processes cost to look at keeps no other worker from its limit for long.

use std::rc::Rc;
use std::time::{Duration, Instant};

use muster_core::pool::{PoolConfig, WorkerEvent};
use muster_system::process::{MemoryWatch, ProcessTree, resident_bytes};

use super::executor_loop::{ExecutorLoop, ExecutorState};
use super::link::WorkerLink;

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// So many times as long as a look took passes before the next one.
const REST_FOR_LOOK: u32 = 15;
/// But no longer than this.
const REST_MAX: Duration = Duration::from_secs(1);

impl ExecutorState {
    /// From now on workers are held to this. Those that have a control group keep the limit it was made with.
    pub(super) fn limit_memory(&mut self, config: &PoolConfig) {
        self.memory_limit_bytes = config.memory_limit_bytes;
        if let Some(leaves) = &self.leaves {
            leaves.limit_memory(config.memory_kill_bytes().unwrap_or(0));
        }
    }
}

impl ExecutorLoop {
    /// Watches for as long as there is an executor.
    pub(super) async fn watch_memory(self: Rc<Self>) {
        let (mut watch, mut rest) = (MemoryWatch::default(), LOOK_EVERY);
        loop {
            tokio::time::sleep(rest).await;
            let limit_bytes = self.state.borrow().memory_limit_bytes;
            let links = self.links_to_look_at(limit_bytes);
            if links.is_empty() {
                continue;
            }
            let trees: Vec<ProcessTree> = links.iter().filter_map(|link| link.family()).collect();
            let looked = self.background.spawn_blocking(move || {
                let begun = Instant::now();
                let seen = watch.look(&trees, limit_bytes);
                (watch, seen, begun.elapsed())
            });
            let (seen, took);
            (watch, seen, took) = looked.await.unwrap_or_default();
            rest = (took * REST_FOR_LOOK).clamp(LOOK_EVERY, REST_MAX);
            for (link, memory) in links.into_iter().zip(seen) {
                let rss_bytes = memory.bytes;
                link.memory.replace(Some(memory));
                if link.run.get().is_some() {
                    self.worker(link.id, WorkerEvent::MemorySample { rss_bytes });
                }
            }
        }
    }

    /// Those that run something, and those of whom it is not known yet what they consist of.
    fn links_to_look_at(&self, limit_bytes: u64) -> Vec<Rc<WorkerLink>> {
        if limit_bytes == 0 {
            return Vec::new();
        }
        let state = self.state.borrow();
        let wants = |link: &&Rc<WorkerLink>| {
            let is_due = link.run.get().is_some() || link.memory.borrow().is_none();
            is_due && link.is_ready() && link.group().is_some()
        };
        state.links.values().filter(wants).cloned().collect()
    }

    /// What a worker holds after a run, where there is a limit: itself, and those it consisted of at the last look. What
    /// the run started besides has been ended by now. Without a limit it is what the worker says.
    pub(super) fn memory_after_run(&self, link: &WorkerLink, told_bytes: u64) -> u64 {
        let limit_bytes = self.state.borrow().memory_limit_bytes;
        if limit_bytes == 0 {
            return told_bytes;
        }
        let memory = link.memory.borrow();
        let is_alone = memory.as_ref().is_none_or(|memory| memory.members.len() <= 1);
        if is_alone && (1..=limit_bytes).contains(&told_bytes) {
            // Its own word costs nothing, and a worker that is alone knows all there is.
            return told_bytes;
        }
        match &*memory {
            Some(memory) => memory.again(limit_bytes),
            None => link.process_id().and_then(resident_bytes).unwrap_or(told_bytes),
        }
    }
}
