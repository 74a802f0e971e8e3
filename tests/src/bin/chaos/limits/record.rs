//! What became of all executions: by the stamps that they made themselves, and by the rows.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use muster_tests::{Installation, REQUEST, Record};

use super::load::{LimitedRun, RunKind};
use super::observer::{Asked, ObservedRun};
use super::strict::{self, StormRow};

/// Where the rows are.
#[derive(Debug)]
pub(super) enum RowSource<'a> {
    Postgres(Record),
    Sqlite(&'a Installation),
}

impl RowSource<'_> {
    /// What a SELECT gives that makes one text of each row.
    pub(super) fn lines(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Postgres(record) => {
                let rows = record.try_select(&format!("SELECT line FROM ({sql}) AS of (line)"));
                let rows = rows.unwrap_or_default();
                rows.iter().filter_map(|row| row["line"].as_str().map(str::to_owned)).collect()
            }
            Self::Sqlite(installation) => installation.embedded_texts(sql),
        }
    }

    /// How many rows a FROM and WHERE find.
    pub(super) fn count(&self, from_and_where: &str) -> Option<usize> {
        self.lines(&format!("SELECT '' || count(*) FROM {from_and_where}")).first()?.parse().ok()
    }

    /// How many are counted in a limit so long after their end; `None`: that is not known now.
    pub(super) fn outstayed(&self, after: Duration) -> Option<usize> {
        let now = match self {
            Self::Postgres(_) => "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
            Self::Sqlite(_) => "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
        };
        let (ended, after_us) = (self.moment("completed_at"), after.as_micros());
        self.count(&format!(
            "limit_holders JOIN executions ON executions.id = execution_id WHERE runs AND {ended} < {now} - {after_us}"
        ))
    }

    /// The number of an execution, which is among its parameters.
    fn number(&self) -> String {
        match self {
            Self::Postgres(_) => format!("{REQUEST} -> 'parameters' ->> 'n'"),
            Self::Sqlite(_) => "request ->> '$.parameters.n'".to_owned(),
        }
    }

    fn moment(&self, column: &str) -> String {
        match self {
            Self::Postgres(_) => format!("(extract(epoch FROM {column}) * 1000000)::bigint"),
            Self::Sqlite(_) => column.to_owned(),
        }
    }
}

/// What was found out about a storm.
#[derive(Debug, Default)]
pub(super) struct StormRecord {
    pub(super) asked: Vec<Asked>,
    pub(super) runs: Vec<ObservedRun>,
    /// The same as the rows tell it: each attempt from its claim to its end in the record.
    pub(super) held: Vec<ObservedRun>,
    /// How many ended how.
    pub(super) statuses: BTreeMap<String, usize>,
    /// Attempts whose process went on after another supervisor had taken the execution over.
    pub(super) outlived: usize,
    /// How long they did, at most.
    pub(super) outlived_us: i64,
    pub(super) rows: Vec<StormRow>,
    /// What is wrong where a limit does not simply let wait, in words.
    pub(super) strict: Vec<String>,
    /// Rows without a run, and runs without a row or a claim.
    pub(super) unexplained: Vec<String>,
}

type AttemptKey = (usize, u32);

