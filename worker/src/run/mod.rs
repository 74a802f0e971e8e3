//! One run: an execution while it is in this process, seen from every thread that has to do with it.
//!
//! A [`WorkerRun`] holds what was asked for, the cancel request, the calls that wait for their reply, and the way
//! out for logs and progress ([`Uplink`]). Who reads the replies and cancels is not its business: that is a
//! [`Downlink`], of which there is one for frames and one for a terminal.

mod calls;
mod cancellation;
mod line;
mod request;
mod text;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use muster_protocol::limits::{
    IDENTIFIER_MAX_BYTES, LOG_MESSAGE_MAX_BYTES, PROGRESS_MAX, PROGRESS_MESSAGE_MAX_BYTES,
};
use muster_protocol::{CallResult, CancelReason, ErrorInfo, JsonBytes, LogLevel, LogRecord, RunOutcome};

pub(crate) use calls::RunCalls;
pub use cancellation::CancelRequest;
pub(crate) use cancellation::Cancellation;
pub(crate) use line::{Downlink, Uplink, Waker};
pub use request::RunContext;
pub(crate) use request::RunRequest;
pub(crate) use text::refused_call;

/// How much later than its deadline a run is ended when no Cancel comes: the supervisor's clock starts when
/// it reads Started, and its Cancel is what should arrive first.
const DEADLINE_SLACK: Duration = Duration::from_millis(20);

/// An execution while this process has it.
pub(crate) struct WorkerRun {
    pub(crate) request: RunRequest,
    pub(crate) cancellation: Cancellation,
    pub(crate) calls: RunCalls,
    uplink: Arc<dyn Uplink>,
    started: OnceLock<Instant>,
    log_records: AtomicU64,
    over: AtomicBool,
    activity: Mutex<String>,
}

impl WorkerRun {
    pub(crate) fn new(request: RunRequest, uplink: Arc<dyn Uplink>) -> Arc<Self> {
        Arc::new(Self {
            request,
            cancellation: Cancellation::default(),
            calls: RunCalls::default(),
            uplink,
            started: OnceLock::new(),
            log_records: AtomicU64::new(0),
            over: AtomicBool::new(false),
            activity: Mutex::new(String::new()),
        })
    }

    /// Says that user code is about to be entered. Only the first call counts.
    pub(crate) fn start(&self) {
        self.started.get_or_init(|| {
            self.uplink.started(self.request.run);
            Instant::now()
        });
    }

    /// When user code was entered; now, if it was not.
    pub(crate) fn started_at(&self) -> Instant {
        self.started.get().copied().unwrap_or_else(Instant::now)
    }

    /// When the time the run was given is over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let timeout = self.request.timeout?;
        self.started.get()?.checked_add(timeout)
    }

    /// When the run ends itself although no Cancel came.
    pub(crate) fn local_deadline(&self) -> Option<Instant> {
        self.deadline()?.checked_add(DEADLINE_SLACK)
    }

    /// True if somebody wants log records of this level.
    pub(crate) fn wants(&self, level: LogLevel) -> bool {
        self.uplink.log_level().is_some_and(|least| level >= least) && !self.is_over()
    }

    /// Writes one line to the run's log, unless nobody wants its level.
    pub(crate) fn log(&self, level: LogLevel, logger: &str, message: &str, fields: JsonBytes) {
        if !self.wants(level) {
            return;
        }
        self.log_records.fetch_add(1, Ordering::Relaxed);
        let fields = text::fields(fields);
        let record = LogRecord {
            timestamp_us: now_us(),
            level,
            logger: text::cut(logger, IDENTIFIER_MAX_BYTES),
            message: text::cut(message, LOG_MESSAGE_MAX_BYTES),
            fields,
        };
        self.uplink.log(self.request.run, record);
    }

    /// Reports how far the run is; `total` 0 means unknown.
    pub(crate) fn progress(&self, current: u64, total: u64, message: &str) {
        if !self.is_over() {
            let (current, total) = (current.min(PROGRESS_MAX), total.min(PROGRESS_MAX));
            let message = text::cut(message, PROGRESS_MESSAGE_MAX_BYTES);
            self.uplink.progress(self.request.run, current, total, &message);
        }
    }

    /// Asks the supervisor. `answer` is called once, on whichever thread reads the reply.
    pub(crate) fn call(
        &self,
        method: &str,
        params: JsonBytes,
        answer: impl FnOnce(CallResult) + Send + 'static,
    ) {
        if self.is_over() {
            let error = ErrorInfo::new("RunIsOver", format!("{method} was asked after the run had ended"));
            return answer(CallResult::Err { error });
        }
        self.calls.begin(method, params, Box::new(answer), &mut |call, method, params| {
            self.uplink.call(self, call, method, params);
        });
    }

    /// Takes the reply to a call, and sends the next one that waits.
    pub(crate) fn reply(&self, call: u32, result: CallResult) {
        self.calls.finish(call, result, &mut |call, method, params| {
            self.uplink.call(self, call, method, params);
        });
    }

    /// What this run did last, for whoever asks what it is doing.
    pub(crate) fn set_activity(&self, activity: &str) {
        activity.clone_into(&mut self.activity.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// An answer to "what are you doing?".
    pub(crate) fn describe(&self) -> String {
        let activity = self.activity.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut text = format!(
            "{} (run {}, attempt {}) for {:.3} s",
            self.request.workflow,
            self.request.run,
            self.request.attempt,
            self.started_at().elapsed().as_secs_f64()
        );
        for call in self.calls.methods() {
            text.push_str(&format!("\n  waits for the reply to {call}"));
        }
        if let Some(cancel) = self.cancellation.get() {
            text.push_str(&format!(
                "\n  asked to end {:.3} s ago ({:?})",
                cancel.at.elapsed().as_secs_f64(),
                cancel.reason
            ));
        }
        if !activity.is_empty() {
            text.push_str("\n  ");
            text.push_str(&activity);
        }
        text
    }

    /// Ends the run: what a thread it left behind still says is nobody's business. Gives what the outcome is
    /// called when a cancel came before it; work that ended in spite of one counts only when the supervisor
    /// merely wants to leave.
    pub(crate) fn conclude(&self, outcome: RunOutcome) -> RunOutcome {
        self.over.store(true, Ordering::Release);
        match (outcome, self.cancellation.get()) {
            (RunOutcome::Succeeded { result }, Some(cancel)) if cancel.reason != CancelReason::Shutdown => {
                drop(result);
                RunOutcome::Cancelled { message: cancel.describe() }
            }
            (RunOutcome::Failed { .. }, Some(cancel)) => RunOutcome::Cancelled { message: cancel.describe() },
            (RunOutcome::Succeeded { result }, _) => RunOutcome::Succeeded { result },
            (RunOutcome::Failed { error }, None) => RunOutcome::Failed { error: text::error(&error) },
            (RunOutcome::Cancelled { message }, _) => {
                RunOutcome::Cancelled { message: text::cut(&message, LOG_MESSAGE_MAX_BYTES) }
            }
            (RunOutcome::Rejected { reason }, _) => {
                RunOutcome::Rejected { reason: text::cut(&reason, LOG_MESSAGE_MAX_BYTES) }
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// How many log records this run wrote.
    pub(crate) fn log_records(&self) -> u64 {
        self.log_records.load(Ordering::Relaxed)
    }
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
