//! The `supervisor` executable: hands over to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    muster_system::process::hear_signals();
    // What outlives a supervisor that is killed: nothing else of one may have begun.
    if let Some(code) = muster_system::process::guard_if_asked() {
        return code;
    }
    // Every TLS connection of this process uses this provider; a second one would panic at its first handshake.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return ExitCode::from(muster_supervisor::cli::exit::BUG);
    }
    muster_supervisor::cli::run()
}
