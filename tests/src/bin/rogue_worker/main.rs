//! A worker that behaves unless told otherwise, with a flag for each sin.
//!
//! It speaks the protocol with `muster-protocol` alone, so that a fault of the SDK cannot hide here, and
//! unlike the SDK it leaves its standard streams where they are: what it prints is what the supervisor gets.
//!
//! Well-behaved it runs three workflows: `sleep` waits `{"seconds": n}` and can be cancelled, `log` writes
//! `{"count": n}` records, and every other name returns its params.
#![expect(clippy::disallowed_methods, reason = "a grandchild that holds the pipes is one of the sins")]

mod misdeeds;
mod run;
mod sins;
mod start;
mod wire;

use std::process::ExitCode;

use clap::Parser;
use muster_protocol::wire::Spelling;
use muster_protocol::{ToSupervisor, ToWorker};
use sins::Sins;
use wire::Wire;

fn main() -> ExitCode {
    let sins = Sins::parse();
    if sins.ignore_cancel {
        misdeeds::ignore_terminate();
    }
    match serve(&sins) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            misdeeds::say(&format!("rogue_worker: {error}\n"));
            ExitCode::from(70)
        }
    }
}

fn serve(sins: &Sins) -> std::io::Result<u8> {
    let spelling = if sins.json_lines { Spelling::JsonLines } else { Spelling::Binary };
    let mut wire = Wire::open(spelling)?;
    if let Some(code) = start::handshake(&mut wire, sins)? {
        return Ok(code);
    }
    while let Some(message) = wire.receive() {
        match message {
            ToWorker::Execute { run, workflow, params, .. } => {
                if let Some(code) = run::run(&mut wire, sins, run, &workflow, &params)? {
                    return Ok(code);
                }
            }
            ToWorker::Drain { reason, .. } => {
                wire.send(&ToSupervisor::Goodbye { reason })?;
                return Ok(0);
            }
            ToWorker::Ping { nonce } => wire.send(&ToSupervisor::Pong { nonce })?,
            ToWorker::Dump { run } => wire.send(&ToSupervisor::Stacks { run, text: "idle".into() })?,
            // A Cancel or a Reply that crossed the Finished, or a second Welcome.
            ToWorker::Cancel { .. }
            | ToWorker::Reply { .. }
            | ToWorker::Welcome { .. }
            | ToWorker::Fork { .. } => {}
        }
    }
    Ok(0)
}
