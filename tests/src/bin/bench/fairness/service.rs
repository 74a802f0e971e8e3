//! A case as it is played: a supervisor, its organizations, what they submit, and what the rows say afterwards.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use muster_tests::{Installation, Record, Services, TestClient};
use serde_json::{Value, json};
use uuid::Uuid;

use super::cases::{Contender, FairnessCase};
use super::measure::{CaseOutcome, TimedRun};

const READY_WITHIN: Duration = Duration::from_secs(120);
/// Before it is measured, so that nobody is new.
const WARM_UP: Duration = Duration::from_secs(5);
/// Who comes late comes so often.
const BURST_EVERY: Duration = Duration::from_secs(6);
/// So many are one request.
const BATCH: usize = 5_000;

const SLEEP: &str = "export default async (params, ctx) => { await ctx.sleep(params.ms); };\n";

fn id_of(place: usize) -> Uuid {
    Uuid::from_u128(place as u128 + 1)
}

pub(super) fn measure(
    services: &Services,
    case: &FairnessCase,
    workers: usize,
    length: Duration,
) -> anyhow::Result<CaseOutcome> {
    let backends = services.fresh();
    let record = Record::of(&backends);
    let place = Installation::new()
        .backends(&backends)
        .workflow("sleep.js", SLEEP)
        .setting("min_workers", workers)
        .setting("max_workers", workers)
        .setting("log_level", "warn");
    let supervisor = place.spawn();
    supervisor.wait_ready(READY_WITHIN);
    let client = supervisor.client();
    client.put("/api/limits/keys", &json!({ "per_key": 1, "key": "parameters.key" }));
    for (number, organization) in case.organizations.iter().enumerate() {
        let Contender { name, weight, .. } = organization;
        record.execute(&format!(
            "INSERT INTO organizations (id, name, is_active, weight) VALUES ('{}', '{name}', true, {weight})",
            id_of(number)
        ));
    }
    // The smallest part of each first, so that all have something from the first moment on.
    let mut left: Vec<usize> = case.organizations.iter().map(|one| one.backlog).collect();
    while left.iter().any(|left| *left > 0) {
        for (number, organization) in case.organizations.iter().enumerate() {
            let count = left[number].min(BATCH);
            submit(client, number, organization, count)?;
            left[number] -= count;
        }
    }
    let begun = Instant::now();
    let mut from = None;
    let mut next_burst = WARM_UP;
    while begun.elapsed() < WARM_UP + length {
        if begun.elapsed() >= WARM_UP && from.is_none() {
            from = Some(now(&record)?);
        }
        if begun.elapsed() >= next_burst {
            next_burst += BURST_EVERY;
            for (number, organization) in case.organizations.iter().enumerate() {
                submit(client, number, organization, organization.burst)?;
            }
        }
        // The pace of those who come; what they meet is measured by the database's clock.
        std::thread::sleep(Duration::from_millis(20));
    }
    let from = from.context("the case was over before it began")?;
    let to = now(&record)?;
    let runs = runs(&record, case, (from, to))?;
    supervisor.kill();
    Ok(CaseOutcome::of(case, workers, (from, to), runs))
}

fn submit(client: &TestClient, number: usize, of: &Contender, count: usize) -> anyhow::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let one = |place: usize| {
        let key = if of.keys > 0 { place % of.keys } else { 0 };
        json!({
            "workflow": "sleep",
            "organization_id": id_of(number),
            "parameters": { "ms": of.run_ms, "key": format!("k{key}") },
            "limits": if of.keys > 0 { &["keys"][..] } else { &[] },
        })
    };
    let items: Vec<Value> = (0..count).map(one).collect();
    let answer = client.post("/api/executions/batch", &items.into());
    let taken = answer.body["executions"].as_array().into_iter().flatten();
    let taken = taken.filter(|item| item["execution_id"].is_string()).count();
    anyhow::ensure!(taken == count, "{taken} of {count} were taken: {}", answer.status);
    Ok(())
}

fn now(record: &Record) -> anyhow::Result<f64> {
    let rows = record.select("SELECT extract(epoch FROM clock_timestamp())::float8 AS now");
    rows.first().and_then(|row| row["now"].as_f64()).context("the database does not tell the time")
}

/// All runs that touch the time that is measured.
fn runs(record: &Record, case: &FairnessCase, span: (f64, f64)) -> anyhow::Result<Vec<TimedRun>> {
    let seconds = |column: &str| format!("extract(epoch FROM {column})::float8 AS {column}");
    let rows = record.select(&format!(
        "SELECT organization_id, {}, {}, {} FROM executions
         WHERE started_at IS NOT NULL AND started_at <= to_timestamp({})
            AND coalesce(completed_at, 'infinity') >= to_timestamp({})",
        seconds("created_at"),
        seconds("started_at"),
        seconds("completed_at"),
        span.1,
        span.0,
    ));
    let places: Vec<String> = (0..case.organizations.len()).map(|number| id_of(number).to_string()).collect();
    let run = |row: &Value| {
        let id = row["organization_id"].as_str();
        Some(TimedRun {
            organization: places.iter().position(|place| Some(place.as_str()) == id)?,
            created: row["created_at"].as_f64()?,
            started: row["started_at"].as_f64()?,
            ended: row["completed_at"].as_f64().unwrap_or(span.1),
        })
    };
    rows.iter().map(|row| run(row).context("a row without its times")).collect()
}
