//! The sins that are more than a message at the wrong time.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use muster_protocol::limits::FRAME_MAX_BYTES;
use muster_protocol::wire::Spelling;
use muster_protocol::{JsonBytes, RunOutcome, ToSupervisor};
use rustix::process::{Signal, getpid, kill_process};

use crate::sins::Sins;

/// Says that this process already ignores SIGTERM.
const IGNORING: &str = "ROGUE_WORKER_IGNORES_TERM";

/// Ignores SIGTERM from here on. A disposition set by a shell survives exec, which needs no unsafe code.
pub(crate) fn ignore_terminate() {
    if std::env::var_os(IGNORING).is_some() {
        return;
    }
    let Ok(this) = std::env::current_exe() else { return };
    let error = Command::new("/bin/sh")
        .args(["-c", "trap '' TERM; exec \"$0\" \"$@\""])
        .arg(this)
        .args(std::env::args_os().skip(1))
        .env(IGNORING, "1")
        .exec();
    say(&format!("rogue_worker: /bin/sh: {error}\n"));
}

/// Writes to stderr, whole or not at all as far as anyone can tell.
pub(crate) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// So much text, in lines of 100 bytes.
pub(crate) fn lines(bytes: usize) -> Vec<u8> {
    let line = [&[b'x'; 99][..], b"\n"].concat();
    line.into_iter().cycle().take(bytes).collect()
}

/// SIGKILL to itself.
pub(crate) fn crash() -> ! {
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort();
}

/// Keeps a core busy.
pub(crate) fn compute_for_ever() -> ! {
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

/// Takes memory and touches it, so that it counts.
pub(crate) fn leak(mebibytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1_u8; mebibytes * 1024 * 1024]));
}

/// Starts a process that inherits all three streams and is not waited for.
pub(crate) fn grandchild(command: &[&str]) -> io::Result<()> {
    Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::inherit())
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit())
        .spawn()
        .map(drop)
}

/// Starts a process that writes to stderr without end.
pub(crate) fn flooding_child() -> io::Result<()> {
    Command::new("/bin/sh")
        .args(["-c", "exec yes flood >&2"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map(drop)
}

/// The result the flags ask for in place of the honest one.
pub(crate) fn result(sins: &Sins) -> Option<RunOutcome> {
    let result = match sins.big_result {
        Some(bytes) => JsonBytes::of(&"x".repeat(bytes)),
        None if sins.invalid_result => JsonBytes::from(b"{\"half\": ".to_vec()),
        None => return None,
    };
    Some(RunOutcome::Succeeded { result })
}

/// A message of a version to come.
pub(crate) fn unknown_message(json_lines: bool) -> Vec<u8> {
    if json_lines { b"{\"Later\":{\"run\":1}}\n".to_vec() } else { frame(&999_u32.to_le_bytes()) }
}

/// The broken frame the flags ask for.
pub(crate) fn broken_frame(sins: &Sins) -> Option<Vec<u8>> {
    if sins.hostile_length {
        // A first byte other than 0x00 would be taken for text; this header is a length, and too long a one
        // in JSON lines mode, where there are no lengths.
        return Some(if sins.json_lines { vec![b'{'; FRAME_MAX_BYTES + 1] } else { vec![0xff; 4] });
    }
    if sins.zero_length {
        return Some(vec![0; 4]);
    }
    if sins.bad_body {
        // An Idle whose bool is 7.
        return Some(frame(&[&8_u32.to_le_bytes()[..], &[0; 12], &[7]].concat()));
    }
    if sins.hostile_inner_length {
        // A Goodbye whose reason is said to be almost endless.
        return Some(frame(&[&10_u32.to_le_bytes()[..], &u64::MAX.to_le_bytes(), b"bye"].concat()));
    }
    if sins.half_frame {
        let mut bytes = Vec::new();
        let whole = ToSupervisor::Goodbye { reason: "x".repeat(100) };
        let spelling = if sins.json_lines { Spelling::JsonLines } else { Spelling::Binary };
        spelling.append(&whole, &mut bytes).ok()?;
        bytes.truncate(bytes.len() / 2);
        return Some(bytes);
    }
    None
}

fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or_default();
    [&length.to_be_bytes()[..], body].concat()
}
