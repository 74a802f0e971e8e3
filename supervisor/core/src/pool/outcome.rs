//! How a run ended, decided from the evidence in this order: a complete Finished, our own reason for the
//! kill, a violation on the wire, the exit status. Pure functions, total over every combination.

use std::time::Duration;

use muster_protocol::limits::{CRASH_MESSAGE_MAX_BYTES, CRASH_STDERR_LINES};
use muster_protocol::{CancelReason, ErrorInfo, RunOutcome, error_type};

use super::config::DEADLINE_TOLERANCE;
use super::death::DeathEvidence;
use super::event::ProtocolViolation;
use super::run::{PoolRun, RunPhase, StopCause};
use super::time::PoolTime;
use crate::execution::{EndKind, RunEnding};

/// What the evidence says.
#[derive(Debug)]
pub(super) enum Decided {
    /// It ended like this.
    Ends(RunEnding),
    /// Its worker died before Started: user code was not entered, so another worker may try.
    NeverStarted {
        /// What is known about the death.
        evidence: String,
    },
}

/// Decides how a run ended. Takes the outcome out of it, and leaves its time and metrics.
pub(super) fn decide(run: &mut PoolRun, died: Option<&DeathEvidence<'_>>, now: PoolTime) -> Decided {
    let outcome = run.finished.as_mut().map(|finished| {
        let nothing = RunOutcome::Cancelled { message: String::new() };
        (finished.at, std::mem::replace(&mut finished.outcome, nothing))
    });
    match (&run.cause, outcome) {
        (Some(StopCause::Cancel { reason, message }), outcome) => {
            Decided::Ends(after_cancel(*reason, message, outcome.map(|(_, outcome)| outcome), run))
        }
        (
            Some(
                StopCause::Memory { .. }
                | StopCause::Violation(_)
                | StopCause::NotStarted
                | StopCause::Stayed,
            )
            | None,
            Some((at, outcome)),
        ) => Decided::Ends(as_reported(outcome, at, run)),
        (cause, None) => {
            let ending = match cause {
                Some(StopCause::Memory { rss_bytes, limit_bytes }) => out_of_memory(*rss_bytes, *limit_bytes),
                Some(StopCause::Violation(violation)) => violated(violation),
                Some(StopCause::NotStarted | StopCause::Stayed | StopCause::Cancel { .. }) => {
                    failed(error_type::WORKER_CRASHED, crash_message(run, died, now))
                }
                None => crashed(run, died, now),
            };
            if run.started_at.is_some() {
                return Decided::Ends(ending);
            }
            let evidence = match ending {
                RunEnding::Failed { error } => error.message,
                RunEnding::Succeeded { .. }
                | RunEnding::TimedOut { .. }
                | RunEnding::Cancelled { .. }
                | RunEnding::Released { .. }
                | RunEnding::Superseded => String::new(),
            };
            Decided::NeverStarted { evidence }
        }
    }
}

/// The first Cancel reason written decides; only a shutdown keeps what the run still gave.
fn after_cancel(
    reason: CancelReason,
    message: &str,
    outcome: Option<RunOutcome>,
    run: &PoolRun,
) -> RunEnding {
    match reason {
        CancelReason::User => RunEnding::Cancelled { message: or_default(message, "cancelled") },
        CancelReason::Timeout => RunEnding::TimedOut { message: format!("{message}; {}", how_it_ended(run)) },
        CancelReason::LeaseLost => RunEnding::Superseded,
        CancelReason::Shutdown => match outcome {
            Some(RunOutcome::Succeeded { result }) => RunEnding::Succeeded { result },
            Some(RunOutcome::Failed { .. } | RunOutcome::Cancelled { .. } | RunOutcome::Rejected { .. })
            | None => RunEnding::Released {
                reason: or_default(message, "the supervisor is shutting down"),
                charged: false,
            },
        },
    }
}

