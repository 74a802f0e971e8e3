//! The `supervisor` executable: hands over to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Every TLS connection of this process uses this provider; a second one would panic at its first handshake.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return ExitCode::from(muster_supervisor::cli::exit::BUG);
    }
    muster_supervisor::cli::run()
}