impl StormRecord {
    /// Who was away when is no reason to find something wrong.
    pub(super) fn read(
        rows: &RowSource<'_>,
        stamps: &Path,
        plan: &[LimitedRun],
        away: &[(i64, i64)],
    ) -> anyhow::Result<Self> {
        let mut read = Self::default();
        // First, since who is still there goes on stamping.
        let mut runs: Vec<(AttemptKey, (i64, i64))> = stamped(stamps)?.into_iter().collect();
        runs.sort_unstable();
        let (number, created) = (rows.number(), rows.moment("created_at"));
        let (ended, asked) = (rows.moment("completed_at"), rows.moment("cancel_requested_at"));
        let sql = format!(
            "SELECT ({number}) || ' ' || {created} || ' ' || coalesce({ended}, 0) || ' ' ||
             coalesce({asked}, 0) || ' ' || status || ' ' || coalesce(error_type, '') FROM executions"
        );
        let mut at_us: HashMap<usize, i64> = HashMap::new();
        for line in rows.lines(&sql) {
            let row = storm_row(&line)?;
            at_us.insert(row.number, row.created_us);
            *read.statuses.entry(row.end.clone()).or_default() += 1;
            read.rows.push(row);
        }
        for (number, run) in plan.iter().enumerate() {
            let at = at_us.get(&number).copied();
            // Over HTTP what is refused has none.
            let has_none = at.is_none() && run.kind != RunKind::Single;
            read.unexplained.extend(has_none.then(|| format!("{number} has no row")));
            read.asked.push(Asked { key: run.key, kind: run.kind, at_us: at.unwrap_or(i64::MAX) });
        }
        let claimed = events(rows, "'claimed'")?;
        let starts: Vec<(usize, i64)> = claimed.iter().map(|((number, _), at)| (*number, *at)).collect();
        read.strict = strict::problems(plan, &read.rows, &starts, away);
        let lost = events(rows, "'lost'")?;
        read.held = held(&claimed, &events(rows, "'finalized', 'retried', 'released', 'lost'")?);
        for ((number, attempt), (from_us, mut to_us)) in runs {
            let Some(claimed_us) = claimed.get(&(number, attempt)).copied() else {
                read.unexplained.push(format!("{number} ran attempt {attempt}, which nobody claimed"));
                continue;
            };
            if let Some(lost_us) = lost.get(&(number, attempt)).filter(|lost| **lost < to_us) {
                read.outlived += 1;
                read.outlived_us = read.outlived_us.max(to_us - lost_us);
                to_us = *lost_us;
            }
            if from_us < to_us {
                let is_first = attempt == 1 || !read.runs.iter().rev().any(|run| run.number == number);
                read.runs.push(ObservedRun { number, is_first, claimed_us, from_us, to_us });
            }
        }
        Ok(read)
    }
}

fn storm_row(line: &str) -> anyhow::Result<StormRow> {
    let mut words = line.split(' ');
    let mut word = || words.next().with_context(|| format!("no line of six words: {line}"));
    let (number, created_us) = (word()?.parse()?, word()?.parse()?);
    let mut moment = || anyhow::Ok(Some(word()?.parse::<i64>()?).filter(|at| *at > 0).unwrap_or(i64::MAX));
    let (ended_us, asked_us) = (moment()?, moment()?);
    let end = format!("{} {}", word()?, word()?).trim_end().to_owned();
    Ok(StormRow { number, created_us, ended_us, asked_us, end })
}

fn fields(line: &str) -> anyhow::Result<(usize, i64, &str)> {
    let mut words = line.split(' ');
    let mut word = || words.next().with_context(|| format!("no line of three words: {line}"));
    Ok((word()?.parse()?, word()?.parse()?, word()?))
}

/// Each attempt as the rows tell of it.
fn held(claimed: &HashMap<AttemptKey, i64>, ended: &HashMap<AttemptKey, i64>) -> Vec<ObservedRun> {
    let mut attempts: Vec<_> = claimed.iter().collect();
    attempts.sort_unstable();
    let run = |(key, from): (&AttemptKey, &i64)| ObservedRun {
        number: key.0,
        is_first: key.1 == 1,
        claimed_us: *from,
        from_us: *from,
        to_us: ended.get(key).copied().unwrap_or(i64::MAX),
    };
    attempts.into_iter().map(run).collect()
}

/// When each attempt had one of these events.
fn events(rows: &RowSource<'_>, names: &str) -> anyhow::Result<HashMap<AttemptKey, i64>> {
    let (number, at) = (rows.number(), rows.moment("at"));
    let lines = rows.lines(&format!(
        "SELECT ({number}) || ' ' || {at} || ' ' || execution_events.attempt
         FROM execution_events JOIN executions ON id = execution_id WHERE event IN ({names})"
    ));
    let of = |line: &String| {
        let (number, at, attempt) = fields(line)?;
        Ok(((number, attempt.parse()?), at))
    };
    lines.iter().map(of).collect()
}

/// The first and the last stamp of each attempt.
fn stamped(path: &Path) -> anyhow::Result<HashMap<AttemptKey, (i64, i64)>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut attempts: HashMap<AttemptKey, (i64, i64)> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        let mut word = || words.next().with_context(|| format!("no stamp: {line}"));
        let (number, attempt, at): (usize, u32, i64) = (word()?.parse()?, word()?.parse()?, word()?.parse()?);
        let span = attempts.entry((number, attempt)).or_insert((at, at));
        *span = (span.0.min(at), span.1.max(at));
    }
    Ok(attempts)
}
