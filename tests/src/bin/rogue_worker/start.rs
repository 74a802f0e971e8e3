//! Hello, Welcome, Ready, and what can go wrong there.

use std::io;
use std::time::Duration;

use muster_protocol::{ErrorInfo, ToSupervisor, ToWorker, feature};

use crate::misdeeds;
use crate::sins::Sins;
use crate::wire::Wire;

/// Gives the exit code when the worker ends here.
pub(crate) fn handshake(wire: &mut Wire, sins: &Sins) -> io::Result<Option<u8>> {
    let sinning = sins.at_start();
    if sinning {
        if let Some(code) = sins.exit_at_once {
            misdeeds::say("rogue_worker: I cannot start\n");
            return Ok(Some(code));
        }
        if let Some(text) = &sins.print_before_hello {
            wire.write(format!("{text}\n").as_bytes())?;
        }
        if let Some(bytes) = sins.flood_before_hello {
            wire.write(&misdeeds::lines(bytes))?;
        }
        if sins.never_hello {
            wire.wait_for_the_end();
            return Ok(Some(0));
        }
    }
    wire.send(&hello(sins, sinning && sins.wrong_version))?;
    match wire.receive() {
        Some(ToWorker::Welcome { .. }) => ready(wire, sins, sinning),
        Some(_) => Ok(Some(65)),
        None => Ok(Some(71)),
    }
}

fn hello(sins: &Sins, wrong_version: bool) -> ToSupervisor {
    let version = if wrong_version { 99 } else { muster_protocol::PROTOCOL_VERSION };
    let features = [feature::LOG, feature::CANCEL, feature::PING, feature::DRAIN, feature::DUMP];
    let offered = if sins.no_features { &[][..] } else { &features[..] };
    ToSupervisor::Hello {
        protocol_min: version,
        protocol_max: version,
        implementation: "rogue_worker".into(),
        implementation_version: env!("CARGO_PKG_VERSION").into(),
        language: "none".into(),
        pid: std::process::id(),
        features: offered.iter().map(|&feature| feature.to_owned()).collect(),
    }
}

fn ready(wire: &mut Wire, sins: &Sins, sinning: bool) -> io::Result<Option<u8>> {
    if sinning {
        if let Some(message) = &sins.init_failed {
            let error = ErrorInfo::new("RogueError", message);
            wire.send(&ToSupervisor::InitFailed { error })?;
            return Ok(Some(69));
        }
        if sins.never_ready {
            wire.wait_for_the_end();
            return Ok(Some(0));
        }
        if let Some(time_ms) = sins.slow_start {
            std::thread::sleep(Duration::from_millis(time_ms));
        }
    }
    wire.send(&ToSupervisor::Ready { workflows: Vec::new() })?;
    Ok(None)
}
