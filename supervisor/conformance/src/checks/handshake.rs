//! Hello, Welcome, Ready.

use std::time::Duration;

use muster_core::process::ExitStatus;
use muster_protocol::{JsonBytes, PROTOCOL_VERSION, ToSupervisor, ToWorker, feature};
use serde_json::json;

use super::{GONE_WITHIN, SLACK};
use crate::bench::Workbench;
use crate::failure::{CheckFailure, Checked};
use crate::session::{NextFrame, shown, welcome};

/// How long a slow supervisor takes for its Welcome.
const SLOW_WELCOME: Duration = Duration::from_millis(300);
/// A version no worker speaks.
const FAR_VERSION: u16 = u16::MAX;

pub(crate) async fn hello(bench: &Workbench) -> Checked {
    let mut session = bench.start().await?;
    let hello = session.hello().await?;
    if (hello.protocol_min..=hello.protocol_max).contains(&PROTOCOL_VERSION) {
        return Ok(());
    }
    let seen = format!("versions {} to {}", hello.protocol_min, hello.protocol_max);
    Err(session.fault("the versions in Hello include 1", seen).await)
}

pub(crate) async fn ready(bench: &Workbench) -> Checked {
    let mut session = bench.start().await?;
    bench.learn(session.handshake().await?);
    Ok(())
}

pub(crate) async fn slow_welcome(bench: &Workbench) -> Checked {
    let mut session = bench.start().await?;
    let hello = session.hello().await?;
    let expected = "the worker waits for Welcome and says nothing meanwhile";
    match session.next(SLOW_WELCOME).await {
        // Nothing came: that is what the time was for.
        Err(_) => {}
        Ok(NextFrame::Message(message)) => return Err(session.fault(expected, shown(&message)).await),
        Ok(NextFrame::Later) => return Err(session.fault(expected, "a message of a later version").await),
        Ok(NextFrame::End) => return Err(session.fault(expected, "the end of stdout").await),
    }
    session.send(&welcome(&hello.features)).await?;
    session.hear_ready().await.map(drop)
}

pub(crate) async fn no_welcome(bench: &Workbench) -> Checked {
    let mut session = bench.start().await?;
    session.hello().await?;
    session.hang_up();
    match session.exit(GONE_WITHIN + SLACK).await {
        Some(_) => Ok(()),
        None => Err(session.fault("the process ends within 2 s of the end of stdin", "it lives on").await),
    }
}

pub(crate) async fn version_mismatch(bench: &Workbench) -> Checked {
    let mut session = bench.start().await?;
    let hello = session.hello().await?;
    let mut other = welcome(&hello.features);
    if let ToWorker::Welcome { protocol, .. } = &mut other {
        *protocol = FAR_VERSION;
    }
    session.send(&other).await?;
    let expected = "the worker exits with 71 after a Welcome of version 65535";
    match session.exit(GONE_WITHIN + SLACK).await {
        Some(ExitStatus::Code(71)) => Ok(()),
        Some(status) => Err(session.fault(expected, status.to_string()).await),
        None => Err(session.fault(expected, "it lives on").await),
    }
}

/// A feature that was offered and not agreed on is not used.
pub(crate) async fn agreed_features(bench: &Workbench) -> Checked {
    let mut session = bench.start().await?;
    session.hello().await?;
    session.send(&welcome(&[])).await?;
    session.hear_ready().await?;
    let ended = session.run("log", &json!({ "count": 10 })).await?;
    if ended.records.is_empty() {
        return session.still_works("a run without features").await;
    }
    let seen = format!("{} records in Log messages", ended.records.len());
    Err(session.fault(format!("no Log when Welcome does not list {}", feature::LOG), seen).await)
}

/// Nothing in the protocol makes a worker fail to start, so a folder that is not there has to do. A worker
/// that can live without it is not checked.
pub(crate) async fn init_failed(bench: &Workbench) -> Checked {
    let mut session = bench.start().await?;
    let hello = session.hello().await?;
    let mut nowhere = welcome(&hello.features);
    if let ToWorker::Welcome { config, .. } = &mut nowhere {
        *config = JsonBytes::of(&json!({ "workflows_dir": "/dev/null", "memory_limit_mb": 0 }));
    }
    session.send(&nowhere).await?;
    let error = match session.expect_message("InitFailed or Ready").await? {
        ToSupervisor::InitFailed { error } => error,
        ToSupervisor::Ready { .. } => {
            return Err(CheckFailure::NotChecked("starts without its workflows folder".to_owned()));
        }
        other => return Err(session.fault("InitFailed or Ready", shown(&other)).await),
    };
    if error.message.is_empty() {
        return Err(session.fault("InitFailed says why", "an empty message").await);
    }
    session.hear_the_end("nothing follows InitFailed", GONE_WITHIN + SLACK).await?;
    match session.exit(GONE_WITHIN + SLACK).await {
        Some(ExitStatus::Code(69)) => Ok(()),
        status => {
            let seen = status.map_or("it lives on".to_owned(), |status| status.to_string());
            Err(session.fault("the worker exits with 69 after InitFailed", seen).await)
        }
    }
}
