//! What an execution can ask of this process: the other side of `native` in prelude.js.
//!
//! A host is made with its realm, before it is known what will run in it; [`RealmHost::enter`] gives it its
//! execution. It holds no JavaScript values, so it is never part of a reference cycle.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_protocol::{CallResult, CancelReason, JsonBytes, LogLevel, value};

use super::completions::{Completion, CompletionQueue};
use super::fetch::{FetchRequest, Fetches};
use super::timers::RealmTimers;
use crate::run::{Downlink, WorkerRun, refused_call};

/// How often a busy interpreter looks for messages.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// The grace a run gives itself when its deadline passes and no Cancel comes.
const DEADLINE_GRACE: Duration = Duration::from_millis(1000);

/// The state of one realm.
#[derive(Default)]
pub(crate) struct RealmHost {
    active: RefCell<Option<Active>>,
    timers: RefCell<RealmTimers>,
    calls: Cell<u32>,
    outstanding: Cell<usize>,
    listens: Cell<bool>,
    interrupted: Cell<bool>,
    looked_at: Cell<Option<Instant>>,
}

struct Active {
    run: Arc<WorkerRun>,
    line: Rc<dyn Downlink>,
    completions: CompletionQueue,
    fetches: Option<Fetches>,
}

impl RealmHost {
    /// Gives the realm its execution.
    pub(crate) fn enter(&self, run: Arc<WorkerRun>, line: Rc<dyn Downlink>) {
        let completions = CompletionQueue::new(line.waker());
        *self.active.borrow_mut() = Some(Active { run, line, completions, fetches: None });
    }

    fn with<T: Default>(&self, use_it: impl FnOnce(&mut Active) -> T) -> T {
        self.active.borrow_mut().as_mut().map(use_it).unwrap_or_default()
    }

    fn run(&self) -> Option<Arc<WorkerRun>> {
        self.with(|active| Some(Arc::clone(&active.run)))
    }

