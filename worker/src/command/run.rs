//! `worker run`: one execution without a supervisor.

use std::fs::File;
use std::io::Read;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use muster_protocol::{CancelReason, CodeSource, ErrorInfo, JsonBytes, RunOutcome};
use serde_json::json;

use super::arguments::{Entries, RunArguments as Options};
use super::here::{LocalRun, Refusal, keep_stdout_for_the_result, write_result};
use super::terminal::RunTerminal;
use crate::engine::Engines;
use crate::run::{RunRequest, Uplink, WorkerRun};
use crate::serve::exit;

const EXIT_FAILED: u8 = 1;
const EXIT_TIMED_OUT: u8 = 124;
const EXIT_CANCELLED: u8 = 130;

/// Gives the exit code.
pub(crate) fn run(engines: Engines, options: Options) -> u8 {
    run_options(engines, options).unwrap_or_else(Refusal::report)
}

fn run_options(engines: Engines, mut options: Options) -> Result<u8, Refusal> {
    let config: Entries = std::mem::take(&mut options.config).into_iter().flatten().collect();
    let state: Entries = std::mem::take(&mut options.state).into_iter().flatten().collect();
    let request = request(&options, &config)?;
    let result_to = keep_stdout_for_the_result()?;
    let terminal = Arc::new(RunTerminal::new(config, state));
    let here = LocalRun::open(engines, &options.folder, &request)?;
    let run = WorkerRun::new(request, Arc::clone(&terminal) as Arc<dyn Uplink>);
    let outcome = here.run(&run);
    Ok(report(&run, outcome, &terminal, result_to))
}

/// The request an Execute frame would have carried.
fn request(options: &Options, config: &Entries) -> Result<RunRequest, String> {
    let params = params(options.params.as_deref())?;
    let source = match &options.code {
        None => CodeSource::Named,
        Some(file) => {
            let code = std::fs::read(file)
                .map_err(|error| format!("--code {}: cannot be read: {error}", file.display()))?;
            CodeSource::Inline { language: String::new(), code: code.into() }
        }
    };
    let label = || {
        let name = options.code.as_ref().and_then(|file| file.file_name());
        name.map_or_else(|| "script".to_owned(), |name| name.to_string_lossy().into_owned())
    };
    let workflow = options.workflow.clone().unwrap_or_else(label);
    let context = json!({ "workflow": { "id": null, "name": workflow }, "config": config });
    Ok(RunRequest {
        run: 1,
        execution_id: "00000000-0000-0000-0000-000000000000".to_owned(),
        attempt: 1,
        workflow,
        source,
        params,
        context_text: JsonBytes::of(&context),
        timeout: options.timeout.map(Duration::from_secs_f64),
        context: OnceLock::new(),
    })
}

fn params(given: Option<&str>) -> Result<JsonBytes, String> {
    let (text, from) = match given {
        None => return Ok(JsonBytes::NONE),
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().lock().read_to_string(&mut text);
            read.map_err(|error| format!("--params -: stdin cannot be read: {error}"))?;
            (text, "stdin".to_owned())
        }
        Some(text) => match text.strip_prefix('@') {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|error| format!("--params @{file}: cannot be read: {error}"))?;
                (text, file.to_owned())
            }
            None => (text.to_owned(), "the command line".to_owned()),
        },
    };
    serde_json::from_str::<serde::de::IgnoredAny>(&text)
        .map_err(|error| format!("--params from {from} is not JSON: {error}"))?;
    Ok(JsonBytes::from(text))
}

fn report(run: &Arc<WorkerRun>, outcome: RunOutcome, terminal: &RunTerminal, mut result_to: File) -> u8 {
    let reason = run.cancellation.get().map(|request| request.reason);
    match outcome {
        RunOutcome::Succeeded { result } => {
            if let Err(error) = write_result(&mut result_to, &result) {
                exit::complain(&format!("the result cannot be written: {error}"));
                return EXIT_FAILED;
            }
            exit::DONE
        }
        RunOutcome::Failed { error } => {
            terminal.print("error", &explain(&error));
            EXIT_FAILED
        }
        RunOutcome::Rejected { reason } => {
            terminal.print("error", &reason);
            EXIT_FAILED
        }
        RunOutcome::Cancelled { message } => {
            terminal.print("error", &message);
            if reason == Some(CancelReason::Timeout) { EXIT_TIMED_OUT } else { EXIT_CANCELLED }
        }
    }
}

/// The stack begins with the message when the language writes it so.
fn explain(error: &ErrorInfo) -> String {
    let head = if error.kind.is_empty() {
        error.message.clone()
    } else {
        format!("{}: {}", error.kind, error.message)
    };
    if error.stack.starts_with(&head) {
        error.stack.clone()
    } else if error.stack.is_empty() {
        head
    } else {
        format!("{head}\n{}", error.stack)
    }
}
