//! Ping and Dump, also while user code runs.

use muster_protocol::{ToSupervisor, ToWorker};
use serde_json::json;

use super::LONG_SECONDS;
use crate::bench::Workbench;
use crate::failure::Checked;
use crate::session::{WorkerSession, shown};

/// The largest nonce there is: what a double can hold.
const NONCE_MAX: u64 = (1 << 53) - 1;

pub(crate) async fn ping_idle(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    for nonce in [0, 42, NONCE_MAX] {
        pinged(&mut session, nonce).await?;
    }
    session.still_works("a Ping").await
}

pub(crate) async fn ping_running(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    session.begin("sleep", &json!({ "seconds": LONG_SECONDS })).await?;
    pinged(&mut session, NONCE_MAX).await
}

async fn pinged(session: &mut WorkerSession, nonce: u64) -> Checked {
    session.send(&ToWorker::Ping { nonce }).await?;
    let expected = format!("Pong with nonce {nonce}");
    match session.expect_message(&expected).await? {
        ToSupervisor::Pong { nonce: answered } if answered == nonce => Ok(()),
        other => Err(session.fault(expected, shown(&other)).await),
    }
}

pub(crate) async fn dump(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let run = session.begin("sleep", &json!({ "seconds": LONG_SECONDS })).await?;
    session.send(&ToWorker::Dump { run }).await?;
    let expected = format!("Stacks of run {run}, with a text");
    match session.expect_message(&expected).await? {
        ToSupervisor::Stacks { run: dumped, text } if dumped == run && !text.trim().is_empty() => Ok(()),
        other => Err(session.fault(expected, shown(&other)).await),
    }
}
