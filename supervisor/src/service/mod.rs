//! The service: intake, dispatcher, executor, finalizer and notifier, wired together, started and stopped.

mod announce;
mod api;
mod backends;
mod broker_status;
mod commands;
mod confinement;
mod core;
mod data_dir;
mod database_status;
mod dead_letters;
mod definition_changes;
mod described;
mod displaced;
mod explain;
mod figures;
mod fleet;
mod heartbeat;
mod many;
mod readiness_parts;
mod retention;
mod run;
mod schedules;
mod start;
mod starting;
mod submits;
mod supervisor;
mod taken_ids;
mod tasks;
mod webhooks;
mod workflows_dir;
mod write_watch;

pub use backends::{BackendError, OpenStore, open_bus, open_store, sqlite_path};
pub use confinement::{ConfinementError, confinement};
pub use core::{
    Core, CoreError, CoreParts, WorkerSpecError, absolute_workflows_dir, claimant, pool_config, transcripts,
    worker_spec,
};
pub use data_dir::{DataDir, DataDirError};
pub use explain::reasons_of;
pub use run::{RunError, run};
pub use start::StartError;
pub use starting::Starting;
pub use supervisor::{ReloadSettings, Supervisor};
pub use tasks::Tasks;
