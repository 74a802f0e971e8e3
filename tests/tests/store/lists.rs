//! Lists: every combination of filters gives what it should, and costs as much as it shows.

use std::sync::Arc;

use jiff::Timestamp;
use muster_core::execution::Status;
use muster_store::{
    Claim, Disposition, ExecutionFailure, ExecutionFilter, ExecutionOutcome, ExecutionRecord, NewExecution,
};
use uuid::Uuid;

use crate::fixture::{Fixture, ListValues, claimant, ending, new_execution};

/// The statements of lists, and what each is narrowed by beside the state.
const PARTS: [(&str, &[&str]); 8] = [
    ("by_status", &[]),
    ("by_workflow", &[WORKFLOW]),
    ("by_organization", &[ORGANIZATION]),
    ("by_organization_workflow", &[ORGANIZATION, WORKFLOW]),
    ("by_error", &[ERROR]),
    ("by_workflow_error", &[WORKFLOW, ERROR]),
    ("by_organization_error", &[ORGANIZATION, ERROR]),
    ("by_organization_workflow_error", &[ORGANIZATION, WORKFLOW, ERROR]),
];
const WORKFLOW: &str = "report";
const ORGANIZATION: &str = "00000000-0000-0000-0000-0000000000aa";
const ERROR: &str = "ValueError";

/// The first moment of the rows here.
const BEGIN: i64 = 1_700_000_000_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(BEGIN + micros).unwrap()
}

pub(crate) async fn a_list_has_exactly_what_its_filters_let_through(fixture: Fixture) {
    const ROWS: i64 = 72;
    let organization: Uuid = ORGANIZATION.parse().unwrap();
    let mut rows = Vec::new();
    for number in 0..ROWS {
        let new = NewExecution {
            workflow_name: [Some(WORKFLOW), Some("greet"), None][number as usize % 3].map(str::to_owned),
            organization_id: [Some(organization), None][number as usize / 3 % 2],
            ..new_execution()
        };
        let id = new.id;
        fixture.store.submit(&[new]).await.unwrap();
        let status = Status::ALL[number as usize % 5];
        let error = ["NULL", "'ValueError'", "'KeyError'", "'Kääse'"][number as usize / 5 % 4];
        // What runs has an owner.
        let owner =
            if status == Status::Running { format!("'{}'", Uuid::now_v7()) } else { "NULL".to_owned() };
        // Three rows of each moment: their order is that of their ids.
        let created_at = fixture.moment(&(BEGIN + number / 3).to_string());
        fixture
            .sql(&format!(
                "UPDATE executions SET status = '{status}', error_type = {error}, created_at = {created_at}, \
                     lease_owner = {owner} WHERE id = '{id}'"
            ))
            .await;
        rows.push(fixture.row(id).await);
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));

    let mut lists = 0;
    for status in [None, Some(Status::Failed), Some(Status::Pending), Some(Status::Cancelled)] {
        for workflow in [None, Some(WORKFLOW), Some("nothing")] {
            for organization_id in [None, Some(organization)] {
                for error_type in [None, Some(ERROR), Some("Kääse")] {
                    for (since, until) in [
                        (None, None),
                        (Some(at(4)), Some(at(19))),
                        (Some(at(30)), None),
                        (None, Some(at(-1))),
                    ] {
                        let filter = ExecutionFilter {
                            statuses: status.into_iter().collect(),
                            workflow: workflow.map(str::to_owned),
                            organization_id,
                            error_type: error_type.map(str::to_owned),
                            since,
                            until,
                            cursor: None,
                            limit: 4,
                        };
                        let expected: Vec<Uuid> =
                            rows.iter().filter(|row| lets_through(&filter, row)).map(|row| row.id).collect();
                        assert_eq!(all_pages(&fixture, filter.clone()).await, expected, "{filter:?}");
                        lists += 1;
                    }
                }
            }
        }
    }
    assert_eq!(lists, 288);
}

fn lets_through(filter: &ExecutionFilter, row: &ExecutionRecord) -> bool {
    (filter.statuses.is_empty() || filter.statuses.contains(&row.status))
        && filter.workflow.as_ref().is_none_or(|workflow| row.workflow_name.as_ref() == Some(workflow))
        && filter.organization_id.is_none_or(|id| row.organization_id == Some(id))
        && filter.error_type.as_ref().is_none_or(|kind| row.error_type.as_ref() == Some(kind))
        && filter.since.is_none_or(|since| row.created_at >= since)
        && filter.until.is_none_or(|until| row.created_at < until)
}

async fn all_pages(fixture: &Fixture, mut filter: ExecutionFilter) -> Vec<Uuid> {
    let mut ids = Vec::new();
    loop {
        let page = fixture.store.executions(&filter).await.unwrap();
        ids.extend(page.executions.iter().map(|row| row.id));
        let Some(next) = page.next else { return ids };
        filter.cursor = Some(next);
    }
}

/// The rows that are asked for are the oldest, and neither rare by a single filter nor spread evenly: what a planner
/// that goes by frequencies gets wrong.
pub(crate) async fn a_list_reads_no_more_of_a_long_table_than_it_shows(fixture: Fixture) {
    const ROWS: i64 = 30_000;
    fill(&fixture, ROWS).await;
    for analyzed in [false, true] {
        if analyzed {
            fixture.sql("ANALYZE executions").await;
        }
        for (part, columns) in PARTS {
            for states in [vec!["FAILED"], Status::ALL.map(Status::as_str).to_vec()] {
                let values = ListValues { limit: 20, states, columns: columns.to_vec() };
                let plan = fixture.plan_of_list(part, &values).await;
                check_plan(&fixture, &plan, part, &values.states);
            }
        }
    }
}

