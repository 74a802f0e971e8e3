//! A storm over limits: what runs under them says itself when it ran, and an observer who knows nothing else counts.

mod change;
mod load;
mod observer;
mod record;
mod storm;
mod strict;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use change::AllowedRuns;
use muster_tests::{Backends, Installation, Record, Services, binaries};
use observer::{Observation, observe};
use record::{RowSource, StormRecord};
use storm::{LimitStorm, PassedStorm};

use crate::fleet::{Fleet, LEASE_SECONDS};
use crate::{ChaosArguments, say};

/// What the limits allow before anybody changes them.
const AT_FIRST: AllowedRuns = AllowedRuns { total: 8, per_key: 2, mails: 3 };

/// Nobody is counted for so long after its end: longer than the database is away, and a take-over after that.
const OUTSTAYED: Duration = Duration::from_secs(25);

/// What is wrong with what came of it, in words.
pub(crate) fn run(arguments: &ChaosArguments, seed: u64) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let stamps = folder.path().join("stamps");
    std::fs::write(&stamps, "")?;
    if arguments.sqlite {
        let place = place(&stamps, arguments.workers * arguments.supervisors);
        return storm(arguments, seed, None, vec![place], &stamps);
    }
    let services = Services::private();
    let backends = services.fresh();
    let places = (0..arguments.supervisors).map(|_| place(&stamps, arguments.workers).backends(&backends));
    storm(arguments, seed, Some((&services, &backends)), places.collect(), &stamps)
}

fn place(stamps: &Path, workers: usize) -> Installation {
    Installation::new()
        .worker([binaries::stamping_worker().to_string_lossy()])
        .setting("worker_env", format!("STAMPS={}", stamps.display()))
        .setting("max_workers", workers)
        .setting("min_workers", workers)
        .setting("graceful_shutdown_seconds", 1)
        .setting("lease_seconds", LEASE_SECONDS)
}

fn storm(
    arguments: &ChaosArguments,
    seed: u64,
    servers: Option<(&Services, &Backends)>,
    places: Vec<Installation>,
    stamps: &Path,
) -> anyhow::Result<Vec<String>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let plan = load::plan(arguments.executions, arguments.keys, &mut random);
    let mut fleet = Fleet::start(places);
    let services = servers.map(|(services, _)| services);
    let record = servers.map(|(_, backends)| Record::of(backends));
    let mut storm = LimitStorm::begin(services, &fleet, random, AT_FIRST);
    let started = Instant::now();
    // Over HTTP what is refused has no row.
    let refused = Arc::new(AtomicUsize::new(0));
    let load = match servers {
        Some((_, backends)) => load::publish(backends.clone(), plan.clone(), arguments.seconds),
        None => {
            let client = fleet.clients()[0].clone();
            load::submit(client, plan.clone(), arguments.seconds, Arc::clone(&refused))
        }
    };
    let calm = Duration::from_secs(arguments.calm_seconds);
    let mut calm_since: Option<Instant> = None;
    let mut outstayed = 0;
    let left = loop {
        std::thread::sleep(Duration::from_secs_f64(arguments.every_seconds));
        let left = with_rows(record.as_ref(), &fleet, |rows| {
            outstayed = outstayed.max(rows.outstayed(OUTSTAYED).unwrap_or_default());
            let refused = refused.load(Ordering::SeqCst);
            rows.count("executions WHERE completed_at IS NOT NULL")
                .map_or(plan.len(), |done| plan.len().saturating_sub(done + refused))
        });
        // While there is a backlog there is something to be seen; but a storm has an end on a slow machine, too.
        let lasted = started.elapsed().as_secs();
        let is_late = left < plan.len() / 4 || lasted >= arguments.seconds * 3;
        let is_over = lasted >= arguments.seconds && storm.has_shown_all() && is_late;
        match calm_since {
            _ if left == 0 => break 0,
            Some(since) if since.elapsed() > calm => break left,
            None if is_over => calm_since = Some(Instant::now()),
            Some(_) => {}
            None => {
                let struck = storm.strike(&mut fleet);
                say(&format!("{:>6.1} s  {left:>6} left  {struck}", started.elapsed().as_secs_f64()));
            }
        }
    };
    let took = started.elapsed();
    load.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let PassedStorm { changes, away, somebody_away, counts } = storm.pass();
    let counted = muster_tests::eventually("nobody is counted", Duration::from_secs(20), || {
        let counted = with_rows(record.as_ref(), &fleet, |rows| rows.count("limit_holders WHERE runs"));
        (left > 0 || counted == Some(0)).then_some(counted)
    });
    let found =
        with_rows(record.as_ref(), &fleet, |rows| StormRecord::read(rows, stamps, &plan, &somebody_away))?;
    let seen = observe(&found.asked, &found.runs, &changes, &away);
    let recorded = observe(&found.asked, &found.held, &changes, &away);
    let remaining = fleet.leave();
    say(&report(&found, [&seen, &recorded], &counts, changes.len(), took));
    let mut broken = broken(arguments, &found, [&seen, &recorded], left);
    if counted.is_some_and(|counted| counted > 0) {
        broken.push(format!("counted at the end: {counted:?}"));
    }
    if outstayed > 0 {
        broken.push(format!("{outstayed} at once were counted {OUTSTAYED:?} after their end"));
    }
    broken.extend((!remaining.is_empty()).then(|| format!("processes left: {remaining:?}")));
    Ok(broken)
}

