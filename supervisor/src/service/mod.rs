//! The service: intake, desk, crew, finalizer and announcer, wired together, started and stopped.

mod announcer;
mod api;
mod backends;
mod claims;
mod core;
mod data_dir;
mod desk;
mod health;
mod heartbeat;
mod leases;
mod ledger;
mod observer;
mod orders;
mod poll;
mod prepare;
mod prewarm_gate;
mod pulse;
mod run;
mod slots;
mod starting;
mod supervisor;
mod sweep;

pub use announcer::Announcer;
pub use backends::{BackendError, OpenStore, open_bus, open_store, sqlite_path};
pub use core::{Core, CoreError, Parts, claimant, gear, pool_config, transcripts};
pub use data_dir::{DataDir, DataDirError};
pub use desk::{AfterFailure, Desk, Prepare, PrepareError, Prepared};
pub use health::{Health, StartTrouble};
pub use ledger::{Held, Ledger, Phase, Terms};
pub use prepare::Preparer;
pub use pulse::{Loop, Pulse};
pub use run::{RunError, run};
pub use slots::{Closed, Reservation, Slot, Slots};
pub use starting::Starting;
pub use supervisor::{Reload, StartError, Supervisor, Tasks};
