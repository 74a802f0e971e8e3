//! Waiting for an execution and following its log, across restarts of the supervisor.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use muster_api::client::{ApiClient, ClientError, Execution};
use muster_api::{LogView, ReasonKind, ReasonView};
use muster_core::execution::Status;
use muster_core::json;
use muster_protocol::spelled_out;
use uuid::Uuid;

use super::exit::{CommandFailure, of_status};
use super::human;
use super::output::{note, print_line};
use super::terminal::OutputStream;

/// After this it is said why an execution has not started.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// How long one question waits for the end.
const WAIT: Duration = Duration::from_secs(30);
/// How long a supervisor may be away before we give up on it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before asking again.
const PAUSE: Duration = Duration::from_millis(300);

/// Waits for the end of an execution: its row, and the row's text as the supervisor sent it.
fn wait_for_end(client: &ApiClient, id: Uuid) -> Result<(Execution, String), CommandFailure> {
    let mut patience = WaitLimit::default();
    let (mut wait, mut told) = (FIRST_WAIT, None);
    loop {
        match client.execution(id, Some(wait)) {
            Ok(answer) => {
                patience.renew();
                let text = answer.body.clone();
                let execution: Execution = client.parsed(answer)?;
                if execution.status.is_terminal() {
                    return Ok((execution, text));
                }
                if execution.status == Status::Pending {
                    tell_what_is_in_its_way(client, id, &mut told);
                }
                wait = WAIT;
            }
            Err(error) => patience.spend(id, error)?,
        }
    }
}

/// Waits for the end of an execution and says what it came to: its result, or with `json` its row, on stdout, and why it did
/// not succeed on stderr. The exit code is that of how it ended.
pub fn tell_end(client: &ApiClient, id: Uuid, json: bool) -> Result<ExitCode, CommandFailure> {
    let (execution, row) = wait_for_end(client, id)?;
    if json {
        print_line(&json::one_line(&row))?;
    } else if execution.status == Status::Success {
        print_line(&execution.result.as_ref().map_or("null".into(), |result| json::one_line(result.get())))?;
    }
    if execution.status != Status::Success {
        note(&spelled_out(&describe_failure(&execution)));
    }
    Ok(of_status(execution.status))
}

/// Why an execution did not succeed, for stderr.
fn describe_failure(execution: &Execution) -> String {
    let kind = execution.error_type.as_deref().unwrap_or("no error type");
    let message = execution.error_message.as_deref().unwrap_or("no message");
    let mut text = format!("{} {kind}: {message}", execution.status);
    if let Some(stack) = execution.error_stack.as_deref().filter(|stack| !stack.is_empty()) {
        text.push('\n');
        text.push_str(stack.trim_end());
    }
    text.push_str(&format!("\nsee `supervisor show {}`", execution.execution_id));
    text
}

/// Says once for each kind of reason why it does not start: whoever waits for it sees nothing else.
fn tell_what_is_in_its_way(client: &ApiClient, id: Uuid, told: &mut Option<ReasonKind>) {
    let Ok(explanation) = client.explain(id) else { return };
    let blocking = |reason: &&ReasonView| reason.is_blocking;
    let of_workers = explanation.reasons.iter().find(|reason| reason.kind == ReasonKind::WorkersFail);
    let Some(reason) = of_workers.or_else(|| explanation.reasons.iter().find(blocking)) else { return };
    if *told != Some(reason.kind) {
        note(&spelled_out(&format!("it does not start yet: {}", reason.message)));
        *told = Some(reason.kind);
    }
}

/// Gives every line of the log to `sink` until the execution is over. A line is given once, also when the
/// connection breaks on the way.
pub fn follow_log(
    client: &ApiClient,
    id: Uuid,
    mut sink: impl FnMut(&LogView, &str) -> Result<(), CommandFailure>,
) -> Result<(), CommandFailure> {
    let mut patience = WaitLimit::default();
    let mut last: Option<String> = None;
    loop {
        let events = match client.follow(id, last.as_deref()) {
            Ok(events) => events,
            Err(error) => {
                patience.spend(id, error)?;
                continue;
            }
        };
        patience.renew();
        // A broken stream is picked up again where it broke.
        for event in events.map_while(Result::ok) {
            match event.event.as_str() {
                "log" => {
                    let line: LogView = serde_json::from_str(&event.data).map_err(|error| {
                        CommandFailure::other(format!("a log line cannot be read: {error}"))
                    })?;
                    sink(&line, &event.data)?;
                    last = event.id.or(last);
                }
                "gap" => note(&describe_gap(&event.data, id)),
                "end" => return Ok(()),
                // Status changes and progress are for screens.
                _ => {}
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// What a person should know of lines that the live view no longer holds.
fn describe_gap(data: &str, id: Uuid) -> String {
    let lines = serde_json::from_str::<serde_json::Value>(data).ok().and_then(|gap| gap["lines"].as_u64());
    let lines = lines.map_or_else(|| "some".to_owned(), |lines| lines.to_string());
    format!(
        "… {lines} lines are not in the live view any more: `supervisor logs {id}` has them when it is over …"
    )
}

/// How much longer a supervisor that does not answer is waited for.
#[derive(Default)]
struct WaitLimit {
    away_since: Option<Instant>,
}

impl WaitLimit {
    /// It answered.
    fn renew(&mut self) {
        self.away_since = None;
    }

    /// It did not: pause, or give up.
    fn spend(&mut self, id: Uuid, error: ClientError) -> Result<(), CommandFailure> {
        if !error.is_passing() {
            return Err(error.into());
        }
        let since = *self.away_since.get_or_insert_with(|| {
            note("the supervisor does not answer, waiting for it to come back");
            Instant::now()
        });
        if since.elapsed() > PATIENCE {
            let failure = CommandFailure::from(error);
            note(&format!("execution {id} goes on when a supervisor is back: see `supervisor show {id}`"));
            return Err(failure);
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }
}

/// A log line as people read it.
pub fn log_line(line: &LogView, terminal: OutputStream) -> String {
    let level = line.level.to_ascii_uppercase();
    let (on, off) = match (terminal.has_colours, line.level.as_str()) {
        (true, "error") => ("\x1b[31m", "\x1b[0m"),
        (true, "warn") => ("\x1b[33m", "\x1b[0m"),
        (true, "debug" | "trace") => ("\x1b[2m", "\x1b[0m"),
        (_, _) => ("", ""),
    };
    let fields = line.fields.as_ref().map(|fields| format!(" {}", fields.get())).unwrap_or_default();
    let logger = if line.logger.is_empty() { String::new() } else { format!("{}: ", line.logger) };
    let text = format!("{logger}{}{fields}", line.message);
    format!("{} {on}{level:5}{off} {}", human::clock(line.at), spelled_out(&text))
}
