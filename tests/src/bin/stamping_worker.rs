//! A worker whose workflow says itself, in a file that nobody else writes, when it runs.
//!
//! Each line is `NUMBER ATTEMPT MICROSECONDS`: the first of an attempt when its code was entered, the last when it left,
//! and some between, so that it is known of a process that was killed how long it ran at least.

use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use muster_worker::{Context, Worker, WorkflowError};
use serde::Deserialize;

/// How long it may be silent about being there.
const STAMP_EVERY: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
struct StampedRun {
    n: u64,
    ms: u64,
}

async fn stamp(run: StampedRun, ctx: Context) -> Result<u64, WorkflowError> {
    let mut file = open()?;
    let mut left = Duration::from_millis(run.ms);
    note(&mut file, run.n, ctx.attempt())?;
    while !left.is_zero() {
        let part = left.min(STAMP_EVERY);
        ctx.sleep(part).await?;
        left -= part;
        note(&mut file, run.n, ctx.attempt())?;
    }
    Ok(run.n)
}

fn open() -> Result<File, WorkflowError> {
    let path = std::env::var("STAMPS").map_err(|error| failed(&error))?;
    File::options().append(true).open(path).map_err(|error| failed(&error))
}

/// In one write, so that lines of several processes stay whole.
fn note(file: &mut File, number: u64, attempt: u32) -> Result<(), WorkflowError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| failed(&error))?;
    let line = format!("{number} {attempt} {}\n", now.as_micros());
    file.write_all(line.as_bytes()).map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> WorkflowError {
    WorkflowError::new("NoStamp", error.to_string())
}

fn main() -> ExitCode {
    Worker::new().workflow("stamp", stamp).main()
}
