//! `supervisor top`: the pool and the latest executions, live.

#[cfg(feature = "top")]
mod live;
#[cfg(not(feature = "top"))]
#[path = "top/without_live.rs"]
mod live;
#[cfg(feature = "top")]
mod screen;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::exit::CommandFailure;
use super::server::ServerFlags;
use live::watch_until_left;

/// Watch the pool and the latest executions, live.
#[derive(Debug, Args)]
#[command(after_help = "Keys: q or Esc leaves.

Examples:
  supervisor top
  supervisor top --every 0.2 --url http://build-7:7420")]
pub struct TopCommand {
    /// Ask so often, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    every: f64,
    #[command(flatten)]
    server: ServerFlags,
}

impl TopCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        if !std::io::stdout().is_terminal() {
            return Err(CommandFailure::usage(
                "top draws on a terminal; for a program there is `supervisor status --json`",
            ));
        }
        let every = Duration::try_from_secs_f64(self.every)
            .map_err(|_| CommandFailure::usage("--every must be a number of seconds from 0 on"))?;
        watch_until_left(self.server.client()?, every)?;
        Ok(ExitCode::SUCCESS)
    }
}
