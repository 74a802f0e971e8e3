//! What runs under limits: many short executions and some long ones, of many keys of which some have much.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use muster_tests::{Backends, TestClient, TestQueue};
use serde_json::{Value, json};
use uuid::Uuid;

/// Lost attempts count, and so do killed workers.
const MAX_ATTEMPTS: u64 = 12;
/// What newer ones may end is of so many keys at most.
const LATEST_KEYS: usize = 8;
const SHORT_MAX_MS: u64 = 200;
/// Every fiftieth lasts, so that there is something to lose, and a third of those that newer ones may end.
const LONG_MAX_MS: u64 = 1500;
/// So many are one request over HTTP.
const BATCH: usize = 500;
const BATCH_PATH: &str = "/api/executions/batch";
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// So many of what has a rate start in a period, for all keys together, and so many of them early.
pub(super) const PACE: usize = 4;
pub(super) const PACE_SECONDS: u64 = 1;
pub(super) const PACE_BURST: usize = 2;
/// So many of those that are refused where more come may be in their limit at once, for one key.
pub(super) const SINGLE: usize = 2;

/// Which limits an execution needs room in beside the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum RunKind {
    /// None.
    Plain,
    /// The second one.
    Mails,
    /// One with a rate.
    Paced,
    /// One in which the newest takes the place of the one that waits.
    Newest,
    /// One that refuses whoever comes when it is full.
    Single,
    /// One in which the newest has the running one cancelled.
    Latest,
}

impl RunKind {
    fn of(number: usize) -> Self {
        match number % 20 {
            0 | 4 | 8 | 12 | 16 => Self::Mails,
            1 => Self::Paced,
            2 | 11 => Self::Newest,
            3 | 13 => Self::Single,
            5 | 15 => Self::Latest,
            _ => Self::Plain,
        }
    }

    fn limits(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["crm"],
            Self::Mails => &["crm", "mail"],
            Self::Paced => &["crm", "pace"],
            Self::Newest => &["crm", "newest"],
            Self::Single => &["crm", "single"],
            Self::Latest => &["crm", "latest"],
        }
    }

    /// It starts as soon as there is room where it waits.
    pub(super) fn only_waits_for_room(self) -> bool {
        matches!(self, Self::Plain | Self::Mails)
    }
}

/// The limits that never change, as they are set.
pub(super) fn fixed_limits(mails: usize) -> [(&'static str, Value); 5] {
    [
        ("mail", json!({ "total": mails })),
        (
            "pace",
            json!({ "rate": format!("{PACE}/{PACE_SECONDS}s"), "burst": PACE_BURST, "key": "workflow" }),
        ),
        ("newest", json!({ "per_key": 1, "key": "parameters.key", "on_full": "replace" })),
        ("single", json!({ "per_key": SINGLE, "key": "parameters.key", "on_full": "reject" })),
        ("latest", json!({ "per_key": 1, "key": "parameters.key", "on_full": "cancel_running" })),
    ]
}

/// An execution.
#[derive(Clone, Copy, Debug)]
pub(super) struct LimitedRun {
    pub(super) key: usize,
    pub(super) kind: RunKind,
    ms: u64,
}

/// All of a storm.
pub(super) fn plan(executions: usize, keys: usize, random: &mut fastrand::Rng) -> Vec<LimitedRun> {
    let one = |number: usize| {
        let (rank, kind) = (random.f64(), RunKind::of(number));
        // Of few keys, so that a newer one finds one that runs.
        let keys = if kind == RunKind::Latest { keys.min(LATEST_KEYS) } else { keys };
        LimitedRun {
            // The first keys have most.
            key: (rank * rank * keys as f64) as usize,
            kind,
            ms: if number % 50 == 7 || (kind == RunKind::Latest && number.is_multiple_of(3)) {
                random.u64(..LONG_MAX_MS)
            } else {
                random.u64(10..SHORT_MAX_MS)
            },
        }
    };
    (0..executions).map(one).collect()
}

fn request(number: usize, run: LimitedRun) -> Value {
    json!({
        "workflow": "stamp",
        "parameters": { "n": number, "key": format!("k{}", run.key), "ms": run.ms },
        "limits": run.kind.limits(),
        "max_attempts": MAX_ATTEMPTS,
        "retry_backoff_seconds": 0.05,
        "timeout_seconds": 60,
    })
}

/// When each is submitted: half of them at once, so that there is a backlog, the others evenly over the time.
fn due(number: usize, all: usize, seconds: u64) -> Duration {
    let late = number.saturating_sub(all / 2);
    Duration::from_secs(seconds).mul_f64(late as f64 / (all / 2).max(1) as f64)
}

/// Publishes all to RabbitMQ.
pub(super) fn publish(backends: Backends, plan: Vec<LimitedRun>, seconds: u64) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (mut queue, started, all) = (TestQueue::of(&backends), Instant::now(), plan.len());
        for (number, run) in plan.into_iter().enumerate() {
            std::thread::sleep(due(number, all, seconds).saturating_sub(started.elapsed()));
            let mut message = request(number, run);
            message["execution_id"] = Uuid::now_v7().to_string().into();
            // One that was not confirmed is sent again: twice the same message is one execution.
            while queue.try_publish(message.to_string().as_bytes()).is_err() {
                std::thread::sleep(TRY_AGAIN_AFTER);
            }
        }
    })
}

/// Over HTTP a limit that is full refuses at once, and there is no row.
fn is_refused(item: &Value) -> bool {
    item["problem"]["type"].as_str().is_some_and(|kind| kind.ends_with("limit-reached"))
}

/// Submits all over HTTP, again and again until each is accepted: a key makes twice the same one execution.
pub(super) fn submit(
    client: TestClient,
    plan: Vec<LimitedRun>,
    seconds: u64,
    refused: Arc<AtomicUsize>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let (started, all) = (Instant::now(), plan.len());
        let mut left: BTreeMap<usize, LimitedRun> = plan.into_iter().enumerate().collect();
        while !left.is_empty() {
            let is_due = |number: &usize| due(*number, all, seconds) <= started.elapsed();
            let numbers: Vec<usize> = left.keys().copied().take_while(is_due).take(BATCH).collect();
            let item = |number: &usize| {
                let mut request = request(*number, left[number]);
                request["idempotency_key"] = number.to_string().into();
                request
            };
            let items: Vec<Value> = numbers.iter().map(item).collect();
            let answer = if items.is_empty() { None } else { client.try_post(BATCH_PATH, &items.into()) };
            let items = answer.and_then(|answer| answer.body["executions"].as_array().cloned());
            if items.is_none() {
                std::thread::sleep(TRY_AGAIN_AFTER);
            }
            for (number, item) in numbers.iter().zip(items.into_iter().flatten()) {
                let (is_accepted, is_refused) = (item["execution_id"].is_string(), is_refused(&item));
                if is_accepted || is_refused {
                    left.remove(number);
                    refused.fetch_add(usize::from(is_refused), Ordering::SeqCst);
                }
            }
        }
    })
}