/// The worker's own word, when we did not ask it to end.
fn as_reported(outcome: RunOutcome, at: PoolTime, run: &PoolRun) -> RunEnding {
    match outcome {
        RunOutcome::Succeeded { result } => RunEnding::Succeeded { result },
        RunOutcome::Failed { error } => RunEnding::Failed { error: with_final_kind(error) },
        RunOutcome::Rejected { reason } => failed(error_type::WORKFLOW_NOT_FOUND, reason),
        RunOutcome::Cancelled { message } if is_past_deadline(run, at) => {
            let message = or_default(&message, "it ended by itself");
            RunEnding::TimedOut {
                message: format!("{}; {message}", describe_timeout(run.assignment.timeout)),
            }
        }
        RunOutcome::Cancelled { message } => failed(
            error_type::EXECUTION_ERROR,
            format!("the worker reported a cancellation that nobody had asked for: {message}"),
        ),
    }
}

/// The worker's clock for the run starts a moment before ours, so "at the deadline" has a tolerance.
fn is_past_deadline(run: &PoolRun, at: PoolTime) -> bool {
    match (run.duration(at), run.assignment.timeout) {
        (Some(duration), Some(timeout)) => duration + DEADLINE_TOLERANCE.min(timeout / 10) >= timeout,
        (None, Some(_)) | (Some(_) | None, None) => false,
    }
}

/// A user's own error that bears one of our names is told from ours. Three of our names are raised by the SDK
/// on our behalf and stay.
fn with_final_kind(mut error: ErrorInfo) -> ErrorInfo {
    let is_from_sdk = [error_type::RESULT_TOO_LARGE, error_type::INVALID_RESULT, error_type::OUT_OF_MEMORY]
        .contains(&error.kind.as_str());
    if error.kind.is_empty() {
        error_type::EXECUTION_ERROR.clone_into(&mut error.kind);
    } else if !is_from_sdk && error_type::RESERVED.contains(&error.kind.as_str()) {
        error.kind.insert_str(0, "User.");
    }
    error
}

/// What a reason makes of an attempt whose code was never entered.
pub(super) fn unrun_ending(reason: CancelReason, message: &str) -> RunEnding {
    match reason {
        CancelReason::User => {
            RunEnding::Cancelled { message: or_default(message, "cancelled before it ran") }
        }
        CancelReason::Timeout => {
            RunEnding::TimedOut { message: or_default(message, "out of time before it ran") }
        }
        CancelReason::LeaseLost => RunEnding::Superseded,
        CancelReason::Shutdown => RunEnding::Released {
            reason: or_default(message, "the supervisor is shutting down"),
            charged: false,
        },
    }
}

/// The outcome of an attempt that kills worker after worker.
pub(super) fn never_entered(deaths: u8, evidence: &str) -> RunEnding {
    let message = format!(
        "{deaths} workers in a row ended with this execution before they entered the workflow; the last: \
         {evidence}"
    );
    failed(error_type::WORKER_CRASHED, cut(message))
}

fn violated(violation: &ProtocolViolation) -> RunEnding {
    match violation {
        ProtocolViolation::Polluted { message } => failed(error_type::STDOUT_POLLUTED, message.clone()),
        ProtocolViolation::Broken { message } => failed(error_type::PROTOCOL_VIOLATION, message.clone()),
    }
}

fn out_of_memory(rss_bytes: u64, limit_bytes: u64) -> RunEnding {
    let [peak, limit] = [rss_bytes, limit_bytes].map(|bytes| bytes / (1024 * 1024));
    failed(
        error_type::OUT_OF_MEMORY,
        format!(
            "the worker and all it started held {peak} MiB, above the {limit} MiB (1.5 times max_worker_memory_mb) at \
             which a run is ended"
        ),
    )
}

fn failed(kind: &str, message: String) -> RunEnding {
    RunEnding::Failed { error: ErrorInfo::new(kind, message) }
}

/// The end of a process that nobody had asked to end.
fn crashed(run: &PoolRun, died: Option<&DeathEvidence<'_>>, now: PoolTime) -> RunEnding {
    match died.map(|died| (died, died.cause.kind)) {
        Some((died, EndKind::OutOfMemory { .. })) => {
            let (exit, how) = (died.exit, how_it_crashed(run, Some(died), now));
            let message = match exit.status.memory_ran_out(&exit.stderr_tail) {
                Some(line) => format!("memory was refused: {line}; {how}"),
                None => format!("{}; {how}{}", died.cause.summary, stderr_quote(&exit.stderr_tail)),
            };
            failed(error_type::OUT_OF_MEMORY, cut(message))
        }
        Some((
            _,
            EndKind::Exited
            | EndKind::Signalled
            | EndKind::KilledByUs { .. }
            | EndKind::Limit { .. }
            | EndKind::Vanished,
        ))
        | None => failed(error_type::WORKER_CRASHED, crash_message(run, died, now)),
    }
}