    pub(crate) fn log(&self, level: i32, logger: &str, message: &str, fields: Option<String>) {
        const LEVELS: [LogLevel; 5] =
            [LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
        let level = usize::try_from(level).ok().and_then(|level| LEVELS.get(level)).copied();
        let fields = fields.map_or(JsonBytes::NONE, JsonBytes::from);
        if let Some(run) = self.run() {
            run.log(level.unwrap_or_default(), logger, message, fields);
        }
    }

    pub(crate) fn progress(&self, current: f64, total: f64, message: &str) {
        if let Some(run) = self.run() {
            run.progress(whole(current), whole(total), message);
        }
    }

    /// Begins a call; gives the id its completion will carry.
    pub(crate) fn call(&self, method: &str, params: String) -> u32 {
        let id = self.next_id();
        let Some((run, completions)) =
            self.with(|active| Some((Arc::clone(&active.run), active.completions.clone())))
        else {
            return id;
        };
        run.set_activity(&format!("last asked: {method}"));
        match value::check(params.as_bytes(), "") {
            Ok(()) => run.call(method, JsonBytes::from(params), move |result| {
                completions.reply(id, result);
            }),
            Err(unfit) => completions.reply(id, CallResult::Err { error: refused_call(method, &unfit) }),
        }
        id
    }

    /// Begins a request; gives the id its completion will carry.
    pub(crate) fn fetch(&self, request: &str, body: Option<Vec<u8>>) -> Result<u32, String> {
        let request: FetchRequest =
            serde_json::from_str(&value::replace_unstorable(request)).map_err(|error| error.to_string())?;
        let id = self.next_id();
        self.with(|active| {
            active.run.set_activity(&format!("last asked: {request}"));
            let left = active.run.deadline().map(|end| end.saturating_duration_since(Instant::now()));
            let fetches =
                active.fetches.get_or_insert_with(|| Fetches::new(active.completions.clone(), left));
            fetches.begin(id, request, body);
        });
        Ok(id)
    }

    pub(crate) fn abandon_fetch(&self, id: u32) {
        self.outstanding.set(self.outstanding.get().saturating_sub(1));
        self.with(|active| {
            if let Some(fetches) = &active.fetches {
                fetches.abandon(id);
            }
        });
    }

    fn next_id(&self) -> u32 {
        self.calls.set(self.calls.get().wrapping_add(1));
        self.outstanding.set(self.outstanding.get() + 1);
        self.calls.get()
    }

    pub(crate) fn start_timer(&self, delay_ms: f64) -> u32 {
        let delay = Duration::try_from_secs_f64(delay_ms / 1000.0).unwrap_or(Duration::MAX);
        self.timers.borrow_mut().start(Instant::now(), delay)
    }

    pub(crate) fn stop_timer(&self, id: u32) {
        self.timers.borrow_mut().stop(id);
    }

    /// A timer that is due.
    pub(crate) fn due_timer(&self) -> Option<u32> {
        self.timers.borrow_mut().pop_due(Instant::now())
    }

    /// Answers that have come.
    pub(crate) fn completions(&self) -> Vec<Completion> {
        let taken = self.with(|active| active.completions.take());
        self.outstanding.set(self.outstanding.get().saturating_sub(taken.len()));
        taken
    }

    /// The workflow waits for an abort, so nothing else need be under way.
    pub(crate) fn listen(&self) {
        self.listens.set(true);
    }

    /// Why the run should end, once it should. Looks for messages first.
    pub(crate) fn cancelled(&self) -> Option<String> {
        self.look();
        self.run()?.cancellation.get().map(|request| request.describe())
    }

    pub(crate) fn params(&self) -> String {
        self.with(|active| String::from_utf8_lossy(&active.run.request.params.0).into_owned())
    }

    /// Why the parameters are none that this language can hold.
    pub(crate) fn unfit(&self) -> Option<String> {
        let run = self.run()?;
        value::check_shape(&run.request.params.0, "params").err().map(|unfit| unfit.to_string())
    }

    pub(crate) fn context(&self) -> String {
        self.with(|active| String::from_utf8_lossy(&active.run.request.context_text.0).into_owned())
    }

    /// What `ctx` shows of the request itself, as JSON.
    pub(crate) fn info(&self) -> String {
        self.with(|active| {
            let request = &active.run.request;
            serde_json::json!({
                "executionId": request.execution_id,
                "attempt": request.attempt,
                "workflow": request.workflow,
            })
            .to_string()
        })
    }

    /// True when the interpreter must stop. Called by it every few thousand steps.
    pub(crate) fn must_stop(&self) -> bool {
        if self.interrupted.get() {
            return true;
        }
        self.look();
        let over = self.is_over();
        self.interrupted.set(over);
        over
    }

    /// True once the interpreter was stopped.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupted.get()
    }

    /// True when even cleaning up has had its time.
    pub(crate) fn is_over(&self) -> bool {
        let Some(run) = self.run() else { return false };
        if run.cancellation.get().is_none()
            && let (Some(end), Some(timeout)) = (run.local_deadline(), run.request.timeout)
            && Instant::now() >= end
        {
            let message = format!("after {} s", timeout.as_secs_f64());
            run.cancellation.request(CancelReason::Timeout, &message, DEADLINE_GRACE);
        }
        run.cancellation.get().is_some_and(|request| Instant::now() >= request.stop_at())
    }

    /// Takes messages that are there, at most every millisecond.
    fn look(&self) {
        let now = Instant::now();
        if self.looked_at.get().is_some_and(|at| now.duration_since(at) < LOOK_EVERY) {
            return;
        }
        self.looked_at.set(Some(now));
        self.pump(Some(Duration::ZERO));
    }

    fn pump(&self, timeout: Option<Duration>) {
        let parts = self.with(|active| Some((Arc::clone(&active.run), Rc::clone(&active.line))));
        if let Some((run, line)) = parts {
            line.pump(&run, timeout);
        }
    }

    /// Waits until something may have happened. False when nothing can: the execution waits for itself.
    pub(crate) fn wait(&self) -> bool {
        let Some(run) = self.run() else { return false };
        let timer = self.timers.borrow_mut().next_due();
        let stop = match run.cancellation.get() {
            Some(request) => Some(request.stop_at()),
            None => run.local_deadline(),
        };
        if timer.is_none() && self.outstanding.get() == 0 && !self.listens.get() {
            return false;
        }
        let until = [timer, stop].into_iter().flatten().min();
        self.pump(until.map(|until| until.saturating_duration_since(Instant::now())));
        true
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "prelude.js clamps to 0..2^53")]
fn whole(value: f64) -> u64 {
    value as u64
}
