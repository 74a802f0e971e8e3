//! `supervisor run`: the service.

use std::process::ExitCode;

use clap::Args;
use muster_system::process::close_inherited_on_exec;

use super::exit::CommandFailure;
use super::setting_flags::SettingFlags;
use crate::service::{ReloadSettings, run};
use crate::{observe, settings::Settings};

/// Run the service: take executions, run them in the pool, finalize what comes back.
///
/// With no settings at all it needs no server: records and queue are a SQLite file in ./muster-data.
/// SIGTERM or SIGINT drains, a second one hurries, a third leaves at once; SIGHUP reads the settings again and rolls the workers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor run
  supervisor run --workflows-dir ./workflows --max-workers 20
  supervisor run --worker-command 'python3 -m muster_worker'
  MUSTER_AMQP_URL=amqp://... MUSTER_DATABASE_URL=postgres://... MUSTER_REDIS_URL=redis://... supervisor run")]
pub(crate) struct RunCommand {
    #[command(flatten)]
    settings: SettingFlags,
}

impl RunCommand {
    pub(crate) fn run(self) -> Result<ExitCode, CommandFailure> {
        close_inherited_on_exec();
        let settings = self.settings.load()?;
        observe::start(&settings.log_level, settings.log_format)
            .map_err(|error| CommandFailure::usage(error.to_string()))?;
        let sources = self.settings.sources();
        let reload =
            ReloadSettings::with(move || Settings::load(&sources).map_err(|error| error.to_string()));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(run(settings, reload)).map_err(|error| CommandFailure::other(error.to_string()))?;
        Ok(ExitCode::SUCCESS)
    }
}
