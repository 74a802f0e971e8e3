//! `supervisor dashboard`: its address, with the token in it.

use std::process::ExitCode;

use clap::Args;

use super::exit::Failure;
use super::output::print_line;
use super::server::Server;

/// Print the address of the dashboard, with the token that lets a browser in.
///
/// The token stands behind the `#`: a browser keeps it to itself, and the page until its tab is closed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor dashboard
  xdg-open \"$(supervisor dashboard)\"")]
pub(crate) struct Dashboard {
    #[command(flatten)]
    server: Server,
}

impl Dashboard {
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        print_line(&self.server.client()?.dashboard()?)?;
        Ok(ExitCode::SUCCESS)
    }
}