/// So many rows: the older half is of one organization and fails, the newer one is of nobody and does not.
async fn fill(fixture: &Fixture, rows: i64) {
    let (id, numbers) = match fixture.adapter() {
        "sqlite" => (
            "printf('%08x-0000-7000-8000-000000000000', n)",
            format!(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})"
            ),
        ),
        _ => (
            "(lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000000')::uuid",
            format!("WITH numbers AS (SELECT n FROM generate_series(1, {rows}) AS n)"),
        ),
    };
    let now = fixture.moment(&format!("{BEGIN} + n"));
    let owner = if fixture.adapter() == "sqlite" { "" } else { "::uuid" };
    fixture
        .sql(&format!(
            "{numbers} INSERT INTO executions \
                 (id, workflow_name, organization_id, error_type, status, run_after, created_at, completed_at, notified_at) \
             SELECT {id}, CASE n % 2 WHEN 0 THEN 'report' ELSE 'greet' END, \
                 CASE WHEN n < {rows} / 2 THEN '{ORGANIZATION}'{owner} END, \
                 CASE WHEN n < {rows} / 2 THEN 'ValueError' END, \
                 CASE WHEN n < {rows} / 2 THEN 'FAILED' ELSE 'SUCCESS' END, {now}, {now}, {now}, {now} \
             FROM numbers"
        ))
        .await;
}

fn check_plan(fixture: &Fixture, plan: &str, part: &str, states: &[&str]) {
    let lines: Vec<&str> = plan.lines().collect();
    let of = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
    // What has an error may run again; all other lists find what runs by the index of what runs.
    let (index, running) = match part.ends_with("error") {
        true => (format!("executions_{part}"), 0),
        false => (format!("executions_listed_{part}"), 1),
    };
    if fixture.adapter() == "sqlite" {
        let by_index = lines.iter().filter(|line| line.contains("SEARCH executions USING")).count();
        assert!(of(&format!("INDEX {index} (")) == 1 && by_index == 2, "{plan}");
        assert!(
            of("SCAN executions") == running
                && of("SCAN executions USING INDEX executions_running") == running,
            "{plan}"
        );
        // What is sorted is the page, and what runs.
        assert!(
            of("sqlite_autoindex_executions_1 (id=?)") == 1 && of("TEMP B-TREE") <= 1 + running,
            "{plan}"
        );
        return;
    }
    assert!(of(&format!("Scan Backward using {index} on executions")) == 1, "{plan}");
    // When nothing that runs is asked for, the server does not look.
    let running = if states.contains(&"RUNNING") { running } else { 0 };
    assert!(of("Scan using executions_running on executions") == running, "{plan}");
    assert!(of("Seq Scan") == 0 && of("Rows Removed") == 0, "{plan}");
    // Without an equality the server reads on to the end of what has the first column alone, and shows it nowhere.
    let found = lines.iter().filter(|line| line.contains("Index Cond: ((") && line.contains(" = ")).count();
    assert!(found == 1, "{plan}");
    let by_id = of("using executions_pkey") + of("on executions_pkey");
    assert!(by_id == 1, "{plan}");
    for line in &lines {
        let rows = line.split_once("rows=").and_then(|(_, rest)| rest.split([' ', ')', '.']).next());
        // At most twenty of each state.
        assert!(rows.is_none_or(|rows| rows.parse::<u64>().unwrap() <= 120), "{plan}");
    }
}

/// An index has a largest entry; a row that does not fit could never be written.
pub(crate) async fn an_error_of_any_length_is_written_and_found(fixture: Fixture) {
    let me = claimant();
    let claim = async || {
        let workflow_name = Some(distinct_text(1024));
        let new = NewExecution { workflow_name, organization_id: Some(Uuid::now_v7()), ..new_execution() };
        let claims = fixture.store.claim(&me, &[Arc::new(new)]).await.unwrap().remove(0);
        let Claim::Claimed(claimed) = claims else { panic!("{claims:?}") };
        claimed
    };
    for length in [200, 201, 20_000] {
        let claimed = claim().await;
        let kind = distinct_text(length);
        let failure = ExecutionFailure::new(kind.clone(), "no");
        let over = Disposition::Terminal(ExecutionOutcome::Failed(failure));
        fixture.finalize(ending(&me, claimed.attempt, over)).await;
        let row = fixture.row(claimed.attempt.execution_id).await;
        assert_eq!((row.status, row.error_type.as_ref()), (Status::Failed, Some(&kind)));
        let filter = ExecutionFilter {
            error_type: Some(kind),
            workflow: row.workflow_name.clone(),
            organization_id: row.organization_id,
            limit: 10,
            ..ExecutionFilter::default()
        };
        let found = fixture.store.executions(&filter).await.unwrap().executions;
        assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [row.id]);
    }
}

/// Text that cannot be compressed to much less.
fn distinct_text(length: usize) -> String {
    let mut random = fastrand::Rng::with_seed(length as u64);
    std::iter::repeat_with(|| random.alphanumeric()).take(length).collect()
}
