//! How fast claims and finalizations are. Measured, not asserted: machines differ.
//!
//!     cargo nextest run --release -p muster-tests --test store --run-ignored only --no-capture

use std::sync::Arc;
use std::time::Instant;

use muster_supervisor::store::{Claim, Finalization, NewExecution};

use crate::fixture::{Fixture, claimant, line, new_execution, postgres, raw, sqlite, success};

const GROUP: usize = 100;
const GROUPS: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn sqlite_rows_per_second() {
    measure("sqlite", sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn postgres_rows_per_second() {
    measure("postgres", postgres().await).await;
}

/// Claims groups of executions of 1 KiB and finalizes them, first one stage after the other, then with the next
/// group's claim beside the last one's finalization, as the service does.
async fn measure(name: &str, fixture: Fixture) {
    let fixture = Arc::new(fixture);
    for (logs, beside) in [(0, false), (0, true), (2, true)] {
        let groups: Vec<Vec<Arc<NewExecution>>> =
            (0..GROUPS).map(|_| (0..GROUP).map(|_| Arc::new(kilobyte())).collect()).collect();
        let me = claimant();
        let began = Instant::now();
        let mut finalizing = None;
        for group in &groups {
            let claims = fixture.store.claim(&me, group).await.unwrap();
            let ends: Vec<Finalization> = claims.iter().map(|claim| ended(&me, claim, logs)).collect();
            let store = fixture.store.clone();
            let work = tokio::spawn(async move { store.finalize(&ends).await.unwrap() });
            if beside {
                if let Some(before) = finalizing.replace(work) {
                    before.await.unwrap();
                }
            } else {
                work.await.unwrap();
            }
        }
        if let Some(last) = finalizing {
            last.await.unwrap();
        }
        let seconds = began.elapsed().as_secs_f64();
        let rate = (GROUP * GROUPS) as f64 / seconds;
        println!(
            "{name}: {rate:.0} executions/s claimed and finalized, {logs} log lines each, beside: {beside}"
        );
    }
    let me = claimant();
    let mut single = Vec::new();
    for _ in 0..500 {
        let began = Instant::now();
        let claimed = fixture.claim(&me, kilobyte()).await;
        fixture.finalize(success(&me, claimed.attempt)).await;
        single.push(began.elapsed());
    }
    single.sort();
    println!("{name}: claim and finalize of one: p50 {:?}, p99 {:?}", single[250], single[495]);
}

fn kilobyte() -> NewExecution {
    let execution = new_execution();
    let id = execution.id;
    let filler = "x".repeat(1024);
    let request =
        format!(r#"{{"execution_id":"{id}","workflow":"noop","parameters":{{"data":"{filler}"}}}}"#);
    NewExecution { request: raw(&request), ..execution }
}

fn ended(claimant: &muster_supervisor::store::Claimant, claim: &Claim, logs: u64) -> Finalization {
    let Claim::Claimed(claimed) = claim else { panic!("{claim:?}") };
    let logs = (1..=logs).map(|sequence| line(sequence, "a line of the length lines have")).collect();
    Finalization { logs, ..success(claimant, claimed.attempt) }
}
