//! Serving frames: the conversation with a supervisor, from Hello to Goodbye.
//!
//! One thread reads an Execute and runs it, so that a short execution costs one read, one write for Started and
//! one for Finished and Idle, and wakes nobody else. See [`lifeline`] for who reads meanwhile.

mod dispatch;
pub(crate) mod exit;
mod inbox;
mod lifeline;
mod line;
mod metrics;
mod outbox;
mod streams;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use dispatch::MessageHandler;
use inbox::Inbox;
use lifeline::Lifeline;
use line::FrameLine;
use metrics::Meter;
use muster_protocol::codec::EncodeError;
use muster_protocol::limits::FRAME_MAX_BYTES;
use muster_protocol::wire::Spelling;
use muster_protocol::{
    ErrorInfo, PROTOCOL_VERSION, RunOutcome, ToSupervisor, ToWorker, WorkflowDescription, error_type, feature,
};
use outbox::MessageWriter;

use crate::engine::{Engines, Init};
use crate::run::{Downlink, RunRequest, Uplink, Waker, WorkerRun};

/// So many workflows are described in one message.
const DESCRIBED_AT_ONCE: usize = 200;

/// A conversation that ended before its time, with the exit code it means.
struct ServeFailure {
    code: u8,
    message: String,
}

impl ServeFailure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Serves until the supervisor is gone or has had enough. Gives the exit code.
pub(crate) fn serve(engines: Engines, spelling: Spelling) -> u8 {
    match converse(engines, spelling) {
        Ok(()) => exit::DONE,
        Err(failure) => {
            exit::complain(&failure.message);
            failure.code
        }
    }
}

fn converse(mut engines: Engines, spelling: Spelling) -> Result<(), ServeFailure> {
    let streams = streams::take().map_err(|error| {
        ServeFailure::new(exit::BUG, format!("cannot take over the standard streams: {error}"))
    })?;
    let input = Arc::new(streams.input);
    let outbox = Arc::new(MessageWriter::new(streams.output, spelling));
    let mut inbox = Box::new(Inbox::new(Arc::clone(&input), spelling));
    let Some(init) = shake_hands(&mut inbox, &outbox, engines.language())? else { return Ok(()) };

    let dispatch = Arc::new(MessageHandler::new(Arc::clone(&outbox)));
    let lifeline = Lifeline::start(input, Arc::clone(&dispatch))
        .map_err(|error| ServeFailure::new(exit::BUG, format!("cannot start the second thread: {error}")))?;
    let describes = init.features.iter().any(|known| known == feature::DESCRIBE);
    outbox.agree(init.log_level, init.max_frame_bytes, &init.features, Arc::clone(&lifeline));
    match engines.init(&init.settings) {
        Ok(workflows) => {
            // Before Ready, so that it counts for the first Execute.
            if describes {
                describe(&outbox, true, engines.describe());
            }
            send(&outbox, ToSupervisor::Ready { workflows });
        }
        Err(error) => {
            let message = format!("cannot start: {}", error.message);
            send(&outbox, ToSupervisor::InitFailed { error });
            return Err(ServeFailure::new(exit::INIT_FAILED, message));
        }
    }
    let waker = Arc::new(
        Waker::new()
            .map_err(|error| ServeFailure::new(exit::BUG, format!("cannot make an eventfd: {error}")))?,
    );
    let line = Rc::new(FrameLine { inbox: RefCell::new(Some(inbox)), dispatch, lifeline, waker });
    WorkerServer { engines, outbox, line, describes, meter: Meter::new() }.run()
}

/// What Welcome settled.
struct Welcomed {
    settings: Init,
    log_level: muster_protocol::LogLevel,
    max_frame_bytes: u32,
    features: Vec<String>,
}

/// Hello and Welcome. `None` when the supervisor left before it said anything.
fn shake_hands(
    inbox: &mut Inbox,
    outbox: &MessageWriter,
    language: &str,
) -> Result<Option<Welcomed>, ServeFailure> {
    send(
        outbox,
        ToSupervisor::Hello {
            protocol_min: PROTOCOL_VERSION,
            protocol_max: PROTOCOL_VERSION,
            implementation: "muster-worker".to_owned(),
            implementation_version: env!("CARGO_PKG_VERSION").to_owned(),
            language: language.to_owned(),
            pid: std::process::id(),
            features: feature::OF_EVERY_WORKER.map(str::to_owned).to_vec(),
        },
    );
    loop {
        match inbox.next().map_err(|error| ServeFailure::new(exit::PEER_FAULT, error.to_string()))? {
            None => return Ok(None),
            Some(ToWorker::Welcome { protocol, features, max_frame_bytes, log_level, config, .. }) => {
                if protocol != PROTOCOL_VERSION {
                    let message =
                        format!("the supervisor speaks version {protocol}, this worker {PROTOCOL_VERSION}");
                    return Err(ServeFailure::new(exit::NO_COMMON_VERSION, message));
                }
                let settings = config.parse::<Option<Init>>().map_err(|error| {
                    ServeFailure::new(exit::PEER_FAULT, format!("Welcome.config cannot be read: {error}"))
                })?;
                let settings = settings.unwrap_or_default();
                return Ok(Some(Welcomed { settings, log_level, max_frame_bytes, features }));
            }
            Some(ToWorker::Ping { nonce }) => send(outbox, ToSupervisor::Pong { nonce }),
            Some(ToWorker::Drain { reason, .. }) => {
                send(outbox, ToSupervisor::Goodbye { reason });
                return Ok(None);
            }
            Some(
                other @ (ToWorker::Execute { .. }
                | ToWorker::Cancel { .. }
                | ToWorker::Reply { .. }
                | ToWorker::Dump { .. }
                | ToWorker::Fork { .. }),
            ) => {
                let message = format!("expected Welcome, the supervisor sent {}", other.name());
                return Err(ServeFailure::new(exit::PEER_FAULT, message));
            }
        }
    }
}

