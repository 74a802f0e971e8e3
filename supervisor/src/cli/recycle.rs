//! `supervisor recycle`: replaces workers, none before its replacement is ready.

use std::process::ExitCode;

use clap::{ArgGroup, Args};

use super::exit::Failure;
use super::output::print_line;
use super::server::Server;
use crate::http::view::Recycle as Body;

/// Replace a worker, or all of them one after another; each replacement is ready before the old one leaves.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["worker", "all"])), after_help = "Examples:
  supervisor recycle worker-3
  supervisor recycle --all")]
pub(crate) struct Recycle {
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
    server: Server,
}

impl Recycle {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
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
