//! `supervisor fleet` and `report`: who is on the database, and how all of it is.

use std::process::ExitCode;

use clap::Args;
use muster_api::{FleetMemberView, SupervisorLife, Verdict};
use muster_protocol::spelled_out;

use super::exit::CommandFailure;
use super::human;
use super::output::{json_line, print, print_line};
use super::server::ServerFlags;

/// List every supervisor on the database: where it is, whether it lives, and what it does.
#[derive(Debug, Args)]
#[command(
    after_help = "A supervisor says how it is every 10 s; one that was not heard of for 30 s is silent.

Examples:
  supervisor fleet
  supervisor fleet --json | jq -r '.[] | select(.life == \"silent\") | .host'"
)]
pub struct FleetCommand {
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl FleetCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let supervisors = self.server.client()?.fleet()?.supervisors;
        if self.json {
            print_line(&json_line(&supervisors))?;
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<Vec<String>> = supervisors.iter().map(row).collect();
        let header =
            ["HOST", "PROCESS", "VERSION", "LIFE", "UP", "WORKERS", "RUNNING", "QUEUES", "SEEN", "ADDRESS"];
        print(&spelled_out(&human::table(&header, &rows)))?;
        for (one, said) in supervisors.iter().filter_map(|one| Some((one, one.said.as_ref()?))) {
            for problem in said.problems.iter().filter(|_| one.life == SupervisorLife::Troubled) {
                print(&spelled_out(&format!("{}: {problem}\n", one.host)))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn row(one: &FleetMemberView) -> Vec<String> {
    let said = one.said.clone().unwrap_or_default();
    let seen = one.silent_seconds.map_or_else(|| "-".to_owned(), |silent| format!("{silent:.0} s ago"));
    vec![
        one.host.clone(),
        one.process_id.to_string(),
        one.version.clone().unwrap_or_else(|| "-".to_owned()),
        one.life.as_str().to_owned(),
        human::ago(one.started_at).trim_end_matches(" ago").to_owned(),
        format!("{} of {}", said.workers, said.max_workers),
        one.holds.to_string(),
        said.queues.join(" "),
        seen,
        one.http_address.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

/// Say how the fleet is: flow, execution and servers, each with what it is judged by and what to do next.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 healthy, 1 degraded or failing, 69 when no supervisor answers.

Examples:
  supervisor report
  supervisor report --json | jq -r '.sections[] | select(.verdict != \"healthy\") | .next_step'")]
pub struct ReportCommand {
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

impl ReportCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let report = self.server.client()?.report()?;
        match self.json {
            true => print_line(&json_line(&report))?,
            false => print(&spelled_out(&report.text()))?,
        }
        Ok(ExitCode::from(u8::from(report.verdict != Verdict::Healthy)))
    }
}
