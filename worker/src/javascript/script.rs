//! One execution in a realm: the module is loaded, its function called, and the event loop turned until the
//! function has settled or has to end.

use muster_protocol::{ErrorInfo, JsonBytes, RunOutcome, error_type, value};
use rquickjs::promise::PromiseState;
use rquickjs::{ArrayBuffer, Ctx, Function, Module, Object, Persistent, Promise, Value};

use super::completions::{Completion, Payload};
use super::host::RealmHost;
use super::realm::Realm;

/// Jobs between two looks at the clock: an endless chain of promises must not escape the deadline.
const JOBS_PER_LOOK: u32 = 64;

/// What to run.
pub(crate) struct Script {
    /// How it is called in stacks, and what its imports are relative to.
    pub(crate) name: String,
    pub(crate) source: String,
    /// The export to call.
    pub(crate) function: String,
}

/// Why a script did not give a result.
enum ScriptStop {
    /// It threw; the exception is pending in the context.
    Threw,
    /// The interpreter cannot take it, such as text with a NUL byte for a source.
    Unfit(String),
    /// Its result cannot be kept.
    Refused(String),
    /// It was ended.
    Ended,
    /// It cannot be run.
    Rejected(String),
    /// It waits for something that cannot happen.
    Stalled,
}

impl From<rquickjs::Error> for ScriptStop {
    fn from(error: rquickjs::Error) -> Self {
        if error.is_exception() { Self::Threw } else { Self::Unfit(error.to_string()) }
    }
}

/// Runs the script in the realm, which must have been given its execution.
pub(crate) fn execute(realm: &Realm, script: &Script) -> RunOutcome {
    let outcome = realm.context.with(|ctx| {
        let Ok(kit) = Persistent::clone(&realm.kit).restore(&ctx) else {
            return RunOutcome::Failed {
                error: ErrorInfo::new("InterpreterFailed", "the realm is not usable"),
            };
        };
        let stage = ScriptStage { ctx, kit, host: &realm.host, memory_limit_mb: realm.memory_limit_mb };
        let stop = match stage.run(script) {
            Ok(result) => {
                // A warning that cannot be given does not make a success a failure.
                let _ = stage.call_kit("warnOfUnhandled", ());
                return RunOutcome::Succeeded { result };
            }
            Err(stop) => stop,
        };
        match stop {
            ScriptStop::Rejected(reason) => RunOutcome::Rejected { reason },
            ScriptStop::Ended => stage.ended(),
            ScriptStop::Threw if stage.host.was_interrupted() => stage.ended(),
            ScriptStop::Threw => RunOutcome::Failed { error: stage.describe() },
            ScriptStop::Unfit(reason) => {
                let message = format!("{} cannot be run: {reason}", script.name);
                RunOutcome::Failed { error: ErrorInfo::new("SyntaxError", message) }
            }
            ScriptStop::Refused(why) => RunOutcome::Failed { error: refused(&why) },
            ScriptStop::Stalled => RunOutcome::Failed { error: stalled() },
        }
    });
    match outcome {
        // Nothing but null was thrown by an interpreter that is full: there was no room left for the error itself.
        RunOutcome::Failed { error } if error.stack.is_empty() && realm.is_full() => {
            RunOutcome::Failed { error: out_of_memory(realm.memory_limit_mb) }
        }
        outcome @ (RunOutcome::Succeeded { .. }
        | RunOutcome::Failed { .. }
        | RunOutcome::Cancelled { .. }
        | RunOutcome::Rejected { .. }) => outcome,
    }
}

fn refused(why: &str) -> ErrorInfo {
    let mut error = ErrorInfo::new(error_type::INVALID_RESULT, format!("the result is refused: {why}"));
    error.retryable = Some(false);
    error
}

fn stalled() -> ErrorInfo {
    ErrorInfo::new(
        "StalledError",
        "the workflow waits for a promise that nothing can settle any more: no timer, call or fetch is under way",
    )
}

struct ScriptStage<'js, 'a> {
    ctx: Ctx<'js>,
    kit: Object<'js>,
    host: &'a RealmHost,
    memory_limit_mb: u64,
}

