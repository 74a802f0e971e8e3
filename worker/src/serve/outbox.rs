//! What the worker says, from any thread: one mutex, whole messages, log records in batches.
//!
//! A batch of log records leaves when it is large, when it is old, and before every message whose meaning
//! depends on what was logged before it.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use muster_protocol::codec::EncodeError;
use muster_protocol::limits::{
    FRAME_MAX_BYTES, LOG_BATCH_MAX_AGE_MS, LOG_BATCH_MAX_BYTES, LOG_BATCH_MAX_RECORDS,
};
use muster_protocol::wire::Spelling;
use muster_protocol::{CallResult, ErrorInfo, JsonBytes, LogLevel, LogRecord, ToSupervisor, feature};

use super::lifeline::Lifeline;
use crate::run::{Uplink, WorkerRun};

/// The size a record takes beside its texts.
const RECORD_OVERHEAD_BYTES: usize = 48;

/// Progress of a run leaves no more often than this.
const PROGRESS_EVERY: Duration = Duration::from_millis(20);

/// Writes messages.
pub(crate) struct MessageWriter {
    state: Mutex<WriterState>,
    spelling: Spelling,
    log_level: AtomicU8,
    max_frame_bytes: AtomicUsize,
    broken: AtomicBool,
    agreed: OnceLock<AgreedFeatures>,
}

/// What Welcome settled once and for all. Without it nothing is agreed.
struct AgreedFeatures {
    lifeline: Arc<Lifeline>,
    log: bool,
    progress: bool,
    call: bool,
}

struct WriterState {
    output: std::fs::File,
    bytes: Vec<u8>,
    batch: Vec<LogRecord>,
    batch_run: u32,
    batch_bytes: usize,
    batch_since: Option<Instant>,
    progress: Option<ToSupervisor>,
    progress_sent: Option<Instant>,
}

impl MessageWriter {
    pub(crate) fn new(output: OwnedFd, spelling: Spelling) -> Self {
        let state = WriterState {
            output: output.into(),
            bytes: Vec::with_capacity(4096),
            batch: Vec::new(),
            batch_run: 0,
            batch_bytes: 0,
            batch_since: None,
            progress: None,
            progress_sent: None,
        };
        Self {
            state: Mutex::new(state),
            spelling,
            log_level: AtomicU8::new(LogLevel::Info as u8),
            max_frame_bytes: AtomicUsize::new(FRAME_MAX_BYTES),
            broken: AtomicBool::new(false),
            agreed: OnceLock::new(),
        }
    }

    /// Takes over what Welcome settled.
    pub(crate) fn agree(
        &self,
        level: LogLevel,
        max_frame_bytes: u32,
        features: &[String],
        lifeline: Arc<Lifeline>,
    ) {
        self.log_level.store(level as u8, Ordering::Relaxed);
        let max = usize::try_from(max_frame_bytes).unwrap_or(FRAME_MAX_BYTES).clamp(1, FRAME_MAX_BYTES);
        self.max_frame_bytes.store(max, Ordering::Relaxed);
        let has = |name: &str| features.iter().any(|feature| feature == name);
        let (log, progress, call) = (has(feature::LOG), has(feature::PROGRESS), has(feature::CALL));
        // Welcome comes once; a second one changes nothing.
        let _ = self.agreed.set(AgreedFeatures { lifeline, log, progress, call });
    }

    /// Writes the log batch and then the messages, in one go.
    ///
    /// # Errors
    /// When a message is larger than a frame; then nothing but the log batch and the messages before it is
    /// written. A supervisor that no longer reads is no error: its end shows on the other direction.
    pub(crate) fn send(&self, messages: &[ToSupervisor]) -> Result<(), EncodeError> {
        let mut state = self.lock();
        state.append_held_back(self.spelling);
        let mut appended = Ok(());
        for message in messages {
            let start = state.bytes.len();
            appended = self.spelling.append(message, &mut state.bytes);
            let bytes = state.bytes.len() - start;
            if appended.is_ok() && bytes > self.max_frame_bytes.load(Ordering::Relaxed).saturating_add(4) {
                state.bytes.truncate(start);
                appended = Err(EncodeError::TooLarge { bytes });
            }
            if appended.is_err() {
                break;
            }
        }
        self.flush(&mut state);
        appended
    }

    /// Writes what is held back if it is old enough; gives when it will be.
    pub(crate) fn flush_when_due(&self) -> Option<Duration> {
        let mut state = self.lock();
        let left = state.due_in()?;
        if !left.is_zero() {
            return Some(left);
        }
        state.append_held_back(self.spelling);
        self.flush(&mut state);
        None
    }

