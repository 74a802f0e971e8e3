//! `supervisor list`: executions, newest first.

use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use muster_api::client::{Execution, Executions};
use muster_api::moment::past_moment;
use muster_core::execution::Status;
use muster_protocol::spelled_out;
use uuid::Uuid;

use super::exit::CommandFailure;
use super::human;
use super::output::{note, print, print_line};
use super::server::ServerFlags;
use super::terminal::OutputStream;

/// List executions, newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor list
  supervisor list --status FAILED --status TIMEOUT --since 1h
  supervisor list --status FAILED --workflow report
  supervisor list --error-type ValueError --since 2026-05-01T00:00:00Z
  supervisor list --limit 500 --json | jq -r '.executions[].execution_id'")]
pub struct ListCommand {
    /// Only executions in this state; may be given several times.
    #[arg(long, value_name = "STATUS", ignore_case = true, value_parser = statuses())]
    status: Vec<Status>,
    /// Only executions of this workflow.
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only executions of this queue.
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Only executions of this organization.
    #[arg(long, value_name = "ID")]
    organization: Option<Uuid>,
    /// Only executions that ended with an error of this type.
    #[arg(long, value_name = "TYPE")]
    error_type: Option<String>,
    /// Only executions created at this moment or later, as in 2026-05-01T06:30:00Z, or so long ago: 90s, 15m, 12h, 30d or 8w.
    #[arg(long, value_name = "TIME", value_parser = past_moment)]
    since: Option<Timestamp>,
    /// Only executions created before this moment, or longer ago.
    #[arg(long, value_name = "TIME", value_parser = past_moment)]
    until: Option<Timestamp>,
    /// At most so many, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 20, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Go on where the page before ended.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Print the page as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ListCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        let statuses = self.status.iter().map(|status| ("status", Some(status.to_string())));
        let others = [
            ("workflow", self.workflow.clone()),
            ("queue", self.queue.clone()),
            ("organization", self.organization.map(|id| id.to_string())),
            ("error_type", self.error_type.clone()),
            ("since", self.since.map(|at| at.to_string())),
            ("until", self.until.map(|at| at.to_string())),
            ("limit", Some(self.limit.to_string())),
            ("cursor", self.cursor.clone()),
        ]
        .into_iter();
        let said = statuses.chain(others).filter_map(|(name, value)| Some((name, value?)));
        let query: Vec<(&str, String)> = said.collect();
        let answer = client.executions(&query)?;
        if self.json {
            print_line(&muster_core::json::one_line(&answer.body))?;
            return Ok(ExitCode::SUCCESS);
        }
        let page: Executions = client.parsed(answer)?;
        if page.executions.is_empty() {
            note("no executions");
            if let Some(cursor) = page.next_cursor {
                note(&format!("there may be some among older ones: --cursor {cursor}"));
            }
            return Ok(ExitCode::SUCCESS);
        }
        print(&describe(&page.executions, OutputStream::stdout()))?;
        if let Some(cursor) = page.next_cursor {
            note(&format!("there are more: --cursor {cursor}"));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The states there are, which also a shell can complete.
pub(super) fn statuses() -> impl TypedValueParser<Value = Status> {
    PossibleValuesParser::new(Status::ALL.map(Status::as_str)).try_map(|name| name.parse::<Status>())
}

fn describe(executions: &[Execution], terminal: OutputStream) -> String {
    let rows: Vec<Vec<String>> = executions.iter().map(row).collect();
    let text = human::table(&["EXECUTION", "STATUS", "TOOK", "CREATED", "WORKFLOW", "ERROR"], &rows);
    if !terminal.has_colours {
        return text;
    }
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let coloured = lines
        .zip(executions)
        .map(|(line, execution)| {
            let status = execution.status;
            line.replacen(status.as_str(), &format!("{}{status}\x1b[0m", human::colour(status)), 1) + "\n"
        })
        .collect::<String>();
    format!("{header}\n{coloured}")
}

fn row(execution: &Execution) -> Vec<String> {
    let error = match (&execution.error_type, &execution.error_message) {
        (Some(kind), Some(message)) => human::first_line(&format!("{kind}: {message}"), 80),
        (Some(kind), None) => kind.clone(),
        (None, _) => String::new(),
    };
    vec![
        execution.execution_id.to_string(),
        execution.status.to_string(),
        execution.took().map(human::duration).unwrap_or_default(),
        human::ago(execution.created_at),
        spelled_out(execution.workflow.as_deref().unwrap_or_default()).into_owned(),
        spelled_out(&error).into_owned(),
    ]
}
