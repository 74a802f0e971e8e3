//! Workflows in Rust that declare what the supervisor holds them to: limits, retries, parameters.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use muster_worker::{Context, Worker, WorkflowError, WorkflowPolicy};
use serde::Deserialize;
use serde_json::{Value, json};

/// Looks at nothing that would end it. Only its process can be ended.
fn stubborn(_: Value, _: Context) -> Result<(), WorkflowError> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Takes longer than the supervisor's own limit, and may.
async fn patient(_: Value, ctx: Context) -> Result<&'static str, WorkflowError> {
    ctx.sleep(Duration::from_millis(1_500)).await?;
    Ok("done")
}

#[derive(Deserialize)]
struct Shaky {
    #[serde(default)]
    fatal: bool,
}

/// Succeeds the third time, unless it is of no use.
async fn shaky(params: Shaky, ctx: Context) -> Result<u32, WorkflowError> {
    if params.fatal {
        return Err(WorkflowError::new("Fatal", "no use"));
    }
    if ctx.attempt() < 3 { Err(WorkflowError::new("NotYet", "again")) } else { Ok(ctx.attempt()) }
}

/// Its parameters are looked at before it is asked.
async fn typed(params: Value, _: Context) -> Result<Value, WorkflowError> {
    Ok(params.get("count").cloned().unwrap_or_default())
}

/// What it submits is looked at too.
async fn parent(_: Value, ctx: Context) -> Result<String, WorkflowError> {
    let submitted = ctx.submit("typed", &json!({ "day": 1 })).await;
    Ok(submitted.unwrap_or_else(|error| error.message().to_owned()))
}

fn main() -> ExitCode {
    let schema = json!({
        "type": "object",
        "required": ["day", "count"],
        "additionalProperties": false,
        "properties": { "day": { "type": "string" }, "count": { "type": "integer" } },
    });
    let slow = WorkflowPolicy::new().timeout(Duration::from_secs(30)).max_concurrent(2);
    let retried = WorkflowPolicy::new().retries(2).backoff(Duration::from_millis(10)).give_up_on(["Fatal"]);
    Worker::new()
        .blocking("stubborn", stubborn)
        .declare("stubborn", WorkflowPolicy::new().timeout(Duration::from_secs(1)))
        .workflow("patient", patient)
        .declare("patient", slow.key("organization").queue("slow"))
        .workflow("shaky", shaky)
        .declare("shaky", retried)
        .workflow("typed", typed)
        .declare("typed", WorkflowPolicy::new().parameters(&schema))
        .workflow("parent", parent)
        .main()
}
