//! The executor: the asynchronous shell around the [`pool`](muster_core::pool)'s decisions.
//!
//! One thread with one small runtime owns every worker's pipes, timers and the pool itself, so that a frame
//! read from one worker can become a frame written to another without crossing a thread. The shell turns
//! what it reads into events and effects into system calls; it decides nothing. It knows nothing of queues
//! or databases: what the rest of the supervisor hears are the [`ExecutorEvent`]s of one channel. It does no work that
//! takes as long as a payload is large: what does is done where it is heard, or on a thread for it.

mod calls;
mod changes;
mod clock;
mod deaths;
mod descendants;
pub mod descriptions;
mod effects;
mod events;
mod executor_loop;
#[cfg(any(test, feature = "fake"))]
mod fake;
mod handle;
mod head_tail;
mod late;
mod launcher;
mod link;
mod live;
mod live_share;
mod logs;
mod memory;
mod messages;
mod news;
mod reader;
mod recording;
mod run;
mod run_spec;
mod showing;
mod starting;
mod stderr;
mod stdin;
mod template;
mod thread;
mod worker_spec;

pub use clock::unix_us;
pub use events::{ExecutorEvent, ExecutorEvents, StateQuestion, WorkerOrigin};
#[cfg(any(test, feature = "fake"))]
pub use fake::FakeExecutor;
pub use handle::{Executor, ExecutorHandle, ExecutorSnapshot, WorkerIdentity};
pub use link::AnnouncedIdentity;
pub use live::{LiveEvent, RunProgress, WaitingLive};
pub use recording::RunRecording;
pub use run::EndedRun;
pub use run_spec::{RunSpec, time_limit};
pub use thread::{ExecutorError, ExecutorOptions};
pub use worker_spec::WorkerSpec;
