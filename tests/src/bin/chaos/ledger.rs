//! What became of every execution, and whether the bars hold.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_tests::{Backends, Cache, REQUEST, Record, TestQueue};
use serde_json::Value;

use crate::faults::Blows;
use crate::load::Planned;

/// A death counts as disturbed when the database was away this soon before or after it: nobody could take
/// over then, and a server that has just started is given time to hear of its clients.
const DISTURBED_WITHIN: Duration = Duration::from_secs(6);
/// What every run logs.
const LINES: u64 = 3;

/// What the ledger cannot see in the servers.
#[derive(Debug)]
pub(crate) struct Circumstances {
    pub(crate) took: Duration,
    /// Everything ended and was announced in time.
    pub(crate) drained: bool,
    /// The owner ids of the supervisors that lived to the end.
    pub(crate) living: Vec<String>,
    /// Processes that stayed.
    pub(crate) left: Vec<String>,
    /// The bar of the recovery times.
    pub(crate) bar: Duration,
}

/// The ledger.
#[derive(Debug)]
pub(crate) struct ChaosRecord {
    executions: usize,
    faults: String,
    circumstances: Circumstances,
    lost: Vec<String>,
    ended_twice: Vec<String>,
    wrong_end: Vec<String>,
    without_logs: Vec<String>,
    wrong_state: Vec<String>,
    over_attempts: Vec<String>,
    taken_from_living: Vec<String>,
    unknown_rows: u64,
    statuses: BTreeMap<String, usize>,
    attempts: BTreeMap<u64, usize>,
    recoveries: Vec<Duration>,
    disturbed_recoveries: Vec<Duration>,
    queued: Option<u32>,
    dead_letters: Option<u32>,
    keys_of_executions: Vec<String>,
    keys_without_expiry: Vec<String>,
}

/// Waits until so many executions have ended and are announced. False: not in time.
pub(crate) fn wait_until_all_ended(backends: &Backends, count: usize, within: Duration) -> bool {
    let record = Record::of(backends);
    let deadline = Instant::now() + within;
    // What is finalized is noted with the commit, and waits among the unpublished until it is told: that of a supervisor that was
    // killed in between is told by a sweep.
    let ended = "SELECT count(*) AS count FROM executions \
                 WHERE notified_at IS NOT NULL AND id NOT IN (SELECT execution_id FROM unpublished_outcomes)";
    loop {
        let counted = record.try_select(ended).ok().and_then(|rows| rows.first()?["count"].as_u64());
        if counted.is_some_and(|counted| counted >= count as u64) {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl ChaosRecord {
    pub(crate) fn write(
        backends: &Backends,
        planned: &[Planned],
        blows: &Blows,
        circumstances: Circumstances,
    ) -> Self {
        let (record, cache, mut queue) = (Record::of(backends), Cache::of(backends), TestQueue::of(backends));
        let rows = rows(&record);
        let keys = cache.keys().into_iter();
        let (recoveries, disturbed_recoveries) = recoveries(&record, blows);
        let taken_from_living = taken_from_living(&record, blows, &circumstances.living);
        let mut ledger = Self {
            executions: planned.len(),
            faults: blows.to_string(),
            circumstances,
            lost: Vec::new(),
            ended_twice: Vec::new(),
            wrong_end: Vec::new(),
            without_logs: Vec::new(),
            wrong_state: Vec::new(),
            over_attempts: Vec::new(),
            taken_from_living,
            unknown_rows: rows.len().saturating_sub(planned.len()) as u64,
            statuses: BTreeMap::new(),
            attempts: BTreeMap::new(),
            recoveries,
            disturbed_recoveries,
            queued: queue.try_depth(false),
            dead_letters: queue.try_depth(true),
            keys_of_executions: keys.filter(|key| is_of_execution(key)).collect(),
            keys_without_expiry: cache.keys_without_expiry(),
        };
        planned.iter().for_each(|planned| ledger.enter(planned, rows.get(&planned.id)));
        ledger
    }

    fn enter(&mut self, planned: &Planned, row: Option<&Value>) {
        let Some(row) = row.filter(|row| !matches!(row["status"].as_str(), Some("PENDING" | "RUNNING")))
        else {
            return self.lost.push(planned.id.clone());
        };
        let text = |field: &str| row[field].as_str().unwrap_or_default();
        let number = |field: &str| row[field].as_u64().unwrap_or_default();
        let error_type = text("error_type");
        *self.statuses.entry(format!("{} {error_type}", text("status")).trim().to_owned()).or_default() += 1;
        *self.attempts.entry(number("attempt")).or_default() += 1;
        if number("ends") != 1 {
            self.ended_twice.push(planned.id.clone());
        }
        if number("attempts_charged") > number("max_attempts") {
            self.over_attempts.push(planned.id.clone());
        }
        // What the storm took all attempts of has ended as it must, too.
        let given_up = number("attempts_charged") >= number("max_attempts")
            && matches!(error_type, "SupervisorLost" | "WorkerCrashed");
        let as_planned = match planned.fails {
            true => text("status") == "FAILED" && error_type == "RangeError",
            false => text("status") == "SUCCESS" && row["result"] == planned.number,
        };
        if !as_planned && !given_up {
            self.wrong_end.push(format!("{} {} {error_type}", planned.id, text("status")));
        }
        if as_planned && number("lines") != LINES {
            self.without_logs.push(planned.id.clone());
        }
        if as_planned && row["state"] != row["attempt"] {
            self.wrong_state.push(planned.id.clone());
        }
    }

    /// The bars that do not hold, in words.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut bar = |holds: bool, what: String| {
            if !holds {
                broken.push(what);
            }
        };
        for (what, found) in self.findings() {
            let some: Vec<_> = found.iter().take(5).cloned().collect();
            bar(found.is_empty(), format!("{what} {}: {}", found.len(), some.join(", ")));
        }
        bar(self.circumstances.drained, "not everything ended and was announced in time".to_owned());
        bar(self.unknown_rows == 0, format!("{} rows nobody asked for", self.unknown_rows));
        bar(self.queued == Some(0), format!("messages left: {:?}", self.queued));
        bar(self.dead_letters == Some(0), format!("dead letters: {:?}", self.dead_letters));
        let p99 = percentile(&self.recoveries, 99);
        let limit = self.circumstances.bar;
        bar(p99.is_none_or(|p99| p99 < limit), format!("recovery p99 {p99:?}, the bar is {limit:?}"));
        broken
    }

    fn findings(&self) -> [(&'static str, &Vec<String>); 10] {
        [
            ("lost", &self.lost),
            ("finalized twice or never", &self.ended_twice),
            ("wrong end", &self.wrong_end),
            ("incomplete logs", &self.without_logs),
            ("state of another attempt", &self.wrong_state),
            ("more than max_attempts", &self.over_attempts),
            ("taken from the living", &self.taken_from_living),
            ("keys of executions left", &self.keys_of_executions),
            ("keys without expiry", &self.keys_without_expiry),
            ("processes left", &self.circumstances.left),
        ]
    }
}

impl std::fmt::Display for ChaosRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Circumstances { took, bar, .. } = &self.circumstances;
        writeln!(f, "{:26} {} in {:.0} s", "executions", self.executions, took.as_secs_f64())?;
        writeln!(f, "{:26} {}", "faults", self.faults)?;
        for (what, found) in self.findings() {
            writeln!(f, "{what:26} {}", found.len())?;
        }
        writeln!(f, "{:26} {:?}, dead letters {:?}", "messages left", self.queued, self.dead_letters)?;
        writeln!(f, "{:26} {:?}", "ends", self.statuses)?;
        writeln!(f, "{:26} {:?}", "attempts", self.attempts)?;
        writeln!(f, "{:26} {} (bar: p99 < {bar:?})", "recovery after kill -9", times(&self.recoveries))?;
        write!(f, "{:26} {}", "  with the database away", times(&self.disturbed_recoveries))
    }
}

