//! Which executions are meant, by what they have in common, for `cancel` and `retry`.

use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use muster_api::client::ApiClient;
use muster_api::moment::past_moment;
use muster_api::{ManyView, SelectionRequest};
use muster_core::execution::Status;
use muster_protocol::spelled_out;

use super::exit::CommandFailure;
use super::list::statuses;
use super::output::{json_line, note, print_line};

/// Flags that say which executions are meant. All that are given must be true of each.
#[derive(Debug, Args)]
pub(crate) struct SelectionFlags {
    /// All in this state, instead of ids; may be given several times.
    #[arg(long, value_name = "STATUS", ignore_case = true, value_parser = statuses(), conflicts_with = "id", help_heading = "Instead of ids")]
    status: Vec<Status>,
    /// All of this workflow.
    #[arg(long, value_name = "NAME", conflicts_with = "id", help_heading = "Instead of ids")]
    workflow: Option<String>,
    /// All in this queue.
    #[arg(long, value_name = "NAME", conflicts_with = "id", help_heading = "Instead of ids")]
    queue: Option<String>,
    /// All of this organization.
    #[arg(long, value_name = "KEY", conflicts_with = "id", help_heading = "Instead of ids")]
    organization: Option<String>,
    /// All that ended with an error of this type.
    #[arg(long, value_name = "TYPE", conflicts_with = "id", help_heading = "Instead of ids")]
    error_type: Option<String>,
    /// All created at this moment or later, as in 2026-05-01T06:30:00Z, or so long ago: 90s, 15m, 12h, 30d or 8w.
    #[arg(long, value_name = "TIME", value_parser = past_moment, conflicts_with = "id", help_heading = "Instead of ids")]
    since: Option<Timestamp>,
    /// All created before this moment, or longer ago.
    #[arg(long, value_name = "TIME", value_parser = past_moment, conflicts_with = "id", help_heading = "Instead of ids")]
    until: Option<Timestamp>,
    /// Do it, and do not only count them.
    #[arg(long, conflicts_with = "id", help_heading = "Instead of ids")]
    yes: bool,
}

/// What is done with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ManyVerb {
    Cancel,
    Retry,
}

impl SelectionFlags {
    /// What is meant; `None` when no flag says so.
    pub(crate) fn selection(&self) -> Option<SelectionRequest> {
        let Self { status, workflow, queue, organization, error_type, since, until, yes: _ } = self;
        let selection = SelectionRequest {
            statuses: status.clone(),
            workflow: workflow.clone(),
            queue: queue.clone(),
            organization: organization.clone(),
            error_type: error_type.clone(),
            since: *since,
            until: *until,
            ..SelectionRequest::default()
        };
        selection.narrows().then_some(selection)
    }

    /// Counts what is meant, and with `--yes` does it, some at a time.
    pub(crate) fn run(
        &self,
        client: &ApiClient,
        verb: ManyVerb,
        selection: &SelectionRequest,
        json: bool,
    ) -> Result<ExitCode, CommandFailure> {
        let counted = SelectionRequest { dry_run: true, ..selection.clone() };
        let ManyView { matched: count, unchanged, .. } = all(client, verb, &counted)?;
        if !self.yes {
            print_line(&match json {
                true => json_line(&ManyView { matched: count, unchanged, ..ManyView::default() }),
                false => describe_counted(verb, count - unchanged.min(count), unchanged),
            })?;
            note("nothing is done yet: add --yes");
            return Ok(ExitCode::SUCCESS);
        }
        if !json {
            note(&format!("{count} executions are meant"));
        }
        let done = all(client, verb, selection)?;
        print_line(&if json { json_line(&done) } else { describe(verb, &done) })?;
        for problem in &done.problems {
            note(&spelled_out(problem));
        }
        Ok(if done.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Goes on until all were looked at.
fn all(client: &ApiClient, verb: ManyVerb, selection: &SelectionRequest) -> Result<ManyView, CommandFailure> {
    let (mut selection, mut sum) = (selection.clone(), ManyView::default());
    let verb = match verb {
        ManyVerb::Cancel => "cancel",
        ManyVerb::Retry => "retry",
    };
    loop {
        sum.add(client.many(verb, &selection)?);
        if sum.next_cursor.is_none() {
            return Ok(sum);
        }
        selection.cursor.clone_from(&sum.next_cursor);
    }
}

fn describe_counted(verb: ManyVerb, count: u64, unchanged: u64) -> String {
    match verb {
        ManyVerb::Cancel => format!("{count} executions would be cancelled"),
        ManyVerb::Retry if unchanged > 0 => {
            format!("{count} executions would be run again, {unchanged} were submitted again before")
        }
        ManyVerb::Retry => format!("{count} executions would be run again"),
    }
}

fn describe(verb: ManyVerb, view: &ManyView) -> String {
    let ManyView { matched, done, asked, unchanged, problems: _, next_cursor: _ } = view;
    let mut parts = match verb {
        ManyVerb::Cancel => {
            vec![
                format!("{done} were waiting and are CANCELLED"),
                format!("{asked} are running and are asked to end"),
            ]
        }
        ManyVerb::Retry => vec![format!("{done} are submitted again")],
    };
    if *unchanged > 0 {
        parts.push(match verb {
            ManyVerb::Cancel => format!("{unchanged} were over or asked before"),
            ManyVerb::Retry => format!("{unchanged} were submitted again before"),
        });
    }
    let refused = matched.saturating_sub(done + asked + unchanged);
    if refused > 0 {
        parts.push(format!("{refused} could not be"));
    }
    parts.join(", ")
}
