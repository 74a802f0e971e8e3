//! `supervisor dashboard`: its address, with the token in it.

use std::process::ExitCode;

use clap::Args;

use super::exit::CommandFailure;
use super::output::print_line;
use super::server::ServerFlags;

/// Print the address of the dashboard, with the token that lets a browser in.
///
/// The token stands behind the `#`: a browser keeps it to itself, and the page until its tab is closed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor dashboard
  xdg-open \"$(supervisor dashboard)\"")]
pub struct DashboardCommand {
    #[command(flatten)]
    server: ServerFlags,
}

impl DashboardCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        print_line(&self.server.client()?.dashboard()?)?;
        Ok(ExitCode::SUCCESS)
    }
}