fn rows(record: &Record) -> HashMap<String, Value> {
    let rows = record.select(&format!(
        "SELECT id, status, error_type, attempt, attempts_charged, max_attempts, result,
            (SELECT count(*) FROM execution_events
                WHERE execution_id = id AND event IN ('finalized', 'cancelled')) AS ends,
            (SELECT count(*) FROM execution_logs
                WHERE execution_id = id AND execution_logs.attempt = executions.attempt
                    AND stream = 'log') AS lines,
            (SELECT value FROM state_entries WHERE key = 'n' || ({REQUEST} -> 'parameters' ->> 'n')) AS state
        FROM executions"
    ));
    rows.into_iter().filter_map(|row| Some((row["id"].as_str()?.to_owned(), row))).collect()
}

/// Executions that were taken over from a supervisor that lived at that moment.
fn taken_from_living(record: &Record, blows: &Blows, living: &[String]) -> Vec<String> {
    let died: HashMap<&str, Timestamp> =
        blows.deaths.iter().filter_map(|death| Some((death.owner.as_deref()?, death.at))).collect();
    let lost =
        record.select("SELECT execution_id, supervisor, at FROM execution_events WHERE event = 'lost'");
    let lost = lost.iter().filter(|row| {
        let owner = row["supervisor"].as_str().unwrap_or_default();
        let at = row["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let before_its_death = died.get(owner).zip(at).is_some_and(|(died, at)| at < *died);
        before_its_death || living.iter().any(|living| living == owner)
    });
    lost.filter_map(|row| row["execution_id"].as_str().map(str::to_owned)).collect()
}

/// How long what a killed supervisor ran waited to be taken over: undisturbed, and disturbed.
fn recoveries(record: &Record, blows: &Blows) -> (Vec<Duration>, Vec<Duration>) {
    let (mut undisturbed, mut disturbed) = (Vec::new(), Vec::new());
    for death in &blows.deaths {
        let Some(owner) = &death.owner else { continue };
        let lost = record.select(&format!(
            "SELECT at FROM execution_events WHERE event = 'lost' AND supervisor = '{owner}'"
        ));
        let waited = lost.iter().filter_map(|row| {
            let at = row["at"].as_str()?.parse::<Timestamp>().ok()?;
            Duration::try_from(at.duration_since(death.at)).ok()
        });
        let near = |away: &(Timestamp, Timestamp)| {
            away.0 <= death.at + DISTURBED_WITHIN && death.at <= away.1 + DISTURBED_WITHIN
        };
        let times = if blows.database_away.iter().any(near) { &mut disturbed } else { &mut undisturbed };
        times.extend(waited);
    }
    undisturbed.sort();
    disturbed.sort();
    (undisturbed, disturbed)
}

/// Of sorted times.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
}

fn times(sorted: &[Duration]) -> String {
    match (percentile(sorted, 50), percentile(sorted, 99)) {
        (Some(p50), Some(p99)) => {
            format!(
                "{} taken over, p50 {:.2} s, p99 {:.2} s",
                sorted.len(),
                p50.as_secs_f64(),
                p99.as_secs_f64()
            )
        }
        _ => "nothing to take over".to_owned(),
    }
}

/// The keys that must go with their execution. Replies, caches and heartbeats end by themselves.
fn is_of_execution(key: &str) -> bool {
    ["pending:", "context:", "logs:", "changes:"].iter().any(|kind| key.starts_with(kind))
}
