//! `supervisor reload`: a rolling replacement by workers of a new build or new settings.

use std::process::ExitCode;

use clap::Args;

use super::exit::CommandFailure;
use super::output::print_line;
use super::server::ServerFlags;

/// Read the settings again and roll to workers of a new generation.
///
/// One new worker must become ready before the old ones are touched; if it cannot start, the old ones keep
/// serving and `supervisor status` says why.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor reload")]
pub(crate) struct ReloadCommand {
    /// Print the pool as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ReloadCommand {
    pub(crate) fn run(&self) -> Result<ExitCode, CommandFailure> {
        let pool = self.server.client()?.command("reload", &serde_json::json!({}))?;
        print_line(&match self.json {
            true => serde_json::to_string(&pool).unwrap_or_default(),
            false => "rolling to new workers; `supervisor status` shows how far it is".to_owned(),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
