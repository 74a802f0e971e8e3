//! `supervisor migrate`: brings the database's schema up to date.

use std::process::ExitCode;

use clap::Args;
use muster_store::{DatabaseFacts, Durability};

use super::exit::CommandFailure;
use super::output::print_line;
use super::setting_flags::SettingFlags;
use crate::service::{BackendError, open_store};

/// Bring the schema of the database up to date; `run` does the same when it starts.
///
/// It is done under a lock, so several may try at once.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor migrate
  supervisor migrate --database-url postgres://muster@db/muster")]
pub(crate) struct MigrateCommand {
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

impl MigrateCommand {
    pub(crate) fn run(&self) -> Result<ExitCode, CommandFailure> {
        let settings = self.settings.load_letting_nobody_in()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let facts = runtime.block_on(async {
            let store = open_store(&settings, Durability::Full).await?.store;
            store.migrate().await?;
            Ok::<DatabaseFacts, BackendError>(store.facts().await?)
        });
        let DatabaseFacts { backend, version, schema_version, .. } =
            facts.map_err(|error| CommandFailure::other(error.to_string()))?;
        print_line(&if self.json {
            serde_json::json!({"backend": backend, "version": version, "schema_version": schema_version})
                .to_string()
        } else {
            format!("{backend} {version} has schema version {schema_version}")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
