//! `supervisor resize`: new bounds for the pool.

use std::process::ExitCode;

use clap::Args;

use super::exit::CommandFailure;
use super::output::print_line;
use super::server::ServerFlags;
use crate::api::ResizeRequest as Body;

/// Change how many workers there are, until the next start or reload.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor resize 4 16")]
pub(crate) struct ResizeCommand {
    /// Workers kept warm.
    #[arg(value_name = "MIN")]
    min_workers: usize,
    /// The most there may be.
    #[arg(value_name = "MAX")]
    max_workers: usize,
    /// Print the pool as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ResizeCommand {
    pub(crate) fn run(&self) -> Result<ExitCode, CommandFailure> {
        let body = Body { min_workers: self.min_workers, max_workers: self.max_workers };
        let pool = self.server.client()?.command("resize", &body)?;
        print_line(&match self.json {
            true => serde_json::to_string(&pool).unwrap_or_default(),
            false => format!("the pool is {} to {} workers now", pool.min_workers, pool.max_workers),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