impl<'js> ScriptStage<'js, '_> {
    fn run(&self, script: &Script) -> Result<JsonBytes, ScriptStop> {
        let module = Module::declare(self.ctx.clone(), script.name.as_str(), script.source.as_str())?;
        let (module, evaluated) = module.eval()?;
        self.settle::<Value<'js>>(&evaluated)?;
        let exports = module.namespace()?;
        let entry: Value<'js> = exports.get(script.function.as_str())?;
        let Some(entry) = entry.as_function() else {
            return Err(ScriptStop::Rejected(no_such_function(script, &exports)));
        };
        let start: Function<'js> = self.kit.get("start")?;
        let promise: Promise<'js> = start.call((entry.clone(),))?;
        let result: rquickjs::String<'js> = self.settle(&promise)?;
        let result = result.to_string()?;
        value::check(result.as_bytes(), "result").map_err(|unfit| ScriptStop::Refused(unfit.to_string()))?;
        Ok(JsonBytes::from(result))
    }

    /// Turns the event loop until the promise has settled.
    fn settle<T: rquickjs::FromJs<'js>>(&self, promise: &Promise<'js>) -> Result<T, ScriptStop> {
        let mut told = false;
        loop {
            self.run_jobs()?;
            if let PromiseState::Resolved | PromiseState::Rejected = promise.state() {
                return Ok(promise.finish()?);
            }
            if self.host.is_over() {
                return Err(ScriptStop::Ended);
            }
            if !told && self.host.cancelled().is_some() {
                told = true;
                self.call_kit("wake", ())?;
                continue;
            }
            if self.deliver()? {
                continue;
            }
            if !self.host.wait() {
                return Err(ScriptStop::Stalled);
            }
        }
    }

    fn run_jobs(&self) -> Result<(), ScriptStop> {
        let mut jobs = 0_u32;
        while self.ctx.execute_pending_job() {
            jobs = jobs.wrapping_add(1);
            if jobs.is_multiple_of(JOBS_PER_LOOK) && self.host.must_stop() {
                return Err(ScriptStop::Ended);
            }
        }
        if self.host.was_interrupted() { Err(ScriptStop::Ended) } else { Ok(()) }
    }

    /// Gives the workflow what has come: answers first, then timers. One timer at a time, because its jobs run
    /// before the next one's.
    fn deliver(&self) -> Result<bool, ScriptStop> {
        let completions = self.host.completions();
        let any = !completions.is_empty();
        for completion in completions {
            self.complete(completion)?;
        }
        if any {
            return Ok(true);
        }
        let Some(timer) = self.host.due_timer() else { return Ok(false) };
        self.call_kit("fire", (timer,))?;
        Ok(true)
    }

    fn complete(&self, completion: Completion) -> Result<(), ScriptStop> {
        let text = |json: JsonBytes| String::from_utf8_lossy(&json.0).into_owned();
        match completion.result {
            Ok(Payload::Value(value)) => self.call_kit("settle", (completion.id, true, text(value))),
            Ok(Payload::Response { head, body }) => {
                let body = ArrayBuffer::new(self.ctx.clone(), body)?;
                self.call_kit("settle", (completion.id, true, text(head), body))
            }
            Err(error) => self.call_kit("settle", (completion.id, false, text(JsonBytes::of(&error)))),
        }
    }

    fn call_kit<A: rquickjs::function::IntoArgs<'js>>(&self, name: &str, args: A) -> Result<(), ScriptStop> {
        let function: Function<'js> = self.kit.get(name)?;
        Ok(function.call(args)?)
    }

    /// What the pending exception says.
    fn describe(&self) -> ErrorInfo {
        let thrown = self.ctx.catch();
        let described = self
            .kit
            .get::<_, Function<'js>>("describe")
            .and_then(|describe| describe.call::<_, String>((thrown,)));
        match described.map(|text| serde_json::from_str::<ErrorInfo>(&value::replace_unstorable(&text))) {
            Ok(Ok(error)) => explain_memory(error, self.memory_limit_mb),
            Ok(Err(_)) | Err(_) => {
                self.ctx.catch();
                ErrorInfo::new("Error", "the workflow threw something that cannot be described")
            }
        }
    }

    /// The outcome of a run that was ended, with the place where the interpreter was.
    fn ended(&self) -> RunOutcome {
        let place =
            self.ctx.catch().into_object().and_then(|thrown| thrown.get::<_, String>("stack").ok()).and_then(
                |stack| {
                    stack.lines().find(|line| !line.contains("muster:")).map(|line| line.trim().to_owned())
                },
            );
        let message = self.host.cancelled().unwrap_or_default();
        match place {
            Some(place) if !place.is_empty() => {
                RunOutcome::Cancelled { message: format!("{message} ({place})") }
            }
            Some(_) | None => RunOutcome::Cancelled { message },
        }
    }
}

/// QuickJS says "out of memory" and nothing else.
fn explain_memory(error: ErrorInfo, limit_mb: u64) -> ErrorInfo {
    if error.kind == "InternalError" && error.message == "out of memory" {
        ErrorInfo { stack: error.stack, ..out_of_memory(limit_mb) }
    } else {
        error
    }
}

fn out_of_memory(limit_mb: u64) -> ErrorInfo {
    let message = if limit_mb > 0 {
        format!("the workflow used more than the {limit_mb} MiB of memory its worker may use")
    } else {
        "the system has no more memory for the workflow".to_owned()
    };
    ErrorInfo::new(error_type::OUT_OF_MEMORY, message)
}

fn no_such_function(script: &Script, exports: &Object<'_>) -> String {
    let names: Vec<String> = exports.keys::<String>().filter_map(Result::ok).collect();
    let found = if names.is_empty() {
        "it exports nothing".to_owned()
    } else {
        format!("it exports: {}", names.join(", "))
    };
    if script.function == "default" {
        let help = "a workflow is `export default async function (params, ctx) { … }`";
        return format!("{} has no function as its default export; {help} ({found})", script.name);
    }
    format!("{} exports no function {:?}; {found}", script.name, script.function)
}
