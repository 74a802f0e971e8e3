//! The command line of a worker program.

use std::process::ExitCode;

use muster_protocol::wire::Spelling;
use muster_protocol::{CONFORMANCE_ENV, PROTOCOL_ENV};

use crate::worker::Worker;

/// The environment variables that are for the worker and not for user code.
const OWN_VARIABLES: [&str; 2] = [PROTOCOL_ENV, CONFORMANCE_ENV];

pub(crate) fn main(worker: Worker) -> ExitCode {
    crate::trusted::remove_environment(&OWN_VARIABLES);
    ExitCode::from(crate::serve::serve(worker.into_engines(), Spelling::Binary))
}