    fn flush(&self, state: &mut WriterState) {
        if !state.bytes.is_empty() && !self.broken.load(Ordering::Relaxed) {
            let WriterState { output, bytes, .. } = state;
            if output.write_all(bytes).is_err() {
                self.broken.store(true, Ordering::Relaxed);
            }
        }
        state.bytes.clear();
        // One large result must not keep its memory for ever.
        state.bytes.shrink_to(256 * 1024);
    }

    fn lock(&self) -> MutexGuard<'_, WriterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriterState {
    /// How long what is held back may still wait.
    fn due_in(&self) -> Option<Duration> {
        let left = |since: Instant, limit: Duration| limit.saturating_sub(since.elapsed());
        let batch = self.batch_since.map(|since| left(since, Duration::from_millis(LOG_BATCH_MAX_AGE_MS)));
        let progress = self.progress.as_ref().and(self.progress_sent).map(|sent| left(sent, PROGRESS_EVERY));
        batch.into_iter().chain(progress).min()
    }

    fn append_held_back(&mut self, spelling: Spelling) {
        self.append_batch(spelling);
        if let Some(progress) = self.progress.take() {
            self.progress_sent = Some(Instant::now());
            // Its text is cut to a fraction of a frame.
            let _ = spelling.append(&progress, &mut self.bytes);
        }
    }

    fn append_batch(&mut self, spelling: Spelling) {
        if self.batch.is_empty() {
            return;
        }
        let records = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        self.batch_since = None;
        // A batch is bounded far below a frame, and its fields are JSON by construction.
        let _ = spelling.append(&ToSupervisor::Log { run: self.batch_run, records }, &mut self.bytes);
    }
}

impl Uplink for MessageWriter {
    fn started(&self, run: u32) {
        let _ = self.send(&[ToSupervisor::Started { run }]);
    }

    fn log_level(&self) -> Option<LogLevel> {
        const LEVELS: [LogLevel; 5] =
            [LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
        let level = LEVELS.get(usize::from(self.log_level.load(Ordering::Relaxed))).copied();
        self.agreed.get().is_some_and(|agreed| agreed.log).then(|| level.unwrap_or_default())
    }

    fn log(&self, run: u32, record: LogRecord) {
        let mut state = self.lock();
        let bytes =
            record.message.len() + record.logger.len() + record.fields.0.len() + RECORD_OVERHEAD_BYTES;
        if state.batch_run != run || state.batch_bytes + bytes > LOG_BATCH_MAX_BYTES {
            state.append_batch(self.spelling);
            state.batch_run = run;
        }
        let old = state.batch_since.get_or_insert_with(Instant::now).elapsed()
            >= Duration::from_millis(LOG_BATCH_MAX_AGE_MS);
        state.batch.push(record);
        state.batch_bytes += bytes;
        if old || state.batch.len() >= LOG_BATCH_MAX_RECORDS || state.batch_bytes >= LOG_BATCH_MAX_BYTES {
            state.append_batch(self.spelling);
        }
        self.flush(&mut state);
    }

    fn progress(&self, run: u32, current: u64, total: u64, message: &str) {
        if !self.agreed.get().is_some_and(|agreed| agreed.progress) {
            return;
        }
        let mut state = self.lock();
        state.progress = Some(ToSupervisor::Progress { run, current, total, message: message.to_owned() });
        // The latest wins, so a loop that reports every step costs a frame now and then.
        if state.progress_sent.is_none_or(|sent| sent.elapsed() >= PROGRESS_EVERY) {
            state.append_held_back(self.spelling);
            self.flush(&mut state);
        }
    }

    fn call(&self, run: &WorkerRun, call: u32, method: &str, params: JsonBytes) {
        let number = run.request.run;
        let Some(agreed) = self.agreed.get().filter(|agreed| agreed.call) else {
            let error = ErrorInfo::new("NotSupported", "this supervisor answers no calls");
            return run.reply(call, CallResult::Err { error });
        };
        agreed.lifeline.force();
        let sent = self.send(&[ToSupervisor::Call { run: number, call, method: method.to_owned(), params }]);
        if let Err(error) = sent {
            let error = ErrorInfo::new("CallTooLarge", format!("{method} does not fit in a frame: {error}"));
            run.reply(call, CallResult::Err { error });
        }
    }
}