fn with_rows<T>(record: Option<&Record>, fleet: &Fleet, look: impl FnOnce(&RowSource<'_>) -> T) -> T {
    match record {
        Some(record) => look(&RowSource::Postgres(record.clone())),
        None => look(&RowSource::Sqlite(fleet.first_place())),
    }
}

/// The first observation is by the stamps, the second by the rows.
fn broken(
    arguments: &ChaosArguments,
    record: &StormRecord,
    [seen, recorded]: [&Observation; 2],
    left: usize,
) -> Vec<String> {
    let some = |all: &[String]| all.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    let mut broken = Vec::new();
    let mut bar = |holds: bool, what: String| broken.extend((!holds).then_some(what));
    bar(left == 0, format!("{left} did not end in time"));
    for (above, by) in [(&seen.above, "their stamps"), (&recorded.above, "the rows")] {
        bar(above.is_empty(), format!("above a limit {} times by {by}: {}", above.len(), some(above)));
    }
    let unexplained = &record.unexplained;
    bar(unexplained.is_empty(), format!("unexplained {}: {}", unexplained.len(), some(unexplained)));
    let strict = &record.strict;
    bar(strict.is_empty(), format!("limits that do not let wait {}: {}", strict.len(), some(strict)));
    let most = arguments.recovery_seconds;
    let stall = seconds(recorded.longest_stall_us);
    bar(stall < most, format!("room that nobody took for {stall} s, at {}", recorded.stalled_at_us));
    // Faults follow one another, and each may take a part of the room for as long as a take-over.
    let idle = seconds(recorded.longest_idle_us);
    bar(idle < 2.0 * most, format!("never as many as might for {idle} s"));
    broken
}

fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

fn report(
    record: &StormRecord,
    [seen, recorded]: [&Observation; 2],
    counts: &str,
    changes: usize,
    took: Duration,
) -> String {
    [
        format!("{:26} {} in {:.0} s", "executions", record.asked.len(), took.as_secs_f64()),
        format!("{:26} {counts}", "faults"),
        format!("{:26} {changes}", "limits set"),
        format!("{:26} {:?}", "ends", record.statuses),
        format!("{:26} {}", "attempts with stamps", record.runs.len()),
        format!("{:26} {}", "wrong at strict limits", record.strict.len()),
        format!("{:26} {}", "above a limit", seen.above.len() + recorded.above.len()),
        format!(
            "{:26} {} by their stamps, {} by the rows; of one key {} and {}",
            "most at once",
            seen.most_at_once,
            recorded.most_at_once,
            seen.most_of_one_key,
            recorded.most_of_one_key
        ),
        format!("{:26} {:.2} s", "room without any start", seconds(recorded.longest_stall_us)),
        format!("{:26} {:.2} s", "never as many as might", seconds(recorded.longest_idle_us)),
        format!("{:26} {:.2} s", "not half as many", seconds(recorded.longest_slow_us)),
        format!(
            "{:26} {}, for {:.2} s at most",
            "outlived their take-over",
            record.outlived,
            seconds(record.outlived_us)
        ),
    ]
    .join("\n")
}
