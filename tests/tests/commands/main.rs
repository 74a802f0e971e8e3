//! The commands that talk to a running supervisor, as a person or a script uses them: what is on stdout,
//! what on stderr, and the exit code.

#![expect(clippy::disallowed_methods, reason = "the suite runs the binaries as a user does")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

mod definitions;
mod deliveries;
mod doctor;
mod many;
mod pool;
mod retention;
mod submit;
mod token;
mod transcript;
mod usage;
mod webhooks;

use std::io::Write;
use std::process::{Output, Stdio};

use muster_tests::Installation;

/// What a command wrote and how it ended.
struct Said {
    code: i32,
    out: String,
    err: String,
}

/// Runs a command of the installation to its end, with this on its standard input.
#[track_caller]
fn run_with(installation: &Installation, arguments: &[&str], input: &str) -> Said {
    let mut command = installation.command(arguments);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Said {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

#[track_caller]
fn run(installation: &Installation, arguments: &[&str]) -> Said {
    run_with(installation, arguments, "")
}

/// The JSON a command that succeeds writes.
#[track_caller]
fn json(installation: &Installation, arguments: &[&str]) -> serde_json::Value {
    let said = run(installation, arguments);
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

/// An installation with workflows that succeed, fail, wait and talk.
fn installed() -> Installation {
    Installation::new()
        .workflow("echo.js", "export default async (params) => params;\n")
        .workflow("throw.js", "export default async () => { throw new RangeError('out of it'); };\n")
        .workflow("sleep.js", "export default async (params, ctx) => { await ctx.sleep(params.ms); return 'slept'; };\n")
        .workflow(
            "talk.js",
            "export default async (params, ctx) => {
               for (let i = 0; i < params.count; i++) { ctx.log.info(`line ${i}`); await ctx.sleep(params.ms); }
               return params.count;
             };\n",
        )
}