/// What is known about a process that ended without a Finished.
fn crash_message(run: &PoolRun, died: Option<&DeathEvidence<'_>>, now: PoolTime) -> String {
    let mut message = how_it_crashed(run, died, now);
    match &run.cause {
        Some(StopCause::NotStarted) => message.push_str("; it was killed for not saying Started in time"),
        Some(StopCause::Stayed) => message.push_str("; it was killed for staying after its Goodbye"),
        Some(StopCause::Cancel { .. } | StopCause::Memory { .. } | StopCause::Violation(_)) | None => {}
    }
    if let Some(reason) = &run.goodbye {
        message.push_str("; it had said Goodbye: ");
        message.push_str(reason);
    }
    if let Some(died) = died {
        message.push_str(&stderr_quote(&died.exit.stderr_tail));
    }
    cut(message)
}

fn how_it_crashed(run: &PoolRun, died: Option<&DeathEvidence<'_>>, now: PoolTime) -> String {
    let status = died.map_or_else(|| "no known status".to_owned(), |died| died.exit.status.to_string());
    let (doing, since) = match run.started_at {
        Some(started_at) => ("in the workflow", started_at),
        None => ("with an Execute it had not answered with Started", run.sent_at),
    };
    format!("the worker ended with {status} after {:.3} s {doing}", now.since(since).as_secs_f64())
}

/// The last lines of stderr, as the end of a sentence; the oldest go first when there is too much.
pub(super) fn stderr_quote(stderr_tail: &[String]) -> String {
    let lines = &stderr_tail[stderr_tail.len().saturating_sub(CRASH_STDERR_LINES)..];
    if lines.is_empty() {
        return "; nothing on stderr".to_owned();
    }
    // Room for the sentence before the quote.
    let room = CRASH_MESSAGE_MAX_BYTES - 512;
    let mut quote = lines.join("\n");
    if quote.len() > room {
        let cut_at = (quote.len() - room..=quote.len()).find(|at| quote.is_char_boundary(*at));
        quote = format!("…{}", &quote[cut_at.unwrap_or(quote.len())..]);
    }
    format!("; last lines on stderr:\n{quote}")
}

fn cut(mut message: String) -> String {
    if message.len() > CRASH_MESSAGE_MAX_BYTES {
        let room = CRASH_MESSAGE_MAX_BYTES - '…'.len_utf8();
        let at = (0..=room).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(at);
        message.push('…');
    }
    message
}

/// The first half of a timeout's message.
pub(super) fn describe_timeout(timeout: Option<Duration>) -> String {
    format!("timed out after {} s", timeout.unwrap_or_default().as_secs_f64())
}

/// The second half: what it took to end it.
fn how_it_ended(run: &PoolRun) -> &'static str {
    match run.phase {
        RunPhase::Sent | RunPhase::Started | RunPhase::Finished | RunPhase::Cancelling { .. } => {
            "it ended when it was asked to"
        }
        RunPhase::Departing => "it left",
        RunPhase::Terminating => "it was ended by SIGTERM",
        RunPhase::Killing => "it ignored SIGTERM and was killed",
    }
}

fn or_default(message: &str, default: &str) -> String {
    if message.is_empty() { default.to_owned() } else { message.to_owned() }
}

/// The outcome of what waits when a batch gives up starting workers.
pub(super) fn gave_up(consecutive: u32, last_message: Option<&str>) -> RunEnding {
    let last_message = last_message.unwrap_or("unknown");
    let message =
        format!("no worker could be started, {consecutive} times in a row; the last: {last_message}");
    failed(error_type::WORKER_INIT_FAILED, cut(message))
}

/// The outcome of what waits when a service has had no worker for too long.
pub(super) fn no_worker(last_message: Option<&str>) -> RunEnding {
    let last_message = last_message.unwrap_or("unknown");
    RunEnding::Released {
        reason: cut(format!("no worker can be started here; the last: {last_message}")),
        charged: false,
    }
}
