//! The pool's round trip: submit to outcome, through the executor and a real worker, with nothing else around it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use muster_core::execution::{Attempt, RunConfig, RunEnding};
use muster_core::pool::PoolConfig;
use muster_protocol::{CodeSource, JsonBytes};
use muster_supervisor::executor::{
    Executor, ExecutorEvent, ExecutorEvents, ExecutorHandle, ExecutorOptions, RunSpec,
};
use muster_system::temporary::TemporaryFolders;
use rustix::process::Pid;
use uuid::Uuid;

use crate::ping_pong::{self, Cost};
use crate::{pin, start};

const BOTH: [usize; 2] = [0, 1];

/// Measures every placement and prints a table.
pub(crate) fn compare(round_trips: u32, confinement: &str, worker: Option<PathBuf>) -> anyhow::Result<()> {
    let worker = match worker {
        Some(worker) => std::path::absolute(worker)?,
        None => std::env::current_exe()?.with_file_name("worker"),
    };
    let mut table =
        String::from("placement   workers   bare pipe us   pool us   ratio   bare cpu us   pool cpu us\n");
    for (name, here, there) in [("one core", &BOTH[..1], &BOTH[..1]), ("two cores", &BOTH[..1], &BOTH[1..])] {
        for workers in [1, 8] {
            let bare = ping_pong::measure(round_trips / workers, workers, here, there)?;
            let pool = measure(&worker, confinement, round_trips, workers, here, there)?;
            let us = |time: Duration| time.as_nanos() as f64 / 1000.0;
            table.push_str(&format!(
                "{name:10}  {workers:7}   {:12.1}   {:7.1}   {:5.2}   {:11.1}   {:11.1}\n",
                us(bare.wall),
                us(pool.wall),
                us(pool.wall) / us(bare.wall),
                us(bare.cpu),
                us(pool.cpu),
            ));
        }
    }
    use std::io::Write;
    std::io::stdout().write_all(table.as_bytes())?;
    Ok(())
}

fn measure(
    worker: &std::path::Path,
    confinement: &str,
    round_trips: u32,
    workers: u32,
    here: &[usize],
    there: &[usize],
) -> anyhow::Result<Cost> {
    pin::this_thread(here)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let spec = start::spec(worker, confinement, &TemporaryFolders::open()?)?;
        let pool = PoolConfig {
            min_workers: workers as usize,
            max_workers: workers as usize,
            ..PoolConfig::default()
        };
        let (executor, events) = Executor::start(ExecutorOptions {
            pool,
            spec,
            orphaned_workers: None,
            leaves: None,
            descriptions: Arc::default(),
        })?;
        let handle = executor.handle();
        let mut driver = Driver { handle: handle.clone(), events, failed: 0 };
        let pids = ready(&handle, workers as usize).await?;
        for pid in &pids {
            pin::process(Pid::from_raw(*pid as i32), there)?;
        }
        // A round to warm up, then the one that counts.
        driver.run(round_trips / 10, workers).await;
        let cpu_before = ping_pong::cpu_time() + workers_cpu(&pids);
        let started = Instant::now();
        driver.run(round_trips, workers).await;
        let wall = started.elapsed() / round_trips;
        let cpu = (ping_pong::cpu_time() + workers_cpu(&pids) - cpu_before) / round_trips;
        handle.drain(Duration::ZERO);
        executor.ended().await;
        anyhow::ensure!(driver.failed == 0, "some executions failed");
        Ok(Cost { wall, cpu })
    })
}

async fn ready(handle: &ExecutorHandle, workers: usize) -> anyhow::Result<Vec<u32>> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let snapshot = handle.snapshot().await.ok_or_else(|| anyhow::anyhow!("the executor is gone"))?;
        let idle = snapshot.pool.workers.iter().filter(|worker| worker.state == "idle");
        let pids: Vec<u32> = idle.filter_map(|worker| worker.pid).collect();
        if pids.len() == workers {
            return Ok(pids);
        }
        anyhow::ensure!(Instant::now() < deadline, "the workers did not become ready: {snapshot:?}");
        tokio::task::yield_now().await;
    }
}

fn workers_cpu(pids: &[u32]) -> Duration {
    let times = pids.iter().map(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = stat.rsplit_once(')').map_or(String::new(), |(_, rest)| rest.to_owned());
        let ticks: u64 =
            rest.split_ascii_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum();
        Duration::from_micros(ticks * 1_000_000 / rustix::param::clock_ticks_per_second())
    });
    times.sum()
}

/// What a supervisor claims ahead of its workers when runs are short.
const AHEAD: u32 = 256;

/// Submits the next execution when one ends. So many are at the pool as there are workers, and behind them as many as
/// where claims run ahead: the pool never waits for us.
struct Driver {
    handle: ExecutorHandle,
    events: ExecutorEvents,
    failed: u32,
}

impl Driver {
    async fn run(&mut self, round_trips: u32, workers: u32) {
        let first = (workers + AHEAD).min(round_trips);
        let (mut left, mut open) = (round_trips - first, round_trips);
        self.handle.submit((0..first).map(|_| spec()).collect());
        let mut taken = Vec::new();
        while open > 0 && self.events.take(&mut taken).await > 0 {
            let mut next = Vec::with_capacity(taken.len());
            for event in taken.drain(..) {
                let ExecutorEvent::Finished(ended) = event else { continue };
                let (completed, _) = ended.complete();
                if !matches!(completed.ending, RunEnding::Succeeded { .. }) {
                    self.failed += 1;
                }
                open -= 1;
                if left > 0 {
                    left -= 1;
                    next.push(spec());
                }
            }
            self.handle.submit(next);
        }
    }
}

fn spec() -> RunSpec {
    static NEXT_ID: AtomicU32 = AtomicU32::new(1);
    RunSpec {
        attempt: Attempt::new(Uuid::from_u128(NEXT_ID.fetch_add(1, Ordering::Relaxed).into()), 1),
        stated_timeout: None,
        default_timeout: Duration::from_secs(300),
        workflow: "conformance.echo".to_owned(),
        source: CodeSource::Named,
        params: JsonBytes::from(b"{}".to_vec()),
        context: JsonBytes::NONE,
        organization_id: None,
        config: Arc::new(RunConfig::new()),
        secrets: Arc::default(),
        stated_attempts: None,
        attempts_charged: 1,
        failure_halts: false,
    }
}
