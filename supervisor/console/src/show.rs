//! `supervisor show`: one execution and how it got where it is.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use muster_api::client::{Execution, ExecutionEvent, ExecutionEvents};
use muster_core::execution::{IdOrPrefix, Status};
use muster_core::fleet::SupervisorRecord;
use muster_protocol::spelled_out;
use serde::Deserialize;
use uuid::Uuid;

use super::exit::CommandFailure;
use super::human;
use super::output::{print, print_line};
use super::server::ServerFlags;

/// Show an execution: its row and how it got where it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor show 0198aa00-0000-7000-8000-000000000001
  supervisor show 0198aa00-0000-7000-8000-000000000001 --json | jq .result")]
pub struct ShowCommand {
    /// Which execution: its id, or as many of its first digits as no other has.
    #[arg(value_name = "ID")]
    id: IdOrPrefix,
    /// Print the row as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ShowCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let client = self.server.client()?;
        let id = client.resolve(self.id)?;
        let answer = client.execution(id, None)?;
        if self.json {
            print_line(&muster_core::json::one_line(&answer.body))?;
            return Ok(ExitCode::SUCCESS);
        }
        let execution: Execution = client.parsed(answer)?;
        let events = client.events(id)?;
        print(&spelled_out(&describe(&execution, &events)))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn describe(execution: &Execution, told: &ExecutionEvents) -> String {
    let ExecutionEvents { events, supervisors } = told;
    let error = execution.error_type.as_ref().map(|kind| {
        format!(
            "{kind}: {}",
            execution.error_message.as_deref().unwrap_or_default().replace('\n', "\n             ")
        )
    });
    let stack =
        execution.error_stack.as_deref().map(|stack| stack.trim_end().replace('\n', "\n             "));
    // What is over is not tried again, however many attempts it had left.
    let attempt = match execution.status.is_terminal() {
        true => execution.attempt.to_string(),
        false => format!("{} of at most {}", execution.attempt, execution.max_attempts),
    };
    let lines: [(&str, Option<String>); 21] = [
        ("execution", Some(execution.execution_id.to_string())),
        ("workflow", execution.workflow.clone()),
        ("queue", execution.queue.clone()),
        ("organization", execution.organization_id.map(|id| id.to_string())),
        ("status", Some(execution.status.to_string())),
        ("attempt", Some(attempt)),
        ("ran on", ran_on(execution.attempt, told)),
        ("retry of", execution.retry_of.map(|id| id.to_string())),
        ("published", execution.published_at.map(|at| published(execution, at))),
        ("created", Some(human::time(execution.created_at))),
        ("starts after", starts_after(execution).map(human::time)),
        ("waits for", waits_for(execution)),
        ("expires", execution.expires_at.filter(|_| execution.attempt == 0).map(human::time)),
        ("started", execution.started_at.map(human::time)),
        ("completed", execution.completed_at.map(human::time)),
        ("took", execution.took().map(human::duration)),
        ("parameters", execution.parameters.as_ref().map(|raw| human::first_line(raw.get(), 400))),
        ("result", execution.result.as_ref().map(|raw| human::first_line(raw.get(), 2_000))),
        ("error", error),
        ("worker end", execution.end_cause.as_ref().and_then(|cause| worker_end(cause.get()))),
        ("stack", stack),
    ];
    let mut text: String =
        lines.iter().filter_map(|(name, value)| Some(format!("{name:12} {}\n", value.as_ref()?))).collect();
    if !events.is_empty() {
        let rows: Vec<Vec<String>> = events.iter().map(|event| row(event, supervisors)).collect();
        text.push('\n');
        text.push_str(&human::table(&["AT", "ATTEMPT", "EVENT", "SUPERVISOR", "DETAIL"], &rows));
    }
    text
}

/// What keeps it out of the claim. `supervisor explain` says more of it.
fn waits_for(execution: &Execution) -> Option<String> {
    let (kind, what) = execution.waits_for.as_deref()?.split_once(':')?;
    Some(match kind {
        "pause" => format!("the end of the pause of {what}"),
        kind => format!("{kind} {what}"),
    })
}

/// When its message was published, and how long nobody took it in where that is more than a moment.
fn published(execution: &Execution, at: Timestamp) -> String {
    let waited = execution.created_at.duration_since(at).unsigned_abs();
    if waited < Duration::from_secs(1) {
        return human::time(at);
    }
    format!("{}, {} before it was taken in", human::time(at), human::duration(waited))
}

/// When it may start, of one that waits for a moment.
fn starts_after(execution: &Execution) -> Option<Timestamp> {
    let waits = execution.status == Status::Pending && execution.run_after > execution.created_at;
    waits.then_some(execution.run_after)
}

/// What a worker died of, as far as a person wants to know it.
#[derive(Deserialize)]
struct WorkerEnd {
    summary: String,
    cpu_ms: Option<i64>,
    memory_peak_bytes: Option<u64>,
    descendants_left: usize,
}

fn worker_end(cause: &str) -> Option<String> {
    let WorkerEnd { summary, cpu_ms, memory_peak_bytes, descendants_left } =
        serde_json::from_str(cause).ok()?;
    let details = [
        cpu_ms.map(|cpu_ms| format!("{} of CPU time", human::milliseconds(cpu_ms))),
        memory_peak_bytes.map(|bytes| format!("at most {} MiB seen", bytes / (1024 * 1024))),
        (descendants_left > 0).then(|| format!("{descendants_left} processes left, which were ended")),
    ];
    let details: Vec<String> = details.into_iter().flatten().collect();
    Some(if details.is_empty() { summary } else { format!("{summary}\n             {}", details.join(", ")) })
}

/// The supervisor that claimed an attempt last, as far as it is known.
fn ran_on(attempt: u32, told: &ExecutionEvents) -> Option<String> {
    let id = told
        .events
        .iter()
        .rev()
        .find(|event| event.attempt == attempt && event.event == "claimed")?
        .supervisor?;
    let Some(known) = told.supervisors.iter().find(|known| known.id == id) else {
        return Some(format!("supervisor {id}"));
    };
    let SupervisorRecord { host, process_id, http_address, started_at, .. } = known;
    let address = http_address.as_ref().map(|address| format!(" at {address}")).unwrap_or_default();
    Some(format!(
        "{host}{address}, process {process_id} since {}\n             supervisor {id}",
        human::time(*started_at)
    ))
}

/// A supervisor in a table: its machine and process, or its id where it never said who it is.
fn in_short(id: Uuid, supervisors: &[SupervisorRecord]) -> String {
    match supervisors.iter().find(|known| known.id == id) {
        Some(known) => format!("{}/{}", known.host, known.process_id),
        None => id.to_string(),
    }
}

fn row(event: &ExecutionEvent, supervisors: &[SupervisorRecord]) -> Vec<String> {
    vec![
        human::time(event.at),
        event.attempt.to_string(),
        event.event.clone(),
        event.supervisor.map(|id| in_short(id, supervisors)).unwrap_or_default(),
        event.detail.as_ref().map(|detail| human::first_line(detail.get(), 200)).unwrap_or_default(),
    ]
}
