//! `supervisor resize`: new bounds for the pool.

use std::process::ExitCode;

use clap::Args;
use muster_api::ResizeRequest as Body;

use super::addressed::{AddressedFlags, PoolChange};
use super::exit::CommandFailure;
use super::server::ServerFlags;

/// Change how many workers there are, until the next start or reload.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor resize 4 16
  supervisor resize 4 16 --fleet")]
pub struct ResizeCommand {
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
    addressed: AddressedFlags,
    #[command(flatten)]
    server: ServerFlags,
}

impl ResizeCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let body = Body { min_workers: self.min_workers, max_workers: self.max_workers };
        self.addressed.each(&self.server, self.json, |client| {
            let pool = client.command("resize", &body)?;
            let told = format!("the pool is {} to {} workers now", pool.min_workers, pool.max_workers);
            Ok(PoolChange { pool, told, but: None })
        })
    }
}
