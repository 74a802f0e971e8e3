//! `supervisor batch` over no-op executions of 1 KiB, with two workers.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the batch and passes on its summary.
pub(crate) fn run(executions: u32) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("work.jsonl");
    write_lines(&file, executions)?;
    let mut command = Command::new(std::env::current_exe()?.with_file_name("supervisor"));
    command
        .arg("batch")
        .arg(&file)
        .args(["--min-workers", "2", "--max-workers", "2", "--worker-env", "MUSTER_CONFORMANCE=1"])
        .args(["--log-level", "warn", "--out"])
        .arg(folder.path().join("results.jsonl"))
        .stdin(Stdio::null());
    #[expect(clippy::disallowed_methods, reason = "the bench runs the binary as a user does")]
    let status = command.status()?;
    anyhow::ensure!(status.success(), "the batch failed: {status}");
    Ok(())
}

fn write_lines(file: &Path, executions: u32) -> anyhow::Result<()> {
    let padding = "x".repeat(960);
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    for number in 0..executions {
        writeln!(out, r#"{{"workflow":"bench.noop","params":{{"n":{number},"padding":"{padding}"}}}}"#)?;
    }
    Ok(out.flush()?)
}
