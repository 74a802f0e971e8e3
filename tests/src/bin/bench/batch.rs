//! `supervisor batch` over no-op executions of 1 KiB, with two workers.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::measured::cpu_seconds_of_ended_children;

/// Runs the batch with the binaries of a folder, and gives the last line of what it says: its summary.
pub(crate) fn run(binaries: &Path, executions: u32) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("work.jsonl");
    write_lines(&file, executions)?;
    let mut command = Command::new(binaries.join("supervisor"));
    command
        .arg("batch")
        .arg(&file)
        .args(["--min-workers", "2", "--max-workers", "2", "--worker-env", "MUSTER_CONFORMANCE=1"])
        .args(["--log-level", "warn", "--out"])
        .arg(folder.path().join("results.jsonl"))
        .stdin(Stdio::null());
    let before = cpu_seconds_of_ended_children();
    #[expect(clippy::disallowed_methods, reason = "the bench runs the binary as a user does")]
    let output = command.stderr(Stdio::piped()).output()?;
    let cpu = (cpu_seconds_of_ended_children() - before) * 1e6 / f64::from(executions);
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "the batch failed: {said}");
    Ok(format!("  {}; {cpu:.0} CPU us each\n", said.trim_end().lines().last().unwrap_or_default()))
}

fn write_lines(file: &Path, executions: u32) -> anyhow::Result<()> {
    let padding = "x".repeat(960);
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    for number in 0..executions {
        writeln!(out, r#"{{"workflow":"bench.noop","params":{{"n":{number},"padding":"{padding}"}}}}"#)?;
    }
    Ok(out.flush()?)
}
