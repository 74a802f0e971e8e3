//! How messages become bytes, in both directions.

use muster_protocol::wire::Spelling;
use muster_protocol::{CodeSource, ToSupervisor, ToWorker, feature};
use serde_json::{Value, json};

use super::{GONE_WITHIN, SLACK};
use crate::bench::Workbench;
use crate::failure::Checked;
use crate::session::{WorkerSession, shown, welcome};

/// Parameters that fit into no pipe.
const LARGE_BYTES: usize = 1024 * 1024;
/// When so much lies in the pipe, the worker waits for its reader.
const PIPE_FULL_BYTES: u64 = 64 * 1024;

pub(crate) async fn single_bytes(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let (run, execute) = session.execute("echo", &json!("byte by byte"));
    let bytes = session.bytes_of(&[&execute])?;
    session.write_in_pieces(bytes.chunks(1)).await?;
    let ended = session.whole(run).await?;
    session.must_return(&ended, &json!("byte by byte"), "an Execute written byte by byte").await
}

pub(crate) async fn split_messages(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    // Inside the length, right after it, inside the message's number, in the middle, before the last byte.
    for cut in [2, 4, 6, 60, usize::MAX] {
        let word = json!({ "cut": cut.min(60) });
        let (run, execute) = session.execute("echo", &word);
        let bytes = session.bytes_of(&[&execute])?;
        let (head, rest) = bytes.split_at(cut.min(bytes.len() - 1));
        session.write_in_pieces([head, rest].into_iter()).await?;
        let ended = session.whole(run).await?;
        session.must_return(&ended, &word, "an Execute written in two pieces").await?;
    }
    Ok(())
}

/// What is joined with the Execute is what the worker must know anyway, or may pass over.
pub(crate) async fn joined_messages(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let (run, execute) = session.execute("echo", &json!("joined"));
    let mut bytes = Vec::new();
    if bench.offers(feature::PING) {
        bytes.extend(session.bytes_of(&[
            &ToWorker::Ping { nonce: 1 },
            &execute,
            &ToWorker::Ping { nonce: 2 },
        ])?);
        session.write(&bytes).await?;
        let expected = "Pong to the Ping in front of an Execute in the same write";
        match session.expect_message(expected).await? {
            ToSupervisor::Pong { nonce: 1 } => {}
            other => return Err(session.fault(expected, shown(&other)).await),
        }
    } else {
        bytes.extend(later_message(session.spelling()));
        bytes.extend(session.bytes_of(&[&execute])?);
        bytes.extend(later_message(session.spelling()));
        session.write(&bytes).await?;
    }
    let ended = session.whole(run).await?;
    session.must_return(&ended, &json!("joined"), "an Execute between two other messages in one write").await
}

pub(crate) async fn unknown_messages(bench: &Workbench) -> Checked {
    let mut session = bench.start().await?;
    let hello = session.hello().await?;
    let later = later_message(session.spelling());
    session.write(&later).await?;
    session.send(&welcome(&hello.features)).await?;
    session.write(&later).await?;
    session.hear_ready().await?;
    session.write(&later).await?;
    session.still_works("a message of a later version").await?;
    session.write(&later).await?;
    session.still_works("another message of a later version").await
}

/// A message whose number, or name, version 1 does not know.
fn later_message(spelling: Spelling) -> Vec<u8> {
    match spelling {
        Spelling::JsonLines => b"{\"Later\":{\"run\":1,\"nested\":{\"Execute\":[1]}}}\n".to_vec(),
        Spelling::Binary => {
            let body = [&4096_u32.to_le_bytes()[..], b"of a version to come"].concat();
            let length = u32::try_from(body.len()).unwrap_or_default();
            [&length.to_be_bytes()[..], &body].concat()
        }
    }
}

pub(crate) async fn unknown_fields(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let (run, execute) = session.execute("echo", &json!("with more"));
    let mut line = serde_json::to_value(&execute).unwrap_or_default();
    line["Execute"]["later"] = json!({ "nested": [true, null] });
    session.write(format!("{line}\n").as_bytes()).await?;
    let ended = session.whole(run).await?;
    session.must_return(&ended, &json!("with more"), "an Execute with a field of a later version").await
}

pub(crate) async fn large_params(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let large = large(LARGE_BYTES);
    let ended = session.run("echo", &large).await?;
    session.must_return(&ended, &large, "an echo of 1 MiB").await?;
    session.still_works("a large message").await
}

/// The kit reads only when the worker waits for it, and then a little at a time.
pub(crate) async fn slow_reader(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let large = large(LARGE_BYTES / 2);
    let (run, execute) = session.execute("echo", &large);
    session.send(&execute).await?;
    if !session.unread(PIPE_FULL_BYTES).await {
        let expected = "the outcome of an echo of 512 KiB is written while nobody reads";
        return Err(session.fault(expected, "little or nothing was written").await);
    }
    let pings = bench.offers(feature::PING);
    if pings {
        session.send(&ToWorker::Ping { nonce: 7 }).await?;
    }
    session.read_slowly(4096);
    let ended = session.whole(run).await?;
    session.must_return(&ended, &large, "an echo of 512 KiB to a slow reader").await?;
    session.still_works("a slow reader").await
}

fn large(bytes: usize) -> Value {
    json!({ "text": "0123456789abcde\n".repeat(bytes / 16) })
}

pub(crate) async fn empty_frame(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    session.write(&[0; 4]).await?;
    must_leave(&mut session, "a frame of no bytes").await
}

pub(crate) async fn broken_frame(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    // A Cancel that breaks off after its run.
    session.write(&[0, 0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0]).await?;
    // A worker without `cancel` skips it unread, which is as good.
    if !bench.offers(feature::CANCEL) {
        return session.still_works("a broken Cancel that it does not know").await;
    }
    must_leave(&mut session, "a Cancel that breaks off").await
}

/// A peer that breaks the protocol cannot be understood any more: the worker leaves, with whatever code.
async fn must_leave(session: &mut WorkerSession, after: &str) -> Checked {
    session.hear_the_end(&format!("the worker leaves after {after}"), GONE_WITHIN + SLACK).await?;
    match session.exit(GONE_WITHIN + SLACK).await {
        Some(_) => Ok(()),
        None => Err(session.fault(format!("the process ends after {after}"), "it lives on").await),
    }
}

/// Code that is no text: a legal frame, and no legal program.
pub(crate) async fn invalid_utf8(bench: &Workbench) -> Checked {
    let mut session = bench.ready().await?;
    let (run, mut execute) = session.execute("inline", &json!(null));
    if let ToWorker::Execute { source, .. } = &mut execute {
        *source = CodeSource::Inline { language: String::new(), code: vec![0xff, 0xfe, b'(', 0x80].into() };
    }
    session.send(&execute).await?;
    let ended = session.whole(run).await?;
    if matches!(ended.outcome, muster_protocol::RunOutcome::Succeeded { .. }) {
        let expected = "inline code that is not UTF-8 is Failed or Rejected";
        return Err(session.fault(expected, format!("{:?}", ended.outcome)).await);
    }
    session.still_works("inline code that is not UTF-8").await
}
