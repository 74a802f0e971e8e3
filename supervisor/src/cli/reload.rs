//! `supervisor reload`: a rolling replacement by workers of a new build or new settings.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use muster_protocol::spelled_out;

use super::exit::CommandFailure;
use super::human;
use super::output::print_line;
use super::server::ServerFlags;
use crate::api::{PoolView, ReloadView};
use crate::client::ApiClient;

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
  supervisor reload --wait 120"
)]
pub(crate) struct ReloadCommand {
    /// Return when the new workers serve or cannot start, after so many seconds at the latest.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "300", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    wait: Option<u32>,
    /// Print the pool as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ReloadCommand {
    pub(crate) fn run(&self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        let mut pool = client.command("reload", &serde_json::json!({}))?;
        if let Some(seconds) = self.wait {
            pool = rolled(&client, pool, Duration::from_secs(seconds.into()))?;
        }
        let told = match (pool.reload, self.json) {
            (_, true) => serde_json::to_string(&pool).unwrap_or_default(),
            (ReloadView::Settled, false) => "workers of the new generation serve".to_owned(),
            (ReloadView::Wanted | ReloadView::Canary | ReloadView::Rolling | ReloadView::Failed, false) => {
                "rolling to new workers; `supervisor status` shows how far it is".to_owned()
            }
        };
        if pool.reload == ReloadView::Failed {
            let problem = pool.problem.unwrap_or_else(|| "the new workers cannot start".to_owned());
            return Err(CommandFailure::other(problem));
        }
        print_line(&spelled_out(&told))?;
        if pool.next_start.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        let settings = pool.next_start.join(", ");
        Err(CommandFailure::other(format!(
            "what was changed of {settings} counts from the next start of the supervisor on; until then the old holds"
        )))
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
