//! What PostgreSQL reads for the statements that are asked again and again: only what they are about.

use uuid::Uuid;

use crate::fixture::{Fixture, QUEUE, postgres};

/// What the server does for a statement with these values, line by line.
async fn plan(fixture: &Fixture, name: &str, values: &str) -> String {
    plan_with(fixture, "", name, values).await
}

/// The same in a session that is told so before.
async fn plan_with(fixture: &Fixture, settings: &str, name: &str, values: &str) -> String {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../supervisor/store/src/postgres/sql");
    let read = |name: &str| std::fs::read_to_string(folder.join(name).with_extension("sql")).unwrap();
    let sql = match name.split_once('/') {
        Some((folder, _)) => ["begin", name, "end"]
            .map(|part| if part == name { read(name) } else { read(&format!("{folder}/{part}")) })
            .concat(),
        None => read(name),
    };
    let mut session = fixture.session_of_another().await;
    let prepare =
        format!("SET jit = off; SET plan_cache_mode = force_custom_plan; {settings} PREPARE asked AS {sql};");
    sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut session).await.unwrap();
    let explain = format!(
        "BEGIN; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE asked({values}); ROLLBACK"
    );
    let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut session).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 0)).collect();
    lines.join("\n")
}

/// The largest number of rows that any step of a plan read or passed over.
fn most_rows(plan: &str) -> u64 {
    let numbers = |mark: &'static str| {
        plan.match_indices(mark).filter_map(move |(at, _)| {
            let rest = &plan[at + mark.len()..];
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
        })
    };
    numbers("actual rows=").chain(numbers("Rows Removed by Filter: ")).max().unwrap_or_default()
}

