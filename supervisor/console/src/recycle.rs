//! `supervisor recycle`: replaces workers, none before its replacement is ready.

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use muster_api::RecycleRequest as Body;

use super::addressed::{AddressedFlags, PoolChange};
use super::exit::CommandFailure;
use super::server::ServerFlags;

/// Replace a worker, or all of them one after another; each replacement is ready before the old one leaves.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["worker", "all"])), after_help = "Examples:
  supervisor recycle worker-3
  supervisor recycle --all
  supervisor recycle --all --fleet")]
pub struct RecycleCommand {
    /// Which worker, as `supervisor status` names it.
    #[arg(value_name = "WORKER")]
    worker: Option<String>,
    /// All workers of today.
    #[arg(long)]
    all: bool,
    /// Print the pool as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    addressed: AddressedFlags,
    #[command(flatten)]
    server: ServerFlags,
}

impl RecycleCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let body = Body { worker: self.worker.clone(), all: self.all };
        if self.worker.is_some() && self.addressed.is_for_all() {
            let message = "a worker is one supervisor's: name it by --supervisor, or all workers by --all";
            return Err(CommandFailure::usage(message));
        }
        self.addressed.each(&self.server, self.json, |client| {
            let pool = client.command("recycle", &body)?;
            let told = match &self.worker {
                Some(worker) => format!("{worker} is being replaced"),
                None => format!("{} workers are being replaced", pool.workers.len()),
            };
            Ok(PoolChange { pool, told, but: None })
        })
    }
}
