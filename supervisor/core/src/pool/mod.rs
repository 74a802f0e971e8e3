//! What the pool decides: a pure state machine, `step(now, event) -> effects`.
//!
//! Who gets the next execution, when to spawn, retire, recycle, time out, kill and back off is decided
//! here and nowhere else. Nothing here reads a clock, draws a random number, touches a process or awaits:
//! the shell turns the outside world into [`PoolEvent`]s and [`PoolEffect`]s into system calls. `LIFECYCLE.md`
//! beside this file shows the states and the invariants.

mod cancelling;
pub mod config;
mod death;
mod draining;
mod effect;
mod ending;
mod event;
mod failed_starts;
mod forking;
mod idle;
mod invariant;
mod isolation;
mod leaving;
mod machine;
mod outcome;
mod queue;
mod reload;
mod routing;
mod run;
mod running;
mod sizing;
mod snapshot;
mod start_failures;
mod starting;
mod template_life;
mod templates;
mod time;
mod timers;
mod worker;
mod worker_counts;

pub use config::{HELLO_TIMEOUT, PoolConfig};
pub use death::{DeathNotice, WorkerDeath};
pub use effect::{KillCause, PoolEffect, RunFinish};
pub use event::{
    Assignment, PoolEvent, ProcessExit, ProtocolViolation, WorkerEvent, WorkerFeatures, WorkerId,
};
pub use invariant::PoolInvariant;
pub use isolation::{Isolation, WorkerBinding};
pub use machine::{Pool, STOOD_STILL_MIN};
pub use snapshot::{PoolSnapshot, ReloadSnapshot, StartsSnapshot, TemplateSnapshot, WorkerSnapshot};
pub use time::PoolTime;
