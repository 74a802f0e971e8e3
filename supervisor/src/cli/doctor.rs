//! `supervisor doctor`: whether everything a supervisor needs is there.

use std::process::ExitCode;

use clap::Args;
use muster_protocol::spelled_out;

use super::exit::CommandFailure;
use super::output::print;
use super::setting_flags::SettingFlags;
use crate::doctor::{DoctorFinding, Severity, examine, of_problems};
use crate::settings::Settings;

/// Check settings, worker, servers and limits: one line each, with what to do about it.
///
/// It starts one worker and lets it leave again, and writes two keys to Redis that it deletes at once. Nothing
/// else is changed: no folder is made, no schema migrated, no queue declared. A supervisor may be running.
/// Exits with 0 when nothing FAILs, otherwise with 1.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor doctor
  supervisor doctor --json | jq '.findings[] | select(.verdict != \"ok\")'
  supervisor doctor --worker-command 'python3 -m muster_worker'
  MUSTER_DATABASE_URL=postgres://... supervisor doctor")]
pub(crate) struct DoctorCommand {
    /// Print a JSON object: `ok`, and `findings` with check, verdict, seen and fix.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

impl DoctorCommand {
    pub(crate) fn run(&self) -> Result<ExitCode, CommandFailure> {
        let findings = match self.settings.load() {
            Ok(settings) => findings(&settings)?,
            Err(error) => of_problems(&error),
        };
        let ok = findings.iter().all(|finding| finding.verdict < Severity::Fail);
        if self.json {
            let report = serde_json::json!({"ok": ok, "findings": findings});
            print(&format!("{report:#}\n"))?;
        } else {
            print(&spelled_out(&findings.iter().map(|finding| format!("{finding}\n")).collect::<String>()))?;
        }
        Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn findings(settings: &Settings) -> Result<Vec<DoctorFinding>, CommandFailure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let findings = runtime.block_on(examine(settings));
    // What hangs was reported, and is not waited for.
    runtime.shutdown_background();
    Ok(findings)
}
