//! `supervisor check-worker`: the conformance kit against any executable.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use muster_conformance::{
    CheckEntry, CheckVerdict, CheckedWorker, ConformanceLevel, ConformanceReport, check_worker, describe,
    junit,
};
use muster_protocol::spelled_out;
use muster_system::process::{GroupLimits, Launch, close_inherited_on_exec};
use tokio::signal::unix::{SignalKind, signal};

use super::exit::CommandFailure;
use super::output::{note, print, print_line};
use crate::settings::find_program;

/// The checks that a worker has started; all others build on them.
const STARTS: [&str; 2] = ["hello", "ready"];

/// Check that an executable is a worker: drive it through the protocol and say what it keeps.
///
/// The worker is started many times, with this environment and MUSTER_PROTOCOL=1 and MUSTER_CONFORMANCE=1. It
/// takes part by the features in its Hello and the conformance.* workflows in its Ready (see protocol/SPEC.md);
/// what it does not offer is not checked, and never counts as passed.
#[derive(Debug, Args)]
#[command(
    after_help = "Levels, each with all before it; the chapter \"Write a worker\" of protocol/SPEC.md goes through them:
  0 complete   runs executions, and lacks nothing that every worker needs
  1 log        sends its log as records
  2 cancel     ends a run when it is asked to
  3 drain      leaves in good order
  4 calls      asks the supervisor for configuration, state and executions
  5 watching   answers while user code runs
  6 isolation  lets no run meet another
  7 template   makes workers of itself

Exit codes: 0 when nothing failed, 1 when something did, 2 for usage.

Examples:
  supervisor check-worker -- ./my-worker
  supervisor check-worker --only cancel --only held-pipes -- python3 -m muster_worker
  supervisor check-worker --hanging-file tests/hangs.py -- python3 -m muster_worker
  supervisor check-worker --json --junit conformance.xml -- node my-worker.js"
)]
pub(crate) struct CheckWorkerCommand {
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
    /// Write the report as JUnit XML to this file too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Only this check, or this group of checks. May be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// A workflow file in the worker's language that hangs while it is loaded, to check that it costs only itself.
    #[arg(long, value_name = "FILE")]
    hanging_file: Option<PathBuf>,
    /// Say what is checked, and check nothing.
    #[arg(long, conflicts_with_all = ["junit", "only"])]
    list: bool,
    /// The worker's program and its arguments.
    #[arg(last = true, value_name = "CMD", required_unless_present = "list")]
    command: Vec<String>,
}

