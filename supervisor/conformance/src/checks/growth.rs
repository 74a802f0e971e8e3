//! What a thousand executions leave behind in the process: no descriptor, and little memory.

use std::time::{Duration, Instant};

use muster_protocol::ToSupervisor;
use muster_system::process::resident_bytes;
use serde_json::json;

use crate::bench::Workbench;
use crate::failure::{CheckFailure, Checked};
use crate::session::WorkerSession;

/// Caches, code and heaps find their size in these.
const WARM_UP_EXECUTIONS: u32 = 200;
const ROUND_EXECUTIONS: u32 = 1_000;
/// So much more memory after a round is growth.
const MEMORY_MAX_BYTES: u64 = 5 * 1024 * 1024;
/// A heap finds its size in a few steps: Node's takes one in each of the first four rounds. What leaks takes one in every round.
const ROUNDS: u32 = 6;
/// A worker that would need longer for a round is too slow to be held to this.
const ROUND_WITHIN: Duration = Duration::from_secs(10);
/// A worker that has said Idle may still be closing what its execution had open.
const DESCRIPTORS_WITHIN: Duration = Duration::from_secs(2);
/// Its speed is that of the quickest of so many windows: what else the machine does takes time from some of them.
const PACE_WINDOWS: u32 = 6;
const PACE_EXECUTIONS: u32 = 50;

struct Footprint {
    descriptors: usize,
    resident_bytes: u64,
}

pub(crate) async fn growth(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let pid = process_id(&session);
    fast_enough(&mut session).await?;
    executions(&mut session, WARM_UP_EXECUTIONS).await?;
    let mut before = footprint(pid)?;
    for round in 1..=ROUNDS {
        executions(&mut session, ROUND_EXECUTIONS).await?;
        let after = settled(pid, before.descriptors).await?;
        if after.descriptors > before.descriptors {
            let seen = format!("{} open descriptors, then {}", before.descriptors, after.descriptors);
            return Err(session.fault("1,000 executions leave no descriptor open", seen).await);
        }
        let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
        if grown <= MEMORY_MAX_BYTES {
            return Ok(());
        }
        if round == ROUNDS {
            let seen = format!("{} MiB more in each of {ROUNDS} rounds", grown / (1024 * 1024));
            return Err(session.fault("1,000 executions take less than 5 MiB of memory", seen).await);
        }
        before = after;
    }
    Ok(())
}

async fn fast_enough(session: &mut WorkerSession) -> Checked {
    let mut round = Duration::MAX;
    for _ in 0..PACE_WINDOWS {
        let begun = Instant::now();
        executions(session, PACE_EXECUTIONS).await?;
        round = round.min(begun.elapsed() * (ROUND_EXECUTIONS / PACE_EXECUTIONS));
        if round <= ROUND_WITHIN {
            return Ok(());
        }
    }
    let reason = format!("too slow: {ROUND_EXECUTIONS} executions would take {round:.0?}");
    Err(CheckFailure::NotChecked(reason))
}

async fn executions(session: &mut WorkerSession, count: u32) -> Checked {
    for done in 0..count {
        let (run, execute) = session.execute("echo", &json!({ "number": done }));
        session.send(&execute).await?;
        let expected = format!("execution {done} of {count} ends");
        loop {
            match session.expect_message(&expected).await? {
                ToSupervisor::Idle { run: idle, .. } if idle == run => break,
                ToSupervisor::Started { .. } | ToSupervisor::Finished { .. } | ToSupervisor::Log { .. } => {}
                other => return Err(session.fault(expected, format!("{other:?}")).await),
            }
        }
    }
    Ok(())
}

/// The worker may be the child of a script: its Hello says who it is, if that is in the group.
fn process_id(session: &WorkerSession) -> u32 {
    let group = session.group().id();
    session.introduced_pid().filter(|&pid| pid != group && is_child(pid, group)).unwrap_or(group)
}

fn is_child(pid: u32, parent: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|id| id.trim() == parent.to_string()))
}

/// The footprint as soon as no more descriptors are open than allowed, or as it is after a while.
async fn settled(pid: u32, descriptors: usize) -> Result<Footprint, CheckFailure> {
    let begun = Instant::now();
    loop {
        let footprint = footprint(pid)?;
        if footprint.descriptors <= descriptors || begun.elapsed() > DESCRIPTORS_WITHIN {
            return Ok(footprint);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn footprint(pid: u32) -> Result<Footprint, CheckFailure> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).map(Iterator::count).ok();
    match (descriptors, resident_bytes(pid)) {
        (Some(descriptors), Some(resident_bytes)) => Ok(Footprint { descriptors, resident_bytes }),
        (None, _) | (_, None) => Err(CheckFailure::NotChecked("/proc does not show the process".to_owned())),
    }
}
