//! Work whose instructions are counted: what the pool decides for an execution, and what one costs the embedded store.
//!
//! `tests/tests/instructions` runs it in valgrind, with few executions and with more: the difference is that of executions alone.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use muster_core::execution::{Attempt, ExecutionRequest};
use muster_core::pool::{
    Assignment, Pool, PoolConfig, PoolEffect, PoolEvent, PoolTime, WorkerEvent, WorkerFeatures, WorkerId,
};
use muster_protocol::{JsonBytes, RunMetrics, RunOutcome};
use muster_store::{
    Claim, ClaimStore as _, Claimant, Disposition, Durability, ExecutionOutcome, Finalization, NewExecution,
    OutcomeStore as _, SchemaStore as _, ServedQueues, SqliteStore,
};
use serde_json::value::RawValue;
use uuid::Uuid;

/// So many are claimed and finalized together.
const GROUP: usize = 16;
const QUEUE: &str = "counted";
/// What all executions of the store are like.
const REQUEST: &[u8] =
    br#"{"execution_id":"00000000-0000-0000-0000-000000000001","workflow":"noop","queue":"counted"}"#;

/// What is done with executions.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum CountedWork {
    /// The pool hands them to a worker, one after another.
    Pool,
    /// They are claimed.
    Claim,
    /// They are claimed, and end.
    Finalize,
}

/// Does it with so many.
pub(crate) fn run(work: CountedWork, executions: u32) -> anyhow::Result<()> {
    let numbers: Vec<u128> = (0..u128::from(executions)).collect();
    match work {
        CountedWork::Pool => pool(&numbers),
        CountedWork::Claim => store(&numbers, false),
        CountedWork::Finalize => store(&numbers, true),
    }
}

/// A pool of one worker, and the clock that it is told.
struct CountedPool {
    pool: Pool,
    now_us: u64,
    effects: Vec<PoolEffect>,
}

impl CountedPool {
    fn step(&mut self, event: PoolEvent) {
        self.now_us += 1;
        let now = PoolTime::after_start(Duration::from_micros(self.now_us));
        self.effects.clear();
        self.pool.step(now, event, &mut self.effects);
    }

    fn worker(&mut self, worker: WorkerId, event: WorkerEvent) {
        self.step(PoolEvent::Worker { worker, event });
    }

    /// One execution, from the moment it is submitted to that at which its worker is free.
    fn execution(&mut self, number: u128) -> anyhow::Result<()> {
        let attempt = Attempt::new(Uuid::from_u128(number), 1);
        let timeout = Some(Duration::from_secs(300));
        self.step(PoolEvent::Submit(Assignment { attempt, organization_id: None, timeout, halts: false }));
        let given = self.effects.iter().find_map(|effect| {
            let PoolEffect::Execute { worker, run, .. } = effect else { return None };
            Some((*worker, *run))
        });
        let (worker, run) = given.context("the worker is not free")?;
        self.worker(worker, WorkerEvent::Started { run });
        let outcome = RunOutcome::Succeeded { result: JsonBytes::from(b"{}".to_vec()) };
        self.worker(worker, WorkerEvent::Finished { run, outcome, metrics: RunMetrics::default() });
        self.worker(worker, WorkerEvent::Idle { run, rss_bytes: 0, recycle: false });
        Ok(())
    }
}

fn pool(numbers: &[u128]) -> anyhow::Result<()> {
    let config = PoolConfig { min_workers: 1, max_workers: 1, ..PoolConfig::default() };
    let pool = Pool::new(config, PoolTime::START);
    let mut counted = CountedPool { pool, now_us: 0, effects: Vec::new() };
    counted.pool.start(PoolTime::START, &mut counted.effects);
    let started = counted.effects.iter().find_map(|effect| {
        let PoolEffect::Spawn { worker, .. } = effect else { return None };
        Some(*worker)
    });
    let worker = started.context("no worker is started")?;
    counted.worker(worker, WorkerEvent::Spawned { pid: 1 });
    let features = WorkerFeatures::default();
    counted.worker(worker, WorkerEvent::Hello { protocol_min: 1, protocol_max: 1, features });
    counted.worker(worker, WorkerEvent::Ready);
    numbers.iter().try_for_each(|number| counted.execution(*number))
}

fn store(numbers: &[u128], ends: bool) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = SqliteStore::open(&folder.path().join("muster.db"), Durability::Normal).await?;
        store.migrate().await?;
        let me = Claimant::new(Duration::from_secs(600), ServedQueues::of([QUEUE]));
        let like = NewExecution::of(&ExecutionRequest::parse(REQUEST)?, 3);
        for group in numbers.chunks(GROUP) {
            let group = group.iter().map(|number| execution(*number, &like).map(Arc::new));
            let claims = store.claim(&me, &group.collect::<anyhow::Result<Vec<_>>>()?).await?;
            let ended = claims.into_iter().map(|claim| {
                let Claim::Claimed(claimed) = claim else { anyhow::bail!("it was not claimed: {claim:?}") };
                ended(&me, claimed.attempt)
            });
            let ended = ended.collect::<anyhow::Result<Vec<_>>>()?;
            if ends {
                store.finalize(&ended).await?;
            }
        }
        Ok(())
    })
}

fn execution(number: u128, like: &NewExecution) -> anyhow::Result<NewExecution> {
    let id = Uuid::from_u128(number);
    let text = "x".repeat(1000);
    let request = format!(r#"{{"execution_id":"{id}","workflow":"noop","parameters":{{"text":"{text}"}}}}"#);
    Ok(NewExecution { id, request: RawValue::from_string(request)?, ..like.clone() })
}

fn ended(me: &Claimant, attempt: Attempt) -> anyhow::Result<Finalization> {
    let result = RawValue::from_string("{}".to_owned())?;
    let outcome = Disposition::Terminal(ExecutionOutcome::Success { result });
    Ok(Finalization { duration_ms: Some(1), ..Finalization::bare(attempt, me.owner, outcome) })
}
