//! The embedded default: one supervisor with SQLite, two workers, and a client that speaks HTTP.

use std::path::Path;

use crate::posting;

/// Measures the binaries of a folder.
pub(crate) fn run(binaries: &Path, executions: u32) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(posting::measure(binaries, executions, None))
}
