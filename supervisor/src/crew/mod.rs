//! The crew: the asynchronous shell around the [`pool`](crate::pool)'s decisions.
//!
//! One thread with one small runtime owns every worker's pipes, timers and the pool itself, so that a frame
//! read from one worker can become a frame written to another without crossing a thread. The shell turns
//! what it reads into events and effects into system calls; it decides nothing. It knows nothing of queues
//! or databases: what the rest of the supervisor hears is the [`Observer`].

mod calls;
mod changes;
mod clock;
mod effects;
mod ends;
mod engine;
mod handle;
mod hear;
mod kin;
mod link;
mod logs;
mod observer;
mod order;
mod outgoing;
mod reader;
mod recording;
mod run;
mod stderr;
mod thread;

pub use clock::unix_us;
pub use handle::{Crew, CrewHandle, CrewSnapshot, WorkerIdentity};
pub use link::Identity;
pub use observer::{Completed, Observer, Progress, RunEvent};
pub use order::{Order, RunConfig};
pub use recording::{Recording, Transcribe};
pub use thread::{CrewError, CrewOptions, Gear};
