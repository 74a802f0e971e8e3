//! `supervisor prune`: forget executions that ended long ago.

use std::process::ExitCode;

use clap::Args;
use muster_api::moment::seconds;
use muster_api::{PruneWish, PrunedView};

use super::exit::CommandFailure;
use super::output::{json_line, note, print_line};
use super::server::ServerFlags;

/// Remove executions that ended long ago, with their logs and events, a few at a time.
///
/// `retention_days` and `retention_failed_days` do the same by themselves.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor prune --older-than 30d --dry-run
  supervisor prune --older-than 30d
  supervisor prune --older-than 12h --status SUCCESS")]
pub struct PruneCommand {
    /// Those that ended so long ago: 90s, 15m, 12h, 30d or 8w.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    older_than: f64,
    /// Those that came to this; may be given several times [default: to anything].
    #[arg(long = "status", value_name = "STATUS")]
    statuses: Vec<String>,
    /// Only tell what would go.
    #[arg(long)]
    dry_run: bool,
    /// Print what went as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl PruneCommand {
    /// Does what the command line says.
    pub fn run(self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        let statuses = self.statuses.iter().map(|status| {
            status.to_ascii_uppercase().parse().map_err(|_| {
                CommandFailure::usage(format!(
                    "{status:?} is no end: there are SUCCESS, FAILED, TIMEOUT, CANCELLED"
                ))
            })
        });
        let mut wish = PruneWish {
            older_than_seconds: Some(self.older_than),
            before: None,
            cursor: None,
            statuses: statuses.collect::<Result<_, _>>()?,
            dry_run: self.dry_run,
        };
        let mut gone = client.prune(&wish)?;
        while !gone.is_done {
            // From the first answer on the moment stands still.
            let (before, cursor) = (Some(gone.before), gone.next_cursor.clone());
            wish = PruneWish { older_than_seconds: None, before, cursor, ..wish };
            let more = client.prune(&wish)?;
            if !more.is_done && more.next_cursor == wish.cursor {
                note(
                    "another supervisor removes executions all the time, so what is left stays: try again later",
                );
                break;
            }
            gone = PrunedView {
                executions: gone.executions + more.executions,
                logs: gone.logs + more.logs,
                events: gone.events + more.events,
                ..more
            };
        }
        if self.json {
            print_line(&json_line(&gone))?;
        } else {
            let verb = if self.dry_run { "would remove" } else { "removed" };
            let PrunedView { before, executions, logs, events, .. } = &gone;
            print_line(&format!(
                "{verb} {executions} executions that ended before {before}, {logs} lines of their logs and {events} events"
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(
            ["90s", "1.5h", "30d", "2w"].map(|text| seconds(text).unwrap()),
            [90.0, 5400.0, 2_592_000.0, 1_209_600.0]
        );
        for wrong in ["", "30", "d", "-1d", "infd", "30 days", "3\u{e9}"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
