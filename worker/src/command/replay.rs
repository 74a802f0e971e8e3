//! `worker replay`: a recorded execution again, with the answers it got then.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_protocol::transcript::{Transcript, TranscriptHeader, beginning, side_by_side};
use muster_protocol::{CallResult, JsonBytes, LogLevel, LogRecord, RunOutcome, ToSupervisor, ToWorker};
use serde_json::{Map, Value};

use super::arguments::ReplayArguments as Options;
use super::here::{LocalRun, Refusal, keep_stdout_for_the_result, write_result};
use super::recorded::{Recorded, RecordedAnswer, RecordedCancel};
use super::replayed::Replayed;
use super::terminal::RunTerminal;
use crate::engine::Engines;
use crate::run::{RunRequest, Uplink, Waker, WorkerRun};
use crate::serve::exit;

const EXIT_DIFFERENT: u8 = 1;

type Config = BTreeMap<String, Value>;

/// Gives the exit code.
pub(crate) fn replay(engines: Engines, options: Options) -> u8 {
    replay_file(engines, options).unwrap_or_else(Refusal::report)
}

fn replay_file(engines: Engines, options: Options) -> Result<u8, Refusal> {
    let file = options.file.display();
    let text =
        std::fs::read_to_string(&options.file).map_err(|error| format!("{file}: cannot be read: {error}"))?;
    let transcript = Transcript::parse(&text).map_err(|error| format!("{file}: {error}"))?;
    let config: Config = options.config.into_iter().flatten().collect();
    let recorded = Recorded::of(&transcript, config.clone());
    let execute = recorded.execute.clone().ok_or_else(|| {
        format!(
            "{file}: cannot be replayed, because its Execute was not kept: transcripts hold 1 MiB of parameters \
             and code; use `worker run` with the parameters"
        )
    })?;
    let request = request(execute.clone(), &config)
        .map_err(|reason| format!("{file}: cannot be replayed: {reason}"))?;
    let mut result_to = keep_stdout_for_the_result()?;
    let here = LocalRun::open(engines, &options.folder, &request)?;
    introduce(&transcript.header, here.language());

    let (started, starts) = channel();
    let cancel = recorded.cancel.clone();
    let replayed = Replayed::begin(&transcript.header, request.run, execute, here.language());
    let uplink = Arc::new(Replaying {
        terminal: RunTerminal::new(config, BTreeMap::new()),
        both: Mutex::new((recorded, replayed)),
        past: Mutex::default(),
        started,
    });
    let run = WorkerRun::new(request, Arc::clone(&uplink) as Arc<dyn Uplink>);
    if let Some(cancel) = cancel {
        let (run, waker) = (Arc::clone(&run), here.waker());
        // It waits for Started, and ends with the process at the latest.
        std::thread::spawn(move || starts.recv().is_ok().then(|| cancel_as_then(&run, &waker, &cancel)));
    }
    let outcome = here.run(&run);
    if let RunOutcome::Succeeded { result } = &outcome
        && let Err(error) = write_result(&mut result_to, result)
    {
        exit::complain(&format!("the result cannot be written: {error}"));
    }
    let mut both = uplink.both();
    let replayed = &mut both.1;
    replayed.finished(outcome);
    uplink.tell_past();
    let code = report(&transcript, replayed.transcript());
    if let Some(out) = &options.out {
        save(out, replayed.transcript())?;
        let out = out.display();
        exit::complain(&format!(
            "saved to {out}; compare again with: supervisor transcript diff {file} {out}"
        ));
    }
    Ok(code)
}

/// The request the recorded Execute carried, with what is given in the place of masked values.
fn request(execute: ToWorker, config: &Config) -> Result<RunRequest, String> {
    let request = RunRequest::of(execute).map_err(|_| "the recorded Execute is no Execute")?;
    Ok(RunRequest { context_text: unmasked(request.context_text, config)?, ..request })
}

/// The context with what is given in the place of masked values.
fn unmasked(context: JsonBytes, config: &Config) -> Result<JsonBytes, String> {
    if config.is_empty() {
        return Ok(context);
    }
    let no_object = |what: &str| format!("its {what} is no JSON object, so --config has no place in it");
    let mut parsed = context.parse::<Value>().map_err(|_| no_object("context"))?;
    if parsed.is_null() {
        parsed = Value::Object(Map::new());
    }
    let Value::Object(entries) = &mut parsed else { return Err(no_object("context")) };
    let recorded = entries.entry("config").or_insert(Value::Null);
    if recorded.is_null() {
        *recorded = Value::Object(Map::new());
    }
    let Value::Object(recorded) = recorded else { return Err(no_object("context's config")) };
    recorded.extend(config.clone());
    Ok(JsonBytes::of(&parsed))
}