fn send(outbox: &MessageWriter, message: ToSupervisor) {
    if let Err(error) = outbox.send(&[message]) {
        exit::complain(&format!("a message was lost: {error}"));
    }
}

/// Describes workflows, in messages that are far from a frame's end.
fn describe(outbox: &MessageWriter, replaces: bool, workflows: Vec<WorkflowDescription>) {
    for (number, some) in workflows.chunks(DESCRIBED_AT_ONCE).enumerate() {
        let (replaces, workflows) = (replaces && number == 0, some.to_vec());
        send(outbox, ToSupervisor::Describe { replaces, workflows, broken: Vec::new() });
    }
}

/// A worker that is Ready.
struct WorkerServer {
    engines: Engines,
    outbox: Arc<MessageWriter>,
    line: Rc<FrameLine>,
    /// The supervisor listens to descriptions.
    describes: bool,
    meter: Meter,
}

impl WorkerServer {
    fn run(mut self) -> Result<(), ServeFailure> {
        loop {
            if let Some(reason) = self.line.dispatch.draining() {
                send(&self.outbox, ToSupervisor::Goodbye { reason });
                return Ok(());
            }
            let next = self.line.inbox.borrow_mut().as_mut().map(|inbox| inbox.next());
            match next {
                Some(Ok(Some(message))) => match RunRequest::of(message) {
                    Ok(request) => self.execute(request),
                    Err(other) => self.line.dispatch.at_any_time(*other),
                },
                Some(Ok(None)) | None => return Ok(()),
                Some(Err(error)) => return Err(ServeFailure::new(exit::PEER_FAULT, error.to_string())),
            }
        }
    }

    fn execute(&mut self, request: RunRequest) {
        let number = request.run;
        let uplink: Arc<dyn Uplink> = Arc::clone(&self.outbox) as Arc<dyn Uplink>;
        let run = WorkerRun::new(request, uplink);
        let line: Rc<dyn Downlink> = Rc::clone(&self.line) as Rc<dyn Downlink>;
        let outcome = run.conclude(self.engines.run(&run, &line));
        let changed = self.engines.describe_anew();
        if self.describes {
            describe(&self.outbox, false, changed);
        }
        let (metrics, rss_bytes) = self.meter.read(run.started_at());
        let log_records = run.log_records();
        let finished = |outcome| ToSupervisor::Finished { run: number, outcome, metrics, log_records };
        let idle = ToSupervisor::Idle { run: number, rss_bytes, recycle: self.engines.wants_recycling() };
        let bytes = match &outcome {
            RunOutcome::Succeeded { result } => result.0.len(),
            RunOutcome::Failed { .. } | RunOutcome::Cancelled { .. } | RunOutcome::Rejected { .. } => 0,
        };
        let sent = self.outbox.send(&[finished(outcome), idle.clone()]);
        if let Err(error) = sent {
            let error = explain_unsendable(&error, bytes);
            let sent = self.outbox.send(&[finished(RunOutcome::Failed { error }), idle]);
            if let Err(error) = sent {
                exit::complain(&format!("the outcome of run {number} was lost: {error}"));
            }
        }
        if self.engines.prepare() {
            self.meter.restart();
        }
    }
}

/// Why an outcome cannot be sent, for the user whose result it is.
fn explain_unsendable(error: &EncodeError, result_bytes: usize) -> ErrorInfo {
    match error {
        EncodeError::TooLarge { .. } => ErrorInfo::new(
            error_type::RESULT_TOO_LARGE,
            format!(
                "the result has {result_bytes} bytes of JSON, and one message holds at most {FRAME_MAX_BYTES}; \
                 store it elsewhere and return a reference to it"
            ),
        ),
        EncodeError::NotJson(_) | EncodeError::Refused(_) => {
            ErrorInfo::new(error_type::INVALID_RESULT, format!("the result cannot be sent: {error}"))
        }
    }
}
