//! The executor's thread: one small runtime on which everything about the workers happens.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use muster_core::pool::{Pool, PoolConfig, PoolEvent};
use muster_system::process::{OrphanedWorkers, Spawner, WorkerLeaves};
use muster_system::vital;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::events::{self, ExecutorEvents};
use super::executor_loop::{ExecutorLoop, ExecutorState, WorkerSpecs};
use super::handle::{Executor, ExecutorCommand, ExecutorHandle};
use super::worker_spec::WorkerSpec;
use crate::descriptions::Descriptions;

/// What an executor needs to start.
#[derive(Debug)]
pub struct ExecutorOptions {
    /// The settings that the pool decides by.
    pub pool: PoolConfig,
    /// What its workers are started with.
    pub spec: WorkerSpec,
    /// Where process groups are recorded, if they are.
    pub orphaned_workers: Option<OrphanedWorkers>,
    /// Where workers get control groups of their own, if they do.
    pub leaves: Option<Arc<WorkerLeaves>>,
    /// Where is kept what workers describe.
    pub descriptions: Arc<Descriptions>,
}

/// Why the executor cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// The system refuses a thread or a descriptor.
    #[error("the executor's thread cannot start: {0}; raise the limits on threads and open files")]
    Thread(#[from] io::Error),
}

impl Executor {
    /// Starts the thread and, on it, the pool. What happens there comes out of the channel, in order and to the last
    /// end. What takes long is done on the runtime this is called in.
    ///
    /// # Errors
    /// When the system refuses a thread or a descriptor.
    pub fn start(options: ExecutorOptions) -> Result<(Self, ExecutorEvents), ExecutorError> {
        let spawner = Spawner::with_leaves(options.leaves.clone())?;
        let (leaves, closing) = (options.leaves.clone(), options.leaves);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (commands, received) = mpsc::unbounded_channel();
        let (told, events) = events::channel();
        let ended = CancellationToken::new();
        let end = ended.clone().drop_guard();
        let background = tokio::runtime::Handle::current();
        std::thread::Builder::new().name("executor".to_owned()).spawn(move || {
            let work = LocalSet::new();
            work.block_on(&runtime, async move {
                let clock = Clock::start();
                let mut state = ExecutorState {
                    memory_limit_bytes: 0,
                    pool: Pool::new(options.pool.clone(), clock.now()),
                    links: BTreeMap::new(),
                    runs: HashMap::new(),
                    specs: WorkerSpecs::new(options.spec),
                    orphaned_workers: options.orphaned_workers,
                    leaves,
                };
                state.limit_memory(&options.pool);
                let engine = ExecutorLoop::new(state, clock, told, spawner, options.descriptions, background);
                // A task among tasks: a command given by an outcome that was just heard is obeyed in the same turn,
                // while the root of a runtime is polled only after another look at the descriptors.
                let served =
                    tokio::task::spawn_local(vital::serving("executor", serve(engine, received))).await;
                if let Err(error) = served
                    && let Ok(panic) = error.try_into_panic()
                {
                    std::panic::resume_unwind(panic);
                }
            });
            if let Some(leaves) = closing {
                leaves.close();
            }
            // Dropped here, or by a panic of this thread: either way nobody waits for it in vain.
            drop(end);
        })?;
        Ok((Self { handle: ExecutorHandle { commands }, ended }, events))
    }
}

/// Serves commands until a drain is over.
async fn serve(engine: Rc<ExecutorLoop>, mut commands: mpsc::UnboundedReceiver<ExecutorCommand>) {
    tokio::task::spawn_local(Rc::clone(&engine).keep_time());
    tokio::task::spawn_local(Rc::clone(&engine).keep_telling());
    tokio::task::spawn_local(Rc::clone(&engine).watch_memory());
    tokio::task::spawn_local(Rc::clone(&engine).watch_oom_kills());
    engine.start();
    loop {
        tokio::select! {
            biased;
            () = engine.drained.notified() => return engine.events.tell_held(),
            command = commands.recv() => match command {
                Some(command) => handle_command(&engine, command),
                None => break,
            },
        }
    }
    // Every handle is gone: nobody can hear of an outcome any more.
    engine.handle(PoolEvent::DrainNow);
    engine.drained.notified().await;
}

/// Does what is asked.
fn handle_command(engine: &Rc<ExecutorLoop>, command: ExecutorCommand) {
    match command {
        ExecutorCommand::Submit(specs) => specs.into_iter().for_each(|spec| engine.submit(spec)),
        ExecutorCommand::Cancel { attempt, reason, message } => {
            engine.handle(PoolEvent::Cancel { attempt, reason, message })
        }
        ExecutorCommand::Resize { min_workers, max_workers } => {
            engine.handle(PoolEvent::Resize { min_workers, max_workers })
        }
        ExecutorCommand::Recycle(worker) => engine.handle(PoolEvent::Recycle(worker)),
        ExecutorCommand::RecycleAll => engine.handle(PoolEvent::RecycleAll),
        ExecutorCommand::Reload { spec, config } => engine.reload(spec, config),
        ExecutorCommand::Drain { grace } => engine.handle(PoolEvent::Drain { grace }),
        ExecutorCommand::Halt => engine.handle(PoolEvent::Halt),
        ExecutorCommand::DrainNow => engine.handle(PoolEvent::DrainNow),
        ExecutorCommand::Snapshot(answer) => {
            let _ = answer.send(engine.snapshot());
        }
    }
}
