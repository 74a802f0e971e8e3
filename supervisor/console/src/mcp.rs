//! `supervisor mcp`: lets an assistant look at executions, in the words of the Model Context Protocol.
//!
//! It is a client of the HTTP interface as the other commands are, so an assistant sees what the holder of the token sees,
//! with secrets masked as they are there, and does what their role may do.

#[cfg(feature = "mcp")]
mod answer;
#[cfg(feature = "mcp")]
mod arguments;
#[cfg(feature = "mcp")]
mod calls;
#[cfg(feature = "mcp")]
mod server;
#[cfg(not(feature = "mcp"))]
#[path = "mcp/without_server.rs"]
mod server;
#[cfg(feature = "mcp")]
mod tool;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Args;

use super::exit::CommandFailure;
use super::server::ServerFlags;
use server::serve_until_left;

/// Serve an assistant that speaks the Model Context Protocol, on standard input and output.
#[derive(Debug, Args)]
#[command(
    after_help = "The assistant starts it, and ends it by closing its input. It may look at executions, their logs and the state of the
supervisor, as far as the token's role lets it; with --allow-write also submit, cancel and run again.

Examples:
  supervisor mcp
  supervisor mcp --allow-write --url http://build-7:7420"
)]
pub struct McpCommand {
    /// Let the assistant submit executions, cancel them and run them again.
    #[arg(long)]
    allow_write: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl McpCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        if std::io::stdin().is_terminal() {
            return Err(CommandFailure::usage(
                "mcp speaks with an assistant on its standard input: tell the assistant to start `supervisor mcp`; \
                 for a person there are `supervisor list`, `show` and `explain`",
            ));
        }
        serve_until_left(self.server.client()?, self.allow_write)?;
        Ok(ExitCode::SUCCESS)
    }
}
