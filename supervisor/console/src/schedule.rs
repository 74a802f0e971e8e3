//! `supervisor schedule`: workflows that run by themselves.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use muster_api::client::{Defined, DefinitionKind, ScheduleSwitch};
use muster_api::{MissedWord, OverlapWord};
use muster_api::{ScheduleDefinition, ScheduleView, SchedulesView};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::definition::{ChangeFlags, OwnerFlags, print_found};
use super::exit::CommandFailure;
use super::human;
use super::output::{json_line, note_pauses, print, print_line, print_table};
use super::server::ServerFlags;

/// Run workflows by themselves, at the times of a line of cron.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  supervisor schedule set nightly --workflow report --cron '30 2 * * *' --time-zone Europe/Berlin
  supervisor schedule next nightly --count 5
  supervisor schedule list
  supervisor schedule pause nightly
  supervisor schedule run nightly                      now, beside its ticks")]
pub struct ScheduleCommand {
    #[command(subcommand)]
    action: ScheduleAction,
}

#[derive(Debug, Subcommand)]
enum ScheduleAction {
    /// List the schedules, with what they did last and do next.
    #[command(after_help = "Examples:
  supervisor schedule list
  supervisor schedule list --json | jq -r '.schedules[] | \"\\(.schedule.name) \\(.next_at)\"'")]
    List {
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Show one schedule, as JSON.
    #[command(after_help = "Examples:
  supervisor schedule show nightly
  supervisor schedule show nightly | jq -r .last_execution")]
    Show {
        /// Which schedule.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Define a schedule, or change it: what is not said stays as it is.
    #[command(after_help = "Examples:
  supervisor schedule set nightly --workflow report --cron '30 2 * * *' --time-zone Europe/Berlin
  supervisor schedule set nightly --params '{\"all\":true}' --overlap queue --missed run_all
  supervisor schedule set hourly --workflow sync --cron @hourly --jitter 300")]
    Set(Box<ScheduleFlags>),
    /// Remove a schedule. Its executions stay.
    #[command(after_help = "Examples:
  supervisor schedule remove nightly
  supervisor schedule remove nightly --dry-run")]
    Remove {
        /// Which schedule.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        change: ChangeFlags,
    },
    /// Let a schedule no longer tick. What ticks meanwhile is not made up for.
    #[command(after_help = "Examples:
  supervisor schedule pause nightly
  supervisor schedule pause nightly --json")]
    Pause {
        /// Which schedule.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        change: ChangeFlags,
    },
    /// Let a schedule tick again.
    #[command(after_help = "Examples:
  supervisor schedule resume nightly
  supervisor schedule resume nightly --json")]
    Resume {
        /// Which schedule.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        change: ChangeFlags,
    },
    /// Run a schedule's workflow now, beside its ticks; prints the id of the execution.
    #[command(after_help = "Examples:
  supervisor schedule run nightly
  supervisor logs $(supervisor schedule run nightly) --follow")]
    Run {
        /// Which schedule.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        server: ServerFlags,
    },
    /// Show the next ticks of a schedule, with the offset of its time zone.
    #[command(after_help = "Examples:
  supervisor schedule next nightly
  supervisor schedule next nightly --count 10 --after 2027-03-26T00:00:00Z")]
    Next {
        /// Which schedule.
        #[arg(value_name = "NAME")]
        name: String,
        /// So many.
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
        /// After this moment [default: now].
        #[arg(long, value_name = "TIME")]
        after: Option<String>,
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: ServerFlags,
    },
}

/// What `set` may say.
#[derive(Debug, Args)]
struct ScheduleFlags {
    /// Which schedule.
    #[arg(value_name = "NAME")]
    name: String,
    /// The workflow that it runs.
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// When: minute, hour, day of month, month, day of week; or a word such as @daily.
    #[arg(long, value_name = "LINE")]
    cron: Option<String>,
    /// The time zone of that, such as Europe/Berlin [default: UTC].
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// The queue its executions wait in [default: that of the supervisor that sees the tick].
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// What the workflow is run with, a JSON object.
    #[arg(long, value_name = "JSON")]
    params: Option<String>,
    /// What becomes of a tick while the execution of the one before is not over [default: skip].
    #[arg(long, value_name = "WHAT")]
    overlap: Option<OverlapWord>,
    /// What becomes of ticks that came while nobody was up [default: run_once].
    #[arg(long, value_name = "WHAT")]
    missed: Option<MissedWord>,
    /// How old a missed tick may be to be run [default: 3600].
    #[arg(long, value_name = "SECONDS")]
    missed_seconds: Option<u32>,
    /// Run each tick up to so much later, always by the same [default: 0].
    #[arg(long, value_name = "SECONDS")]
    jitter: Option<u32>,
    /// The id of a new one [default: made of its name, the same in every database].
    #[arg(long, value_name = "ID")]
    id: Option<Uuid>,
    #[command(flatten)]
    owner: OwnerFlags,
    #[command(flatten)]
    change: ChangeFlags,
}

fn schedule(name: &str) -> Defined<'_> {
    Defined { kind: DefinitionKind::Schedule, name, organization: None }
}

impl ScheduleCommand {
    /// Does what the command line says.
    pub fn run(self) -> Result<ExitCode, CommandFailure> {
        match self.action {
            ScheduleAction::List { json, server } => list(json, &server)?,
            ScheduleAction::Show { name, server } => {
                let found: Option<ScheduleView> = server.client()?.defined(schedule(&name))?;
                print_found(found, "schedule", &name)?;
            }
            ScheduleAction::Set(flags) => flags.run()?,
            ScheduleAction::Remove { name, change } => change.remove(schedule(&name))?,
            ScheduleAction::Pause { name, change } => switch(&name, ScheduleSwitch::Pause, &change)?,
            ScheduleAction::Resume { name, change } => switch(&name, ScheduleSwitch::Resume, &change)?,
            ScheduleAction::Run { name, server } => {
                let accepted = server.client()?.run_schedule(&name)?;
                note_pauses(&accepted.paused_by);
                print_line(&accepted.execution_id.to_string())?;
            }
            ScheduleAction::Next { name, count, after, json, server } => {
                let ticks = server.client()?.ticks(&name, count, after)?;
                if json {
                    print_line(&json_line(&ticks))?;
                } else {
                    print(&ticks.ticks.iter().map(|tick| format!("{}\n", tick.local)).collect::<String>())?;
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn switch(name: &str, to: ScheduleSwitch, change: &ChangeFlags) -> Result<(), CommandFailure> {
    change.report(&change.client()?.switch_schedule(name, to, change.dry_run)?)
}

impl ScheduleFlags {
    fn run(self) -> Result<(), CommandFailure> {
        let client = self.change.client()?;
        let known: Option<ScheduleView> = client.defined(schedule(&self.name))?;
        let known = known.map(|known| known.schedule);
        let missing = |flag: &str| {
            CommandFailure::usage(format!(
                "the schedule {:?} is new: say --workflow and --cron ({flag} is missing)",
                self.name
            ))
        };
        let workflow = self.workflow.clone().or_else(|| known.as_ref().map(|known| known.workflow.clone()));
        let cron = self.cron.clone().or_else(|| known.as_ref().map(|known| known.cron.clone()));
        let parameters = self.params.as_deref().map(serde_json::from_str::<Box<RawValue>>).transpose();
        let parameters =
            parameters.map_err(|error| CommandFailure::usage(format!("--params is no JSON: {error}")))?;
        let before = known.as_ref();
        let wanted = ScheduleDefinition {
            name: self.name.clone(),
            workflow: workflow.ok_or_else(|| missing("--workflow"))?,
            cron: cron.ok_or_else(|| missing("--cron"))?,
            time_zone: self.time_zone.clone().or_else(|| before?.time_zone.clone()),
            organization: self.owner.organization.clone().or_else(|| before?.organization.clone()),
            queue: self.queue.clone().or_else(|| before?.queue.clone()),
            parameters: parameters.or_else(|| before?.parameters.clone()),
            overlap: self.overlap.or_else(|| before?.overlap),
            missed: self.missed.or_else(|| before?.missed),
            missed_seconds: self.missed_seconds.or_else(|| before?.missed_seconds),
            jitter_seconds: self.jitter.or_else(|| before?.jitter_seconds),
            is_paused: None,
            id: self.id.or_else(|| before?.id),
        };
        self.change.report(&client.define(schedule(&self.name), &wanted, self.change.dry_run)?)
    }
}

fn list(json: bool, server: &ServerFlags) -> Result<(), CommandFailure> {
    let all: SchedulesView = server.client()?.all_defined(DefinitionKind::Schedule)?;
    if json {
        return print_line(&json_line(&all));
    }
    let row = |one: &ScheduleView| {
        let ScheduleDefinition { name, workflow, cron, time_zone, is_paused, .. } = &one.schedule;
        let next = match (is_paused, one.next_at) {
            (Some(true), _) => "paused".to_owned(),
            (_, Some(next)) => human::time(next),
            (_, None) => "-".to_owned(),
        };
        let last = one.last_at.map_or_else(|| "-".to_owned(), human::time);
        let zone = time_zone.clone().unwrap_or_default();
        let outcome = one.last_outcome.clone().unwrap_or_else(|| "-".to_owned());
        vec![name.clone(), workflow.clone(), cron.clone(), zone, next, last, outcome]
    };
    let rows: Vec<Vec<String>> = all.schedules.iter().map(row).collect();
    let header = ["NAME", "WORKFLOW", "CRON", "ZONE", "NEXT", "LAST", "CAME TO"];
    print_table(&header, &rows, "no schedule is defined")
}
