//! The workflows of the conformance kit, which every SDK has. See the protocol's list of what each does.
//!
//! They misbehave on purpose, so they are there only when `MUSTER_CONFORMANCE=1` says so.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use muster_protocol::{LogLevel, value};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::sdk::{Context, NativeEngine, WorkflowError, WorkflowPolicy};

#[derive(Deserialize)]
struct FailParameters {
    kind: String,
    message: String,
}

#[derive(Deserialize)]
struct SleepParameters {
    seconds: f64,
}

#[derive(Deserialize)]
struct TextParameters {
    #[serde(default)]
    text: String,
    #[serde(default = "one")]
    count: usize,
}

fn one() -> usize {
    1
}

#[derive(Deserialize)]
struct CallsParameters {
    method: String,
    #[serde(default)]
    params: Value,
    #[serde(default = "one")]
    count: usize,
}

#[derive(Deserialize)]
struct LingerParameters {
    until: PathBuf,
    done: PathBuf,
}

#[derive(Deserialize)]
struct TellParameters {
    text: Box<RawValue>,
    times: usize,
    count: Value,
}

#[derive(Deserialize)]
struct NumberParameters {
    #[serde(alias = "count", alias = "code", alias = "bytes")]
    number: usize,
}

type Done = Result<Value, WorkflowError>;

/// Registers all of them, and the no-op that measurements use.
pub(crate) fn register(native: &mut NativeEngine) {
    native.add_blocking("bench.noop", |_: Value, _| Ok(()));
    // As text: a `Value` has no room for integers of more than 64 bits.
    native.add_blocking("conformance.echo", |params: Box<RawValue>, _| Ok(params));
    native.add_blocking("conformance.fail", |params: FailParameters, _| -> Done {
        Err(WorkflowError::new(params.kind, params.message))
    });
    native.add_async("conformance.sleep", |params: SleepParameters, ctx| async move {
        ctx.sleep(Duration::from_secs_f64(params.seconds)).await
    });
    native.add_blocking("conformance.ignore_cancel", |params: SleepParameters, _| {
        crate::trusted::ignore_termination(true);
        std::thread::sleep(Duration::from_secs_f64(params.seconds));
        crate::trusted::ignore_termination(false);
        Ok(())
    });
    native.add_blocking("conformance.log", |params: NumberParameters, ctx: Context| {
        for line in 0..params.number {
            ctx.log().write(LogLevel::Info, format!("line {line}"), &());
        }
        Ok(())
    });
    native.add_blocking("conformance.tell", tell);
    native.add_async("conformance.call", call);
    native.add_blocking("conformance.linger", linger);
    native.add_blocking("conformance.declared", |_: Value, _| Ok(()));
    native.declare("conformance.declared", declared());
    native.add_blocking("conformance.big", |params: NumberParameters, _| Ok("x".repeat(params.number)));
    register_rude(native);
}

/// Logs and reports what it is given, whatever that is.
fn tell(params: TellParameters, ctx: Context) -> Done {
    let text: String = serde_json::from_str(&value::replace_unstorable(params.text.get()))?;
    let text = text.repeat(params.times);
    ctx.log().write(LogLevel::Info, &text, &serde_json::json!({ "text": text, "count": params.count }));
    // Languages without types pass on what is no count; here it becomes one.
    let count = params.count.as_u64().unwrap_or_default();
    ctx.progress(count, count, &text);
    Ok(Value::Null)
}

/// Leaves a thread that logs and calls once a file is there, and writes into another one what it was told.
fn linger(params: LingerParameters, ctx: Context) -> Done {
    std::thread::spawn(move || {
        while !params.until.exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
        ctx.log().info("left behind");
        let told = match ctx.wait(ctx.config().get::<Value>("left")) {
            Ok(_) => "answered".to_owned(),
            Err(error) => error.kind().to_owned(),
        };
        // Whoever waits for it does so for a while only.
        let _ = std::fs::write(&params.done, told);
    });
    Ok(Value::Null)
}

/// What the kit looks for in the description of `conformance.declared`.
fn declared() -> WorkflowPolicy {
    WorkflowPolicy::new()
        .timeout(Duration::from_millis(90_500))
        .retries(2)
        .backoff(Duration::from_millis(2500))
        .backoff_factor_percent(150)
        .backoff_max(Duration::from_secs(60))
        .retry_on(["Busy"])
        .give_up_on(["Fatal"])
        .parameters(
            &serde_json::json!({ "type": "object", "properties": { "count": { "type": "integer" } } }),
        )
}

/// Those that touch the process itself.
fn register_rude(native: &mut NativeEngine) {
    native.add_blocking("conformance.print", |params: TextParameters, _| {
        let mut stdout = std::io::stdout().lock();
        for _ in 0..params.count {
            writeln!(stdout, "{}", params.text)?;
        }
        Ok(stdout.flush()?)
    });
    native.add_blocking("conformance.raw_print", |params: TextParameters, _| {
        rustix::io::write(rustix::stdio::stdout(), params.text.as_bytes())?;
        Ok(())
    });
    native.add_blocking("conformance.child_print", |params: TextParameters, _| {
        let mut child = start("sh", &["-c", "printf '%s\\n' \"$0\"", &params.text])?;
        child.wait()?;
        Ok(())
    });
    native.add_blocking("conformance.crash", |_: Value, _| -> Done {
        let this = rustix::process::getpid();
        rustix::process::kill_process(this, rustix::process::Signal::KILL)?;
        Err(WorkflowError::new("StillAlive", "the process survived SIGKILL"))
    });
    native.add_blocking("conformance.exit", |params: NumberParameters, _| -> Done {
        std::process::exit(i32::try_from(params.number).unwrap_or(1))
    });
    native.add_blocking("conformance.hold_pipes", |params: SleepParameters, _| {
        let child = start("sleep", &[&params.seconds.to_string()])?;
        Ok(child.id())
    });
    native.add_blocking("conformance.stdin", |_: Value, _| {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text)?;
        Ok(text)
    });
}

#[expect(clippy::disallowed_methods, reason = "the kit checks what children of user code inherit")]
fn start(program: &str, arguments: &[&str]) -> std::io::Result<Child> {
    Command::new(program).args(arguments).spawn()
}

/// All calls at once, so that the limit of calls in flight is reached.
async fn call(params: CallsParameters, ctx: Context) -> Result<Vec<Value>, WorkflowError> {
    let mut calls: Vec<_> = (0..params.count)
        .map(|_| {
            let (ctx, method, params) = (ctx.clone(), params.method.clone(), params.params.clone());
            tokio::spawn(async move { ctx.call::<Value>(&method, &params).await })
        })
        .collect();
    let mut replies = Vec::with_capacity(calls.len());
    for call in &mut calls {
        replies.push(call.await??);
    }
    Ok(replies)
}
