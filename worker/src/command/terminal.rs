//! The line of `worker run`: what a supervisor would do, done by this process for a person.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use muster_protocol::{
    CallResult, CancelReason, ErrorInfo, JsonBytes, LogLevel, LogRecord, method, spelled_out,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

use crate::run::{Downlink, Uplink, Waker, WorkerRun};

/// Answers calls and prints what the run says.
pub(crate) struct RunTerminal {
    began: Instant,
    colour: bool,
    config: BTreeMap<String, Value>,
    state: Mutex<BTreeMap<String, Value>>,
}

impl RunTerminal {
    pub(crate) fn new(config: BTreeMap<String, Value>, state: BTreeMap<String, Value>) -> Self {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { began: Instant::now(), colour, config, state: Mutex::new(state) }
    }

    /// Prints one line on stderr. Its text may be that of somebody else's run.
    pub(crate) fn print(&self, label: &str, text: &str) {
        let colour = match label {
            "error" => "31",
            "warn" => "33",
            "debug" | "trace" => "2",
            _ => "36",
        };
        let label =
            if self.colour { format!("\x1b[{colour}m{label:>8}\x1b[0m") } else { format!("{label:>8}") };
        // A terminal that went away has nobody to complain to.
        let _ = writeln!(
            std::io::stderr().lock(),
            "{:9.3}s {label}  {}",
            self.began.elapsed().as_secs_f64(),
            spelled_out(text)
        );
    }

    /// What a supervisor answered elsewhere and what it was told there count here, too.
    pub(super) fn remember(&self, method: &str, params: &JsonBytes, answered: &CallResult) {
        let CallResult::Ok { value } = answered else { return };
        let params: Value = params.parse().unwrap_or_default();
        let Some(key) = params.get("key").and_then(Value::as_str) else { return };
        let value = match method {
            method::STATE_GET => value.parse().unwrap_or_default(),
            method::STATE_SET => params.get("value").cloned().unwrap_or_default(),
            method::STATE_DELETE => Value::Null,
            _ => return,
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.insert(key.to_owned(), value);
    }

    /// Answers a call as far as one process can.
    pub(super) fn answer(&self, method: &str, params: &JsonBytes) -> CallResult {
        match self.look_up(method, params) {
            Ok(value) => CallResult::Ok { value: JsonBytes::of(&value) },
            Err(error) => CallResult::Err { error },
        }
    }

    fn look_up(&self, method: &str, params: &JsonBytes) -> Result<Value, ErrorInfo> {
        let params: Value = params.parse().unwrap_or_default();
        let key = params.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match method {
            method::CONFIG_GET => Ok(self.config.get(&key).cloned().unwrap_or_default()),
            method::STATE_GET => Ok(state.get(&key).cloned().unwrap_or_default()),
            method::STATE_SET => {
                let value = params.get("value").cloned().unwrap_or_default();
                self.print("state", &format!("{key} = {value}"));
                state.insert(key, value);
                Ok(Value::Null)
            }
            method::STATE_DELETE => {
                self.print("state", &format!("{key} deleted"));
                state.remove(&key);
                Ok(Value::Null)
            }
            method::EXECUTION_SUBMIT => {
                self.print("submit", &format!("{params} (not run: there is no supervisor here)"));
                Ok(json!({ "execution_id": "00000000-0000-0000-0000-000000000001" }))
            }
            other => Err(ErrorInfo::new("UnknownMethod", format!("there is no method {other:?}"))),
        }
    }
}

impl Uplink for RunTerminal {
    fn started(&self, _run: u32) {}

    fn log_level(&self) -> Option<LogLevel> {
        Some(LogLevel::Debug)
    }

    fn log(&self, _run: u32, record: LogRecord) {
        let mut text = record.message;
        if let Ok(Value::Object(fields)) = record.fields.parse() {
            for (name, value) in fields {
                text.push_str(&format!("  {name}={value}"));
            }
        }
        self.print(record.level.as_str(), &text);
    }

    fn progress(&self, _run: u32, current: u64, total: u64, message: &str) {
        let of = if total > 0 { format!("/{total}") } else { String::new() };
        self.print("progress", format!("{current}{of} {message}").trim_end());
    }

    fn call(&self, run: &WorkerRun, call: u32, method: &str, params: JsonBytes) {
        run.reply(call, self.answer(method, &params));
    }
}

/// The way in: nobody speaks to a run in a terminal, but it has a deadline.
pub(crate) struct TerminalLine {
    pub(crate) waker: Arc<Waker>,
}

impl Downlink for TerminalLine {
    fn pump(&self, _run: &Arc<WorkerRun>, timeout: Option<Duration>) {
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut fds = [PollFd::from_borrowed_fd(self.waker.fd(), PollFlags::IN)];
        if poll(&mut fds, timeout.as_ref()).is_ok_and(|ready| ready > 0) {
            self.waker.clear();
        }
    }

    fn lend(&self, run: &Arc<WorkerRun>, body: &mut dyn FnMut()) {
        let Some(timeout) = run.request.timeout else { return body() };
        // Native code cannot look at the clock itself, so a thread does.
        let watched = Arc::clone(run);
        let (done, over) = std::sync::mpsc::channel::<()>();
        let watcher = std::thread::spawn(move || {
            if over.recv_timeout(timeout) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let message = format!("after {} s", timeout.as_secs_f64());
                watched.cancellation.request(CancelReason::Timeout, &message, Duration::from_secs(1));
            }
        });
        body();
        drop(done);
        // The thread ends at once; had it panicked, the run would still have its outcome.
        let _ = watcher.join();
    }

    fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }
}
