//! What the pool decides: a pure state machine, `step(now, event) -> effects`.
//!
//! Who gets the next execution, when to spawn, retire, recycle, time out, kill and back off is decided
//! here and nowhere else. Nothing here reads a clock, draws a random number, touches a process or awaits:
//! the shell turns the outside world into [`Event`]s and [`Effect`]s into system calls.

mod effect;
mod event;

pub use effect::{Effect, Ending, Finish, KillCause};
pub use event::{Assignment, Event, Exit, ExitStatus, Features, Violation, WorkerEvent, WorkerId};
