//! The service: intake, desk, crew, finalizer and announcer, wired together, started and stopped.

mod announcer;
mod core;
mod data_dir;
mod desk;
mod health;
mod leases;
mod ledger;
mod observer;
mod poll;
mod slots;

pub use announcer::Announcer;
pub use core::{Core, CoreError, Parts, claimant, gear, pool_config};
pub use data_dir::{DataDir, DataDirError};
pub use desk::{Desk, Prepare, PrepareError, Prepared};
pub use health::{Health, StartTrouble};
pub use ledger::{Held, Ledger, Phase, Terms};
pub use slots::{Closed, Reservation, Slot, Slots};
