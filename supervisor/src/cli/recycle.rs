//! `supervisor recycle`: replaces workers, none before its replacement is ready.

use std::process::ExitCode;

use clap::{ArgGroup, Args};

use super::exit::CommandFailure;
use super::output::print_line;
use super::server::ServerFlags;
use crate::api::RecycleRequest as Body;

/// Replace a worker, or all of them one after another; each replacement is ready before the old one leaves.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["worker", "all"])), after_help = "Examples:
  supervisor recycle worker-3
  supervisor recycle --all")]
pub(crate) struct RecycleCommand {
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
    server: ServerFlags,
}

impl RecycleCommand {
    pub(crate) fn run(&self) -> Result<ExitCode, CommandFailure> {
        let body = Body { worker: self.worker.clone(), all: self.all };
        let pool = self.server.client()?.command("recycle", &body)?;
        if self.json {
            print_line(&serde_json::to_string(&pool).unwrap_or_default())?;
        } else {
            print_line(&match &self.worker {
                Some(worker) => format!("{worker} is being replaced"),
                None => format!("{} workers are being replaced", pool.workers.len()),
            })?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
