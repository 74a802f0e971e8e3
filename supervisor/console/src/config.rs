//! `supervisor config`: the settings in force, and who set each.

use std::process::ExitCode;

use clap::Args;

use super::exit::CommandFailure;
use super::output::{print, print_line};
use super::setting_flags::SettingFlags;

/// Show the settings in force and where each came from, secrets masked.
///
/// The order is: defaults, then the file, then MUSTER_... variables, then flags. The output is TOML: what is
/// not masked can be put into a muster.toml.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor config
  supervisor config --json | jq '.database_url'
  MUSTER_MAX_WORKERS=20 supervisor config --config deploy/muster.toml")]
pub struct ConfigCommand {
    /// Print a JSON object, for each key its value and its origin.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

impl ConfigCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let settings = self.settings.load()?;
        if self.json {
            print_line(&format!("{:#}", settings.to_json()))?;
        } else {
            print(&settings.to_toml())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
