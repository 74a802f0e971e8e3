//! A worker whose workflows are Rust functions.
//!
//! Build it with `cargo build --example rust_worker`, and then either run a workflow by hand
//!
//! ```sh
//! rust_worker run primes --params '{"below": 100000}'
//! ```
//!
//! or have a supervisor use it: `supervisor run --worker-command ./target/debug/examples/rust_worker`.

use std::process::ExitCode;
use std::time::Duration;

use muster_worker::{Context, Worker, WorkflowError, WorkflowPolicy};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Visit {
    name: String,
}

#[derive(Serialize)]
struct Visits {
    name: String,
    visits: u64,
}

/// An async workflow: it asks the supervisor for state and waits without holding a thread.
async fn visit(params: Visit, ctx: Context) -> Result<Visits, WorkflowError> {
    let key = format!("visits/{}", params.name);
    let visits = ctx.state().get::<u64>(&key).await?.unwrap_or(0) + 1;
    ctx.state().set(&key, &visits).await?;
    ctx.sleep(Duration::from_millis(10)).await?;
    // Events of `tracing`, also those of libraries, end up in the execution's log like `ctx.log()`.
    tracing::info!(visits, "{} came by", params.name);
    Ok(Visits { name: params.name, visits })
}

#[derive(Deserialize)]
struct Primes {
    below: usize,
}

/// A blocking workflow: it computes, reports progress, and looks now and then whether it should go on.
fn primes(params: Primes, ctx: Context) -> Result<usize, WorkflowError> {
    if params.below > 100_000_000 {
        return Err(WorkflowError::new("TooMany", "below may be at most 100,000,000").retryable(false));
    }
    let mut composite = vec![false; params.below];
    let mut count = 0;
    for number in 2..params.below {
        if number % 100_000 == 0 {
            ctx.progress(number as u64, params.below as u64, "numbers looked at");
        }
        if !composite[number] {
            ctx.check()?;
            count += 1;
            composite.iter_mut().skip(number * number).step_by(number).for_each(|mark| *mark = true);
        }
    }
    Ok(count)
}

fn main() -> ExitCode {
    Worker::new()
        .workflow("visit", visit)
        .blocking("primes", primes)
        // For the supervisor to enforce: it ends a run after two minutes, and tries another failure once more.
        .declare("primes", WorkflowPolicy::new().timeout(Duration::from_secs(120)).retries(1))
        .main()
}