impl CheckWorkerCommand {
    pub(crate) fn run(self) -> Result<ExitCode, CommandFailure> {
        if self.list {
            return list(self.json);
        }
        close_inherited_on_exec();
        let subject =
            CheckedWorker { launch: launch(&self.command)?, hanging_file: self.hanging_file.clone() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut shown = ShownChecks::default();
        let report = runtime.block_on(async {
            tokio::select! {
                report = check_worker(subject, &self.only, |entry| self.show(entry, &mut shown)) => {
                    report.map(Some).map_err(|error| CommandFailure::usage(error.to_string()))
                }
                () = asked_to_stop() => Ok(None),
            }
        })?;
        // The workers were killed when their conversations were dropped.
        let Some(report) = report else { return Ok(ExitCode::from(130)) };
        if let Some(path) = &self.junit {
            let failed =
                |why: String| CommandFailure::other(format!("cannot write {}: {why}", path.display()));
            let xml = junit(&report, &shell_words::join(&self.command))
                .map_err(|error| failed(error.to_string()))?;
            std::fs::write(path, xml).map_err(|error| failed(error.to_string()))?;
        }
        self.summarize(&report, shown.not_run)?;
        Ok(if report.counts().1 == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn show(&self, entry: &CheckEntry, shown: &mut ShownChecks) {
        if self.json || shown.is_passed_over(entry) {
            return;
        }
        let (word, lines) = match &entry.verdict {
            CheckVerdict::Passed => ("pass", Vec::new()),
            CheckVerdict::NotChecked { reason } => ("not checked", vec![reason.clone()]),
            CheckVerdict::Failed { expected, seen } => {
                ("FAIL", vec![format!("expected: {expected}"), format!("    seen: {seen}")])
            }
        };
        let mut text =
            format!("{word:<12} {:<10} {:<18} {}\n", entry.group.as_str(), entry.name, entry.promise);
        for line in lines {
            text.push_str(&format!("{:<24}{line}\n", ""));
        }
        // What the reader of the table misses, the exit code still tells.
        let _ = print(&spelled_out(&text));
    }

    fn summarize(&self, report: &ConformanceReport, not_run: usize) -> Result<(), CommandFailure> {
        if self.json {
            let text = serde_json::to_string_pretty(&report.json());
            return print_line(&text.map_err(|error| CommandFailure::other(error.to_string()))?);
        }
        let (passed, failed, open) = report.counts();
        let mut text = String::from("\n");
        if not_run > 0 {
            text.push_str(&format!(
                "the other {not_run} checks were not run: they need a worker that starts\n"
            ));
        }
        if let Some(worker) = &report.worker {
            let features = if worker.features.is_empty() {
                "no features".to_owned()
            } else {
                worker.features.join(", ")
            };
            text.push_str(&format!(
                "{} {} ({}), {}: {features}\n",
                worker.implementation, worker.implementation_version, worker.language, worker.spelling,
            ));
        }
        text.push_str(&format!("{passed} passed, {failed} failed, {open} not checked"));
        match report.level() {
            Some(level) => {
                text.push_str(&format!("; level {} ({level}): it {}", level.number(), level.meaning()));
            }
            None if report.complete => text.push_str("; no level"),
            None => {}
        }
        print_line(&spelled_out(&text))?;
        if let Some(next) = next_level(report) {
            note(&next);
        }
        Ok(())
    }
}

/// What was shown of the checks.
#[derive(Debug, Default)]
struct ShownChecks {
    /// The worker does not come as far as that it could be held to anything.
    does_not_start: bool,
    /// So many were passed over in silence for that.
    not_run: usize,
}

impl ShownChecks {
    /// True of a check that says nothing: why it was not run was said before.
    fn is_passed_over(&mut self, entry: &CheckEntry) -> bool {
        match &entry.verdict {
            CheckVerdict::Failed { .. } => self.does_not_start |= STARTS.contains(&entry.name),
            CheckVerdict::NotChecked { .. } if self.does_not_start => {
                self.not_run += 1;
                return true;
            }
            CheckVerdict::Passed | CheckVerdict::NotChecked { .. } => {}
        }
        false
    }
}

/// What stands between the worker and its next level.
fn next_level(report: &ConformanceReport) -> Option<String> {
    if !report.complete {
        return None;
    }
    let next = match report.level() {
        Some(level) => ConformanceLevel::ALL.get(level.number() + 1).copied()?,
        None => ConformanceLevel::Complete,
    };
    let of_level = |entry: &&CheckEntry| entry.group.level() == next;
    let named = |wanted: fn(&CheckVerdict) -> bool| -> Vec<&str> {
        let entries = report.entries.iter().filter(of_level).filter(|entry| wanted(&entry.verdict));
        entries.map(|entry| entry.name).collect()
    };
    let failed = named(|verdict| matches!(verdict, CheckVerdict::Failed { .. }));
    let open = named(|verdict| matches!(verdict, CheckVerdict::NotChecked { .. }));
    let (word, names) = if failed.is_empty() { ("offer", open) } else { ("fix", failed) };
    let (number, meaning) = (next.number(), next.meaning());
    Some(format!("for level {number} ({next}: it {meaning}) {word}: {}", names.join(", ")))
}

/// The worker's command with all of our environment and the two variables of the kit.
fn launch(command: &[String]) -> Result<Launch, CommandFailure> {
    let Some((name, arguments)) = command.split_first() else {
        return Err(CommandFailure::usage("give the worker's command after --"));
    };
    let program = find_program(name).filter(|program| program.exists()).ok_or_else(|| {
        CommandFailure::usage(format!("{name} is not there; give a path or a program in PATH"))
    })?;
    let launch = Launch {
        program,
        arguments: arguments.iter().map(Into::into).collect(),
        environment: std::env::vars_os().collect(),
        // What is checked is the worker, not what holds it.
        confinement: None,
        group_limits: GroupLimits::default(),
        temporary: None,
    };
    Ok(launch
        .with_variable(muster_protocol::PROTOCOL_ENV, muster_protocol::PROTOCOL_VERSION.to_string())
        .with_variable(muster_protocol::CONFORMANCE_ENV, "1"))
}

fn list(json: bool) -> Result<ExitCode, CommandFailure> {
    let checks = describe();
    if json {
        let lines: Vec<_> = checks
            .iter()
            .map(|check| {
                serde_json::json!({
                    "name": check.name,
                    "group": check.group.as_str(),
                    "level": check.group.level().number(),
                    "promise": check.promise,
                })
            })
            .collect();
        print_line(&serde_json::Value::from(lines).to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    for check in checks {
        print_line(&format!("{:<10} {:<18} {}", check.group.as_str(), check.name, check.promise))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// SIGINT or SIGTERM.
async fn asked_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_help_explains_every_level() {
        let command = crate::cli::Cli::command();
        let help = command.find_subcommand("check-worker").and_then(clap::Command::get_after_help);
        let help = help.map(ToString::to_string).unwrap_or_default();
        for level in ConformanceLevel::ALL {
            let line = format!("{} {:<10} {}", level.number(), level.to_string(), level.meaning());
            assert!(help.contains(&line), "{line} is not in\n{help}");
        }
    }
}
