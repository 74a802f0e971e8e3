//! `supervisor reload`: a rolling replacement by workers of a new build or new settings.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use muster_api::client::ApiClient;
use muster_api::{PoolView, ReloadView};

use super::addressed::{AddressedFlags, PoolChange};
use super::exit::CommandFailure;
use super::human;
use super::server::ServerFlags;

/// The pause between two looks at how far the roll is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Read the settings again and roll to workers of a new generation.
///
/// One new worker must become ready before the old ones are touched; if it cannot start, the old ones keep
/// serving and `supervisor status` says why.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 when all that was asked for is done, or under way without --wait; 1 when the new workers
cannot start, or a setting was changed that counts from the next start on only.

Examples:
  supervisor reload
  supervisor reload --wait 120
  supervisor reload --wait --fleet       one supervisor after another, until one cannot"
)]
pub struct ReloadCommand {
    /// Return when the new workers serve or cannot start, after so many seconds at the latest.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "300", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    wait: Option<u32>,
    /// Print the pool as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    addressed: AddressedFlags,
    #[command(flatten)]
    server: ServerFlags,
}

impl ReloadCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        self.addressed.each(&self.server, self.json, |client| self.reload(client))
    }

    fn reload(&self, client: &ApiClient) -> Result<PoolChange, CommandFailure> {
        let mut pool = client.command("reload", &serde_json::json!({}))?;
        if let Some(seconds) = self.wait {
            pool = rolled(client, pool, Duration::from_secs(seconds.into()))?;
        }
        let told = match pool.reload {
            ReloadView::Settled => "workers of the new generation serve",
            ReloadView::Wanted | ReloadView::Canary | ReloadView::Rolling => {
                "rolling to new workers; `supervisor status` shows how far it is"
            }
            ReloadView::Failed => {
                let problem = pool.problem.unwrap_or_else(|| "the new workers cannot start".to_owned());
                return Err(CommandFailure::other(problem));
            }
        };
        let but = (!pool.next_start.is_empty()).then(|| {
            let settings = pool.next_start.join(", ");
            format!(
                "what was changed of {settings} counts from the next start of the supervisor on; until then the old holds"
            )
        });
        Ok(PoolChange { pool, told: told.to_owned(), but })
    }
}

/// Looks until the roll is over, in one way or the other.
fn rolled(client: &ApiClient, mut pool: PoolView, within: Duration) -> Result<PoolView, CommandFailure> {
    let deadline = Instant::now() + within;
    loop {
        match pool.reload {
            ReloadView::Settled | ReloadView::Failed => return Ok(pool),
            ReloadView::Wanted | ReloadView::Canary | ReloadView::Rolling => {}
        }
        if Instant::now() > deadline {
            let within = human::duration(within);
            return Err(CommandFailure::other(format!("the new workers do not all serve after {within}")));
        }
        std::thread::sleep(LOOK_EVERY);
        pool = client.pool()?;
    }
}
