//! The default worker: JavaScript workflows on embedded QuickJS, and the workflows of the conformance kit.

use std::process::ExitCode;

use muster_worker::Worker;

fn main() -> ExitCode {
    Worker::new().with_javascript().main()
}