fn introduce(header: &TranscriptHeader, language: &str) {
    let TranscriptHeader {
        execution_id,
        attempt,
        workflow,
        recorded_at,
        implementation,
        implementation_version,
        ..
    } = header;
    exit::complain(&format!(
        "replaying execution {execution_id}, attempt {attempt}: {workflow}, recorded {recorded_at} with \
         {implementation} {implementation_version} ({})",
        header.language
    ));
    if !header.language.is_empty() && header.language != language {
        let recorded = &header.language;
        exit::complain(&format!(
            "it was recorded with workflows in {recorded}, and this worker runs {language}: replay it with the \
             {recorded} worker"
        ));
    }
}

/// Ends the run as somebody did then: as long after Started.
fn cancel_as_then(run: &WorkerRun, waker: &Waker, cancel: &RecordedCancel) {
    std::thread::sleep(cancel.after_started);
    run.cancellation.request(cancel.reason, &cancel.message, cancel.grace);
    waker.wake();
}

/// Says what differs first, and both outcomes.
fn report(recorded: &Transcript, replayed: &Transcript) -> u8 {
    let frames = recorded.dropped();
    if frames > 0 {
        exit::complain(&format!(
            "{frames} frames of the recording were not kept; calls and logs after the gap were not compared"
        ));
    }
    match recorded.first_difference(replayed) {
        None => {
            exit::complain(&format!("the same again: {}", beginning(&replayed.told_outcome())));
            exit::DONE
        }
        Some(difference) => {
            let place = &difference.place;
            let (then, now) = side_by_side(&difference.recorded, &difference.replayed);
            exit::complain(&format!(
                "the first difference is {place}\n  recorded: {then}\n  replayed: {now}"
            ));
            let (then, now) = side_by_side(&recorded.told_outcome(), &replayed.told_outcome());
            exit::complain(&format!("the outcomes\n  recorded: {then}\n  replayed: {now}"));
            EXIT_DIFFERENT
        }
    }
}

/// Writes a transcript for nobody else: parameters and results are people's data.
fn save(out: &Path, transcript: &Transcript) -> Result<(), Refusal> {
    let text = transcript.to_text().map_err(std::io::Error::other);
    let written = text.and_then(|text| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(out)?;
        file.write_all(text.as_bytes())
    });
    written.map_err(|error| format!("--out {}: cannot be written: {error}", out.display()).into())
}

/// The way out of a run that is compared with an earlier one.
struct Replaying {
    terminal: RunTerminal,
    /// What was, and what is now.
    both: Mutex<(Recorded, Replayed)>,
    /// The first call that the recording knows no answer to, and how many there were.
    past: Mutex<Option<(String, usize)>>,
    started: Sender<()>,
}

impl Replaying {
    fn both(&self) -> MutexGuard<'_, (Recorded, Replayed)> {
        self.both.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run went on where the recording does not: it is answered as in `worker run`, so that whoever fixed the
    /// workflow sees it through to its end.
    fn answer_past(&self, number: usize, method: &str, params: &JsonBytes) -> CallResult {
        let shown = format!("call {number}, {method} {}", String::from_utf8_lossy(&params.0));
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.get_or_insert((beginning(&shown), 0)).1 += 1;
        self.terminal.answer(method, params)
    }

    fn tell_past(&self) {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((first, calls)) = &*past else { return };
        let calls = match calls {
            1 => "it was".to_owned(),
            more => format!("it and {} more were", more - 1),
        };
        exit::complain(&format!(
            "the run went past the recording, which has no answer to {first}: {calls} answered here as in `worker \
             run`, with the recorded state, and nothing was written or submitted"
        ));
    }
}

impl Uplink for Replaying {
    fn started(&self, run: u32) {
        self.both().1.heard(ToSupervisor::Started { run });
        // Nobody waits for it unless a cancel was recorded.
        let _ = self.started.send(());
    }

    fn log_level(&self) -> Option<LogLevel> {
        Some(LogLevel::Debug)
    }

    fn log(&self, run: u32, record: LogRecord) {
        self.both().1.logged(record.clone());
        self.terminal.log(run, record);
    }

    fn progress(&self, run: u32, current: u64, total: u64, message: &str) {
        self.terminal.progress(run, current, total, message);
    }

    fn call(&self, run: &WorkerRun, call: u32, method: &str, params: JsonBytes) {
        let answer = {
            let (recorded, replayed) = &mut *self.both();
            let answer = match recorded.answer(method, &params) {
                RecordedAnswer::Given(result) => {
                    self.terminal.remember(method, &params, &result);
                    Some(result)
                }
                RecordedAnswer::Never => None,
                RecordedAnswer::Past { call } => Some(self.answer_past(call, method, &params)),
            };
            let run = run.request.run;
            replayed.heard(ToSupervisor::Call { run, call, method: method.to_owned(), params });
            if let Some(result) = answer.clone() {
                replayed.sent(ToWorker::Reply { run, call, result });
            }
            answer
        };
        if let Some(result) = answer {
            run.reply(call, result);
        }
    }
}
