//! One run: Started, what happens in it, Finished, Idle.

use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use muster_protocol::{
    JsonBytes, LogLevel, LogRecord, RunMetrics, RunOutcome, ToSupervisor, ToWorker,
    limits::LOG_BATCH_MAX_RECORDS,
};
use serde_json::Value;

use crate::misdeeds;
use crate::sins::Sins;
use crate::wire::Wire;

/// Gives the exit code when the worker ends here.
pub(crate) fn run(
    wire: &mut Wire,
    sins: &Sins,
    run: u32,
    workflow: &str,
    params: &JsonBytes,
) -> io::Result<Option<u8>> {
    let sinning = sins.in_run(workflow);
    if sinning {
        if let Some(code) = before_started(wire, sins, run)? {
            return Ok(Some(code));
        }
        if sins.exit_after_finished {
            let started = ToSupervisor::Started { run };
            let finished = finished(run, RunOutcome::Succeeded { result: params.clone() }, 0);
            let both = wire.bytes(&[started, finished])?;
            wire.write(&both)?;
            return Ok(Some(0));
        }
    }
    wire.send(&ToSupervisor::Started { run })?;
    let mut log_records = 0;
    if sinning && let Some(code) = after_started(wire, sins, run, &mut log_records)? {
        return Ok(Some(code));
    }
    let outcome = work(wire, run, workflow, params, &mut log_records)?;
    let outcome = if sinning { misdeeds::result(sins).unwrap_or(outcome) } else { outcome };
    wire.send(&finished(run, outcome, log_records))?;
    if sinning {
        after_finished(wire, sins, run)?;
    }
    wire.send(&ToSupervisor::Idle { run, rss_bytes: 0, recycle: sinning && sins.ask_recycle })?;
    Ok(None)
}

fn finished(run: u32, outcome: RunOutcome, log_records: u64) -> ToSupervisor {
    ToSupervisor::Finished { run, outcome, metrics: RunMetrics::default(), log_records }
}

fn before_started(wire: &mut Wire, sins: &Sins, run: u32) -> io::Result<Option<u8>> {
    if sins.goodbye_on_execute {
        wire.send(&ToSupervisor::Goodbye { reason: "I would rather not".into() })?;
        return Ok(Some(0));
    }
    if sins.never_started {
        wire.wait_for_the_end();
        return Ok(Some(0));
    }
    if sins.crash_before_started {
        misdeeds::crash();
    }
    if sins.wrong_run {
        let outcome = RunOutcome::Succeeded { result: JsonBytes::of("not yours") };
        wire.send(&finished(run + 1000, outcome, 0))?;
    }
    Ok(None)
}

fn after_started(wire: &mut Wire, sins: &Sins, run: u32, log_records: &mut u64) -> io::Result<Option<u8>> {
    if let Some(text) = &sins.stderr {
        misdeeds::say(&format!("{text}\n"));
    }
    if let Some(bytes) = sins.flood_stderr {
        misdeeds::say(&String::from_utf8_lossy(&misdeeds::lines(bytes)));
    }
    if let Some(count) = sins.flood_logs {
        *log_records += log(wire, run, count)?;
    }
    if sins.flood_frames {
        return flood(wire, run);
    }
    if let Some(seconds) = sins.hold_pipes {
        misdeeds::grandchild(&["sleep", &seconds.to_string()])?;
    }
    if sins.flooding_child {
        misdeeds::flooding_child()?;
    }
    if let Some(seconds) = sins.setsid_grandchild {
        misdeeds::grandchild(&["setsid", "sleep", &seconds.to_string()])?;
    }
    if sins.unknown_message {
        wire.write(&misdeeds::unknown_message(sins.json_lines))?;
    }
    if let Some(text) = &sins.print_during_run {
        wire.write(format!("{text}\n").as_bytes())?;
    }
    if let Some(bytes) = misdeeds::broken_frame(sins) {
        wire.write(&bytes)?;
        wire.wait_for_the_end();
        return Ok(Some(0));
    }
    if sins.crash_after_started {
        misdeeds::crash();
    }
    if sins.exit_code.is_some() {
        return Ok(sins.exit_code);
    }
    if sins.busy_forever {
        misdeeds::compute_for_ever();
    }
    if sins.ignore_cancel {
        wire.wait_for_ever();
    }
    if let Some(mebibytes) = sins.leak_memory {
        misdeeds::leak(mebibytes);
        wire.wait_for_the_end();
        return Ok(Some(0));
    }
    Ok(None)
}

fn after_finished(wire: &mut Wire, sins: &Sins, run: u32) -> io::Result<()> {
    if sins.second_finished {
        let outcome = RunOutcome::Succeeded { result: JsonBytes::of("the second") };
        wire.send(&finished(run, outcome, 0))?;
    }
    if sins.started_after_finished {
        wire.send(&ToSupervisor::Started { run })?;
    }
    if sins.never_idle {
        wire.wait_for_the_end();
    }
    Ok(())
}

/// What a well-behaved worker does.
fn work(
    wire: &mut Wire,
    run: u32,
    workflow: &str,
    params: &JsonBytes,
    log_records: &mut u64,
) -> io::Result<RunOutcome> {
    let value: Value = params.parse().unwrap_or_default();
    match workflow {
        "sleep" => sleep(wire, run, value["seconds"].as_f64().unwrap_or_default()),
        "log" => {
            *log_records += log(wire, run, value["count"].as_u64().unwrap_or_default())?;
            Ok(RunOutcome::Succeeded { result: JsonBytes::NONE })
        }
        _ => Ok(RunOutcome::Succeeded { result: params.clone() }),
    }
}

fn sleep(wire: &mut Wire, run: u32, seconds: f64) -> io::Result<RunOutcome> {
    let deadline = Instant::now() + Duration::try_from_secs_f64(seconds).unwrap_or_default();
    while let Ok(message) = wire.receive_until(deadline) {
        match message {
            ToWorker::Cancel { run: cancelled, message, .. } if cancelled == run => {
                return Ok(RunOutcome::Cancelled { message });
            }
            ToWorker::Ping { nonce } => wire.send(&ToSupervisor::Pong { nonce })?,
            ToWorker::Dump { run } => wire.send(&ToSupervisor::Stacks { run, text: "asleep".into() })?,
            // A Drain lets the run end, and the end of stdin then ends the worker.
            ToWorker::Drain { .. }
            | ToWorker::Cancel { .. }
            | ToWorker::Reply { .. }
            | ToWorker::Welcome { .. }
            | ToWorker::Fork { .. }
            | ToWorker::Execute { .. } => {}
        }
    }
    Ok(RunOutcome::Succeeded { result: JsonBytes::NONE })
}

fn log(wire: &mut Wire, run: u32, count: u64) -> io::Result<u64> {
    let records: Vec<_> = (0..count).map(record).collect();
    for batch in records.chunks(LOG_BATCH_MAX_RECORDS) {
        wire.send(&ToSupervisor::Log { run, records: batch.to_vec() })?;
    }
    Ok(count)
}

/// Sends small messages for as long as somebody reads them.
fn flood(wire: &mut Wire, run: u32) -> io::Result<Option<u8>> {
    for current in 0.. {
        wire.send(&ToSupervisor::Progress { run, current, total: 0, message: String::new() })?;
    }
    Ok(None)
}

fn record(number: u64) -> LogRecord {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    LogRecord {
        timestamp_us: u64::try_from(now.as_micros()).unwrap_or_default(),
        level: LogLevel::Info,
        logger: "rogue".into(),
        message: format!("line {number}"),
        fields: JsonBytes::NONE,
    }
}
