//! Worker time over a simulated minute: workers that take the next start whenever they are free.

use std::time::Duration;

use uuid::Uuid;

use super::{Share, ShareLedger, allot};

/// Somebody with executions.
struct Customer {
    weight: f64,
    /// How long each of its runs takes.
    run: Duration,
    /// How many wait.
    waiting: usize,
    /// When they came.
    since: Duration,
}

/// What came of it: worker time of each, and when each got its last start.
struct Played {
    worked: Vec<Duration>,
    last_start: Vec<Duration>,
    idle: Duration,
}

const STEP: Duration = Duration::from_millis(10);

fn organization(place: usize) -> Option<Uuid> {
    (place > 0).then(|| Uuid::from_u128(place as u128))
}

/// Plays so long with so many workers, on supervisors of so many workers each that tell each other what was used every
/// second.
fn play(mut customers: Vec<Customer>, supervisors: usize, workers_each: usize, length: Duration) -> Played {
    let mut ledgers: Vec<ShareLedger> = (0..supervisors).map(|_| ShareLedger::default()).collect();
    let mut fleet = ShareLedger::default();
    let mut workers: Vec<Option<(usize, Duration)>> = vec![None; supervisors * workers_each];
    let mut played = Played {
        worked: vec![Duration::ZERO; customers.len()],
        last_start: vec![Duration::ZERO; customers.len()],
        idle: Duration::ZERO,
    };
    let mut now = Duration::ZERO;
    while now < length {
        now += STEP;
        for (number, worker) in workers.iter_mut().enumerate() {
            let ledger = &mut ledgers[number / workers_each];
            let Some((customer, left)) = worker else { continue };
            ledger.charge(organization(*customer), STEP, now);
            played.worked[*customer] += STEP;
            *left = left.saturating_sub(STEP);
            if left.is_zero() {
                ledger.ran(organization(*customer), customers[*customer].run);
                *worker = None;
            }
        }
        if now.as_millis().is_multiple_of(1000) {
            tell_each_other(&mut ledgers, &mut fleet, customers.len(), now);
        }
        for (number, ledger) in ledgers.iter().enumerate() {
            let of = number * workers_each..(number + 1) * workers_each;
            start(&mut workers[of], &mut customers, ledger, now, &mut played);
        }
    }
    played
}

fn start(
    workers: &mut [Option<(usize, Duration)>],
    customers: &mut [Customer],
    ledger: &ShareLedger,
    now: Duration,
    played: &mut Played,
) {
    loop {
        let free = workers.iter().filter(|worker| worker.is_none()).count();
        let waiting: Vec<usize> = (0..customers.len())
            .filter(|place| customers[*place].waiting > 0 && customers[*place].since <= now)
            .collect();
        if free == 0 || waiting.is_empty() {
            played.idle += STEP * free as u32;
            return;
        }
        let shares: Vec<Share> = waiting
            .iter()
            .map(|place| ledger.share(organization(*place), customers[*place].weight, now))
            .collect();
        for (place, starts) in waiting.iter().zip(allot(&shares, free)) {
            for _ in 0..starts.min(customers[*place].waiting) {
                let worker = workers.iter_mut().find(|worker| worker.is_none()).unwrap();
                *worker = Some((*place, customers[*place].run));
                customers[*place].waiting -= 1;
                played.last_start[*place] = now;
            }
        }
    }
}

fn tell_each_other(ledgers: &mut [ShareLedger], fleet: &mut ShareLedger, customers: usize, now: Duration) {
    for (organization, worked) in ledgers.iter_mut().flat_map(ShareLedger::untold) {
        fleet.charge(organization, worked, now);
    }
    for place in 0..customers {
        let used = fleet.share(organization(place), 1.0, now).used_seconds;
        ledgers.iter_mut().for_each(|ledger| ledger.learn(organization(place), used, now));
    }
}

fn customer(run_ms: u64, waiting: usize) -> Customer {
    Customer { weight: 1.0, run: Duration::from_millis(run_ms), waiting, since: Duration::ZERO }
}

fn part(played: &Played, place: usize) -> f64 {
    let all: Duration = played.worked.iter().sum();
    played.worked[place].as_secs_f64() / all.as_secs_f64()
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn long_runs_and_short_ones_each_get_half_of_the_workers() {
    for (supervisors, workers) in [(1, 2), (1, 8), (3, 4)] {
        let played =
            play(vec![customer(1000, 100_000), customer(100, 100_000)], supervisors, workers, MINUTE);
        assert!((part(&played, 0) - 0.5).abs() < 0.05, "{supervisors} of {workers}: {}", part(&played, 0));
        assert_eq!(played.idle, Duration::ZERO);
    }
}

#[test]
fn whoever_comes_late_with_little_is_served_before_a_backlog_goes_on() {
    let late = Customer { since: Duration::from_secs(20), ..customer(200, 10) };
    let played = play(vec![customer(200, 100_000), late], 1, 2, MINUTE);
    let waited = played.last_start[1] - Duration::from_secs(20);
    // Ten runs of 200 ms on two workers take a second.
    assert!(waited <= Duration::from_millis(1200), "{waited:?}");
}

#[test]
fn weights_are_the_parts_of_worker_time() {
    let of = |weight| Customer { weight, ..customer(150, 100_000) };
    let played = play(vec![of(1.0), of(2.0), of(4.0)], 1, 4, MINUTE);
    for (place, expected) in [1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0].into_iter().enumerate() {
        assert!((part(&played, place) - expected).abs() < 0.03, "{place}: {}", part(&played, place));
    }
}

#[test]
fn what_one_does_not_use_the_others_have() {
    let played = play(vec![customer(100, 100_000), customer(100, 5)], 1, 4, MINUTE);
    assert_eq!(played.idle, Duration::ZERO);
    let alone = play(vec![customer(100, 100_000)], 1, 4, MINUTE);
    assert_eq!(alone.idle, Duration::ZERO);
}

#[test]
fn nobody_pays_for_what_was_used_long_ago() {
    let mut ledger = ShareLedger::default();
    ledger.charge(None, Duration::from_secs(1000), Duration::ZERO);
    assert!(ledger.share(None, 1.0, MINUTE * 30).used_seconds < 0.001);
    ledger.untold();
    ledger.forget(MINUTE * 30);
    assert_eq!(ledger.accounts_count(), 0);
}

#[test]
fn no_start_is_lost_and_none_is_given_to_nobody() {
    let share = |used_seconds| Share { organization_id: None, weight: 1.0, used_seconds, run_seconds: 0.0 };
    assert_eq!(allot(&[], 5), Vec::<usize>::new());
    assert_eq!(allot(&[share(3.0)], 5), [5]);
    assert_eq!(allot(&[share(0.0), share(0.0)], 5), [3, 2]);
    let weightless = Share { weight: 0.0, ..share(0.0) };
    assert_eq!(allot(&[weightless, share(0.0)], 4).iter().sum::<usize>(), 4);
}
