//! `supervisor migrate`: brings the database's schema up to date.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use muster_store::{DatabaseFacts, Durability};
use secrecy::ExposeSecret as _;

use super::exit::CommandFailure;
use super::output::{note, print_line};
use super::setting_flags::SettingFlags;
use crate::service::{BackendError, open_store, sqlite_path};

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
        let file = sqlite_path(settings.database_url.expose_secret()).map(Path::to_owned);
        let made = file.filter(|file| !file.exists());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let facts = runtime.block_on(async {
            let store = open_store(&settings, Durability::Full).await?.store;
            let facts = match store.migrate().await {
                Ok(()) => store.facts().await,
                Err(error) => Err(error),
            };
            store.close().await;
            Ok::<DatabaseFacts, BackendError>(facts?)
        });
        let DatabaseFacts { backend, version, schema_version, .. } =
            facts.map_err(|error| CommandFailure::other(error.to_string()))?;
        // A folder that is misspelt would look as if its database had been brought up to date.
        if let Some(made) = made {
            note(&format!("made {}, which was not there", made.display()));
        }
        print_line(&if self.json {
            serde_json::json!({"backend": backend, "version": version, "schema_version": schema_version})
                .to_string()
        } else {
            format!("{backend} {version} has schema version {schema_version}")
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
