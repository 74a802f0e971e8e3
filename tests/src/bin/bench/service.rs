//! The whole service: RabbitMQ in, PostgreSQL for the record, Redis for live views, two workers.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use muster_intake::rabbitmq::QueuePublisher;
use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use crate::measured::MeasuredSupervisor;
use crate::posting;
use crate::servers::Servers;

/// Nothing here takes longer on a machine that works.
const DEADLINE: Duration = Duration::from_secs(300);
const IDLE_ROUNDS: usize = 300;

/// Measures the binaries of a folder: throughput with a full queue, latency with an empty one, and what comes over HTTP.
pub(crate) fn run(binaries: &Path, executions: u32) -> anyhow::Result<String> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let servers = Servers::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let text = measure(&servers, binaries, executions).await?;
        let posted =
            posting::measure(binaries, executions, Some(servers.url("MUSTER_DATABASE_URL")?)).await?;
        Ok(text + &posted)
    })
}

async fn measure(servers: &Servers, binaries: &Path, executions: u32) -> anyhow::Result<String> {
    let publisher = QueuePublisher::new(servers.url("MUSTER_AMQP_URL")?, "workflow-executions")?;
    let messages: Vec<Vec<u8>> = (0..executions).map(|_| message(Uuid::now_v7(), false)).collect();
    publisher.publish(&messages).await?;
    let folder = tempfile::tempdir()?;
    let before = servers.postgres_spent().await?;
    let supervisor =
        MeasuredSupervisor::start(binaries, folder.path(), &["--http-bind", ""], servers.variables())?;
    let mut database = connect(servers.url("MUSTER_DATABASE_URL")?).await?;
    let started = Instant::now();
    loop {
        // Counting reads the whole table: often enough to notice the end, too seldom to be what is measured.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let done = count_done(&mut database).await;
        if done == i64::from(executions) {
            break;
        }
        anyhow::ensure!(started.elapsed() < DEADLINE, "{done} of {executions} after {DEADLINE:?}");
    }
    // The record knows when: the first claim and the last finalization write their events in their transactions.
    let seconds: f64 =
        sqlx::query("SELECT extract(epoch FROM max(at) - min(at))::float8 FROM execution_events")
            .fetch_one(&mut database)
            .await?
            .get(0);
    let cpu = supervisor.cpu_seconds();
    let postgres = servers.postgres_spent().await?.since(&before);
    let (p50, p99) = idle_latency(servers, &publisher).await?;
    let each = f64::from(executions);
    Ok(format!(
        "  {executions} executions from RabbitMQ, from first claim to last commit: {:.0} per second\n  \
         CPU seconds per 1,000: supervisor and workers {:.3}, PostgreSQL {:.3}; {:.0} bytes of WAL for each\n  \
         idle, publish to sync reply (after the commit): p50 {p50:.2} ms, p99 {p99:.2} ms\n",
        each / seconds,
        cpu * 1000.0 / each,
        postgres.cpu_seconds * 1000.0 / each,
        postgres.wal_bytes / each,
    ))
}

fn message(id: Uuid, sync: bool) -> Vec<u8> {
    let padding = "x".repeat(880);
    format!(r#"{{"execution_id":"{id}","workflow":"bench.noop","parameters":{{"padding":"{padding}"}},"sync":{sync}}}"#)
        .into_bytes()
}

async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    let started = Instant::now();
    loop {
        match PgConnection::connect(url).await {
            Ok(connection) => return Ok(connection),
            Err(error) if started.elapsed() > DEADLINE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Zero also while the supervisor has not made the table yet.
async fn count_done(database: &mut PgConnection) -> i64 {
    let counted =
        sqlx::query("SELECT count(*) FROM executions WHERE status = 'SUCCESS'").fetch_one(database).await;
    counted.map(|row| row.get(0)).unwrap_or(0)
}

/// One execution at a time, from publishing its message to its sync reply.
async fn idle_latency(servers: &Servers, publisher: &QueuePublisher) -> anyhow::Result<(f64, f64)> {
    let mut redis = redis::Client::open(servers.url("MUSTER_REDIS_URL")?)?.get_connection()?;
    let mut times = Vec::with_capacity(IDLE_ROUNDS);
    for _ in 0..IDLE_ROUNDS {
        let id = Uuid::now_v7();
        let started = Instant::now();
        publisher.publish(&[message(id, true)]).await?;
        let reply: Option<(String, String)> =
            redis::cmd("BLPOP").arg(format!("muster:result:{id}")).arg(10).query(&mut redis)?;
        reply.context("no sync reply within 10 s")?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[IDLE_ROUNDS / 2], times[IDLE_ROUNDS * 99 / 100]))
}
