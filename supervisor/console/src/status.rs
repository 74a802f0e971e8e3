//! `supervisor status`: can it take work, and what are its workers doing.

use std::process::ExitCode;

use clap::Args;
use muster_api::client::{ApiClient, ClientError};
use muster_api::{BrokerView, IsolationView, PoolView, Readiness, TemplateStateView, TemplateView};
use muster_protocol::spelled_out;
use serde::Serialize;

use super::exit::CommandFailure;
use super::human;
use super::output::{print, print_line};
use super::server::ServerFlags;

/// Show whether the supervisor can take work, and what its workers are doing.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 ready, 1 not ready, 69 when no supervisor answers.

Examples:
  supervisor status
  supervisor status --json | jq '.pool.workers[].state'
  supervisor status --url http://build-7:7420")]
pub struct StatusCommand {
    /// Print a JSON object with readiness and pool.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
}

/// What is said as JSON, here and to assistants.
#[derive(Debug, Serialize)]
pub(super) struct SupervisorStatus {
    readiness: Readiness,
    pool: PoolView,
}

impl SupervisorStatus {
    /// Asks the supervisor.
    pub(super) fn of(client: &ApiClient) -> Result<Self, ClientError> {
        Ok(Self { readiness: client.readiness()?, pool: client.pool()? })
    }
}

impl StatusCommand {
    /// Does what the command line says.
    pub fn run(&self) -> Result<ExitCode, CommandFailure> {
        let status = SupervisorStatus::of(&self.server.client()?)?;
        let SupervisorStatus { readiness, pool } = &status;
        if self.json {
            print_line(&format!("{:#}", serde_json::json!(status)))?;
        } else {
            print(&spelled_out(&describe(readiness, pool)))?;
        }
        Ok(ExitCode::from(u8::from(!readiness.ready)))
    }
}

fn describe(readiness: &Readiness, pool: &PoolView) -> String {
    let mut text = format!(
        "supervisor {} {}, up {}{}\n",
        pool.version,
        if readiness.ready { "is ready" } else { "is NOT ready" },
        human::ago(pool.started_at).trim_end_matches(" ago"),
        if pool.draining { ", draining" } else { "" },
    );
    text.push_str(&lines(readiness, pool));
    text.push_str(&format!(
        "\n{} of {} to {} workers{}, {} running, {} waiting for a worker, {} in the queue{}\n\n",
        pool.workers.len(),
        pool.min_workers,
        pool.max_workers,
        pool.isolation.suffix(),
        pool.running,
        pool.waiting,
        pool.pending.map_or_else(|| "?".to_owned(), |pending| pending.to_string()),
        in_the_broker(pool),
    ));
    text.push_str(&workers(pool));
    text
}

/// A line for each part of the readiness, each wall, the template and what is wrong, with their names in one column.
fn lines(readiness: &Readiness, pool: &PoolView) -> String {
    let parts = readiness.parts.iter().map(|part| {
        let mark = if part.ready { "ok" } else { "NOT ready" };
        (part.part.as_str(), format!("{mark}: {}", part.detail))
    });
    let walls = pool.walls.iter().map(|wall| {
        let mark = match (wall.stands, wall.asked) {
            (true, _) => "stands",
            (false, true) => "DOES NOT STAND",
            (false, false) => "not asked for",
        };
        (wall.wall.as_str(), format!("{mark}: {}", wall.detail))
    });
    let template = template(&pool.template).map(|line| ("template", line));
    let problem = pool.problem.clone().map(|problem| ("problem", problem));
    let paused = pool.pauses.iter().map(|pause| ("PAUSED", pause.sentence()));
    let lines: Vec<(&str, String)> =
        parts.chain(walls).chain(template).chain(paused).chain(problem).collect();
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    lines.iter().map(|(name, line)| format!("  {name:width$} {line}\n")).collect()
}

/// What waits in RabbitMQ, where there is one.
fn in_the_broker(pool: &PoolView) -> String {
    let counts = pool.broker.iter().flat_map(BrokerView::counts);
    counts.map(|(number, name)| format!(", {number} {name}")).collect()
}

/// How the template stands, where there is one or should be.
fn template(view: &TemplateView) -> Option<String> {
    let process = view.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
    match view.state {
        TemplateStateView::None | TemplateStateView::Absent => None,
        TemplateStateView::Starting => Some(format!("starts{process}: workers wait for it")),
        TemplateStateView::Stands => Some(format!("stands{process}: workers are made of it")),
        TemplateStateView::Broken => Some(format!(
            "BROKEN, tried again in {}: each worker loads by itself: {}",
            human::seconds(view.retry_in_seconds.unwrap_or_default()),
            view.problem.as_deref().unwrap_or_default()
        )),
    }
}

/// The table of workers. Whom they are bound to is shown where they are bound to anybody.
fn workers(pool: &PoolView) -> String {
    let are_bound = pool.isolation == IsolationView::Organization;
    let rows: Vec<Vec<String>> = pool
        .workers
        .iter()
        .map(|worker| {
            let mut row = vec![
                worker.worker.clone(),
                worker.pid.map(|pid| pid.to_string()).unwrap_or_default(),
                worker.state.clone(),
                human::seconds(worker.state_seconds),
                worker.executions.to_string(),
                human::seconds(worker.age_seconds),
                worker.rss_bytes.map(human::mebibytes).unwrap_or_default(),
                worker.execution_id.map(|id| id.to_string()).unwrap_or_default(),
            ];
            row.extend(are_bound.then(|| worker.organization.clone().unwrap_or_default()));
            row
        })
        .collect();
    let mut header = vec!["WORKER", "PID", "STATE", "FOR", "RUN", "AGE", "MEMORY", "EXECUTION"];
    header.extend(are_bound.then_some("ORGANIZATION"));
    human::table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use muster_api::{ReadinessPart, WallView};

    use super::*;
    use crate::tests::pool;

    #[test]
    fn names_of_any_length_stand_in_one_column() {
        let part =
            |part: &str| ReadinessPart { part: part.to_owned(), ready: true, detail: "open".to_owned() };
        let mut pool = pool();
        let detail = "it is refused".to_owned();
        pool.walls =
            vec![WallView { wall: "no-new-privileges".to_owned(), stands: true, asked: true, detail }];
        pool.problem = Some("none can start".to_owned());
        let lines = lines(&Readiness::of(vec![part("bus"), part("definitions")]), &pool);
        insta::assert_snapshot!(lines, @r"
          bus               ok: open
          definitions       ok: open
          no-new-privileges stands: it is refused
          problem           none can start
        ");
    }
}