/// What the statement of a claim is given, where this supervisor is dead.
fn asked_of_a_claim(dead: Option<Uuid>) -> String {
    let (nobody, dead) = (Uuid::nil(), dead.map(|dead| dead.to_string()).unwrap_or_default());
    let queues = format!("'{{{},\"\"}}'", QUEUE);
    format!(
        "'{nobody}', false, '{{{dead}}}', '{{}}', '{{}}', '{{}}', 64, {queues}, '{{{nobody}}}', '{{64}}', {queues}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_run_is_read_by_no_claim_and_by_no_look_unless_they_are_lost() {
    const RUNNING: u64 = 20_000;
    const ENDED: u64 = 60_000;
    let fixture = postgres().await;
    for _ in 0..5 {
        fixture.submitted().await;
    }
    fixture
        .sql(&format!(
            "INSERT INTO executions (id, workflow_name, status, queue, attempt, run_after, created_at, completed_at, notified_at) \
             SELECT gen_random_uuid(), 'w', 'SUCCESS', '{}', 1, at, at, at, at \
             FROM (SELECT clock_timestamp() AS at FROM generate_series(1, {ENDED})) AS ended",
            QUEUE
        ))
        .await;
    // Where the server still believes that next to nothing runs, and where it knows.
    fixture.sql("ANALYZE executions").await;
    let other = Uuid::from_u128(1);
    fixture
        .sql(&format!(
            "INSERT INTO executions (id, workflow_name, status, queue, attempt, lease_owner, lease_expires_at, run_after, created_at) \
             SELECT gen_random_uuid(), 'w', 'RUNNING', '{}', 1, '{other}', clock_timestamp(), clock_timestamp(), clock_timestamp() \
             FROM generate_series(1, {RUNNING})",
            QUEUE
        ))
        .await;
    fixture
        .sql(&format!(
            "INSERT INTO supervisor_presences (owner, locked_at, beats) \
             VALUES ('{other}', clock_timestamp(), 1)"
        ))
        .await;
    for analyze in ["", "ANALYZE executions"] {
        fixture.sql(analyze).await;
        for mode in ["force_generic_plan", "force_custom_plan"] {
            let mode = format!("SET plan_cache_mode = {mode};");
            let claim = plan_with(&fixture, &mode, "candidates", &asked_of_a_claim(None)).await;
            assert!(most_rows(&claim) <= 10, "{mode} {claim}");
            let claim = plan_with(&fixture, &mode, "candidates", &asked_of_a_claim(Some(other))).await;
            let scans_all = |line: &str| line.contains("Seq Scan") && !line.contains("never executed");
            assert!(claim.contains("Index Cond: (lease_owner"), "{mode} {claim}");
            assert!(!claim.lines().any(scans_all), "{mode} {claim}");
            let holding_its_lock = format!("{mode} SELECT pg_advisory_lock(1);");
            let others =
                plan_with(&fixture, &holding_its_lock, "others", &format!("'{}'", Uuid::nil())).await;
            let in_executions = others.lines().filter(|line| line.contains("executions"));
            assert!(most_rows(&in_executions.collect::<String>()) <= 1, "{mode} {others}");
            // Of those that are lost the first are looked up, and no others.
            let looked_up = claim.lines().skip_while(|line| !line.contains("LockRows")).nth(1).unwrap();
            assert!(looked_up.contains("actual rows=64 ") && most_rows(&claim) == RUNNING, "{mode} {claim}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_behind_a_full_limit_are_read_by_no_claim_and_by_nobody_who_looks_for_the_next() {
    const PARKED: u64 = 20_000;
    let fixture = postgres().await;
    fixture
        .sql(&format!(
            "INSERT INTO executions (id, workflow_name, status, queue, waits_for, limits, run_after, created_at) \
             SELECT gen_random_uuid(), 'w', 'PENDING', 'default', 'limit:crm', '[{{\"name\":\"crm\",\"key\":\"\"}}]', \
                 clock_timestamp() - interval '1 hour', clock_timestamp() FROM generate_series(1, {PARKED})"
        ))
        .await;
    for _ in 0..5 {
        fixture.submitted().await;
    }
    fixture.sql("ANALYZE executions").await;
    let claim = plan(&fixture, "candidates", &asked_of_a_claim(None)).await;
    assert!(claim.contains("executions_shared"), "{claim}");
    assert!(most_rows(&claim) <= 10, "{claim}");
    let next = plan(&fixture, "let_go", "'{limit:crm}', '{3}'").await;
    assert!(next.contains("executions_parked") && most_rows(&next) <= 10, "{next}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_forgets_the_oldest_reads_no_others() {
    let fixture = postgres().await;
    fixture
        .sql(
            "INSERT INTO executions (id, workflow_name, status, queue, run_after, created_at, completed_at, notified_at) \
             SELECT gen_random_uuid(), 'w', (ARRAY['SUCCESS', 'FAILED', 'PENDING'])[1 + n % 3], 'default', at, at, at, at \
             FROM (SELECT n, clock_timestamp() - n * interval '1 minute' AS at FROM generate_series(1, 30000) n) AS rows",
        )
        .await;
    fixture
        .sql(
            "INSERT INTO execution_logs (execution_id, attempt, sequence, logged_at, level, stream, logger, message) \
             SELECT id, 1, 1, created_at, 'INFO', 'log', '', 'm' FROM executions; \
             INSERT INTO execution_events (execution_id, at, event, attempt) \
             SELECT id, created_at, 'finalized', 1 FROM executions; \
             ANALYZE executions, execution_logs, execution_events",
        )
        .await;
    // As every session is told that reads.
    let in_order = "SET enable_incremental_sort = off; SET enable_bitmapscan = off;";
    let place = "clock_timestamp() - interval '15 days', '00000000-0000-0000-0000-000000000000', 200";
    let asked = format!("'SUCCESS', clock_timestamp() - interval '1 hour', {place}");
    let looks = [("of_status", asked.clone()), ("of_workflow", format!("{asked}, 'w'")), ("nameless", asked)];
    for (look, asked) in looks {
        let plan = plan_with(&fixture, in_order, &format!("ended/{look}"), &asked).await;
        assert!(!plan.contains("Seq Scan on execution") && most_rows(&plan) <= 200, "{plan}");
        assert!(look == "nameless" || most_rows(&plan) == 200, "{plan}");
    }
    let ids = fixture.texts("SELECT id::text FROM executions WHERE status = 'FAILED' LIMIT 200").await;
    for statement in ["count_with", "forget"] {
        let asked = format!("ARRAY['{}']::uuid[]", ids.join("','"));
        let plan = plan_with(&fixture, in_order, statement, &asked).await;
        assert!(!plan.contains("Seq Scan on execution") && most_rows(&plan) <= 200, "{plan}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_that_are_not_due_are_read_by_nobody_who_takes_some() {
    let fixture = postgres().await;
    let insert = |count: u32, webhook: &str, due_at: &str| {
        format!(
            "INSERT INTO webhook_deliveries (execution_id, webhook_id, event, created_at, due_at) \
             SELECT gen_random_uuid(), '{webhook}', 'SUCCESS', clock_timestamp(), {due_at} FROM generate_series(1, {count});"
        )
    };
    let webhook = "00000000-0000-0000-0000-000000000007";
    let later = insert(20_000, webhook, "clock_timestamp() + interval '1 hour'");
    let due = insert(20_000, webhook, "clock_timestamp() - interval '1 minute'");
    let over = insert(20_000, webhook, "NULL");
    let hook =
        format!("INSERT INTO webhooks (id, name, url) VALUES ('{webhook}', 'ops', 'https://example.com');");
    for statement in [&hook, &later, &due, &over] {
        fixture.sql(statement).await;
    }
    fixture.sql("ANALYZE webhook_deliveries").await;
    let take = plan(&fixture, "take_deliveries", "8, '{}', 60000000, 64, 16").await;
    assert!(take.contains("webhook_deliveries_due") && most_rows(&take) <= 8, "{take}");
    let nothing = plan(&fixture, "take_deliveries", &format!("8, '{{{webhook}}}', 60000000, 64, 16")).await;
    assert!(most_rows(&nothing) <= 1, "{nothing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_later_and_what_has_ended_is_read_by_nobody_who_looks_at_the_clock() {
    let fixture = postgres().await;
    for (status, after) in [("SUCCESS", "0 s"), ("PENDING", "1 hour")] {
        fixture
            .sql(&format!(
                "INSERT INTO executions (id, workflow_name, status, queue, attempt, run_after, created_at) \
                 SELECT gen_random_uuid(), 'w', '{status}', '{QUEUE}', 0, at + interval '{after}', at \
                 FROM (SELECT clock_timestamp() AS at FROM generate_series(1, 20000)) AS made"
            ))
            .await;
    }
    fixture.sql("ANALYZE executions").await;
    let looks = [("next_due", format!("'{{{QUEUE},\"\"}}'")), ("follow_clock", "1000".to_owned())];
    for (statement, values) in looks {
        let plan = plan(&fixture, statement, &values).await;
        assert!(!plan.contains("Seq Scan on execution") && most_rows(&plan) <= 1, "{statement}: {plan}");
    }
}
