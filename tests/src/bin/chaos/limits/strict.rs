//! What must hold of limits that do not simply let wait, by the rows and the claims alone.

use std::collections::BTreeMap;

use super::load::{LimitedRun, PACE, PACE_BURST, PACE_SECONDS, RunKind, SINGLE};

/// How long after a newer one came whoever it displaced may be there still: what had it locked is over by then.
const DISPLACED_WITHIN_US: i64 = 2_000_000;
/// Who is to end is asked this long after a newer one came, at most.
const ASKED_WITHIN_US: i64 = 2_000_000;
/// In so many periods starts are counted.
const PERIODS: usize = 2;
/// What was decided may be written a little later than what was decided next.
const LATE_STARTS: usize = 2;

/// One execution as its row tells of it.
#[derive(Clone, Debug)]
pub(super) struct StormRow {
    pub(super) number: usize,
    pub(super) created_us: i64,
    /// The last moment there is of one that is not over.
    pub(super) ended_us: i64,
    /// When it was asked to end; the last moment there is if it was not.
    pub(super) asked_us: i64,
    /// The status, with the error type if there is one.
    pub(super) end: String,
}

impl StormRow {
    fn is_over(&self) -> bool {
        self.ended_us < i64::MAX
    }

    fn is_open(&self, at: i64) -> bool {
        self.created_us <= at && at < self.ended_us
    }
}

/// All that is wrong, in words.
pub(super) fn problems(
    plan: &[LimitedRun],
    rows: &[StormRow],
    starts: &[(usize, i64)],
    away: &[(i64, i64)],
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut of_key: BTreeMap<(RunKind, usize), Vec<&StormRow>> = BTreeMap::new();
    for row in rows {
        let LimitedRun { key, kind, .. } = plan[row.number];
        let is_right = match kind {
            RunKind::Plain | RunKind::Mails | RunKind::Paced => row.end == "SUCCESS",
            RunKind::Newest => ["SUCCESS", "CANCELLED Superseded"].contains(&row.end.as_str()),
            RunKind::Single => ["SUCCESS", "FAILED LimitReached"].contains(&row.end.as_str()),
            RunKind::Latest => row.end == "SUCCESS" || row.end.starts_with("CANCELLED "),
        };
        if row.is_over() && !is_right {
            problems.push(format!("{} of {kind:?} ended {}", row.number, row.end));
        }
        of_key.entry((kind, key)).or_default().push(row);
    }
    for ((kind, key), mut rows) in of_key {
        rows.sort_by_key(|row| row.created_us);
        match kind {
            RunKind::Plain | RunKind::Mails | RunKind::Paced => {}
            RunKind::Newest => problems.extend(newest(key, &rows)),
            RunKind::Single => problems.extend(single(key, &rows)),
            RunKind::Latest => problems.extend(latest(key, &rows, away)),
        }
    }
    problems.extend(paced(plan, starts));
    problems
}

/// The newest is never displaced, and beside one that runs at most one waits.
fn newest(key: usize, rows: &[&StormRow]) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(last) = rows.last().filter(|last| last.is_over() && last.end != "SUCCESS") {
        problems.push(format!("{}, the newest of key {key}, ended {}", last.number, last.end));
    }
    for (place, row) in rows.iter().enumerate() {
        let at = row.created_us + DISPLACED_WITHIN_US;
        let open: Vec<usize> =
            rows[..=place].iter().filter(|one| one.is_open(at)).map(|one| one.number).collect();
        if open.len() > 2 {
            problems.push(format!("beside {} of key {key} there are {open:?}", row.number));
        }
    }
    problems
}

/// The newest is never asked to make room, and whatever is older has ended soon after it came or was asked to.
fn latest(key: usize, rows: &[&StormRow], away: &[(i64, i64)]) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(last) = rows.last().filter(|last| last.is_over() && last.end != "SUCCESS") {
        problems.push(format!("{}, the latest of key {key}, ended {}", last.number, last.end));
    }
    for pair in rows.windows(2) {
        let [older, newer] = pair else { continue };
        let by = newer.created_us.saturating_add(ASKED_WITHIN_US);
        let somebody_was_away = away.iter().any(|(from, to)| *from <= by && newer.created_us <= *to);
        if older.ended_us.min(older.asked_us) > by && !somebody_was_away {
            problems.push(format!("{} of key {key} goes on though {} came", older.number, newer.number));
        }
    }
    problems
}

/// Of those that were let in there are never more than may be.
fn single(key: usize, rows: &[&StormRow]) -> Vec<String> {
    let let_in: Vec<&&StormRow> = rows.iter().filter(|row| row.end != "FAILED LimitReached").collect();
    let open_at = |at: i64| let_in.iter().filter(|row| row.is_open(at)).count();
    let too_many = let_in.iter().filter(|row| open_at(row.created_us) > SINGLE);
    too_many.map(|row| format!("{} was let in to key {key} when it was full", row.number)).collect()
}

/// In no period start more than the rate says.
fn paced(plan: &[LimitedRun], starts: &[(usize, i64)]) -> Vec<String> {
    let mut starts: Vec<(i64, usize)> = starts
        .iter()
        .filter(|(number, _)| plan[*number].kind == RunKind::Paced)
        .map(|(number, at)| (*at, *number))
        .collect();
    starts.sort_unstable();
    let most = PACE * PERIODS + PACE_BURST - 1 + LATE_STARTS;
    let period_us = i64::try_from(PACE_SECONDS * 1_000_000).unwrap_or(i64::MAX) * PERIODS as i64;
    let too_many = starts.windows(most + 1).filter(|window| match window {
        [(first, _), .., (last, _)] => last - first < period_us,
        [] | [_] => false,
    });
    too_many
        .map(|window| format!("{} starts of a rate from {} on", window.len(), window[0].0))
        .take(5)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(kind: RunKind, count: usize) -> Vec<LimitedRun> {
        let mut random = fastrand::Rng::with_seed(1);
        let all = super::super::load::plan(count * 20, 1, &mut random);
        all.into_iter().filter(|run| run.kind == kind).take(count).collect()
    }

    fn row(number: usize, created_us: i64, ended_us: i64, end: &str) -> StormRow {
        StormRow { number, created_us, ended_us, asked_us: i64::MAX, end: end.to_owned() }
    }

    const SECOND: i64 = 1_000_000;

    #[test]
    fn two_that_wait_beside_one_that_runs_are_seen() {
        let plan = plan(RunKind::Newest, 3);
        let superseded = "CANCELLED Superseded";
        let right = [
            row(0, 0, 90 * SECOND, "SUCCESS"),
            row(1, SECOND, 2 * SECOND, superseded),
            row(2, 2 * SECOND, 99 * SECOND, "SUCCESS"),
        ];
        assert_eq!(problems(&plan, &right, &[], &[]), Vec::<String>::new());
        let mut wrong = right.clone();
        wrong[1] = row(1, SECOND, 95 * SECOND, "SUCCESS");
        assert_eq!(problems(&plan, &wrong, &[], &[]).len(), 1);
        wrong[2].end = superseded.to_owned();
        assert!(problems(&plan, &wrong, &[], &[])[0].contains("the newest of key 0"));
    }

    #[test]
    fn one_too_many_that_was_let_in_is_seen() {
        let plan = plan(RunKind::Single, 3);
        let rows =
            |third: &str| [row(0, 0, 9, "SUCCESS"), row(1, 1, 9, "SUCCESS"), row(2, 5, 20, third)].to_vec();
        assert_eq!(problems(&plan, &rows("FAILED LimitReached"), &[], &[]), Vec::<String>::new());
        assert_eq!(problems(&plan, &rows("SUCCESS"), &[], &[]).len(), 1);
        assert_eq!(problems(&plan, &rows("FAILED Other"), &[], &[]).len(), 2);
    }

    #[test]
    fn one_that_goes_on_though_a_newer_one_came_is_seen() {
        let plan = plan(RunKind::Latest, 3);
        let asked = StormRow { asked_us: 3 * SECOND, ..row(0, 0, 9 * SECOND, "CANCELLED CancelledError") };
        let rows = [
            asked.clone(),
            row(1, 2 * SECOND, 5 * SECOND, "CANCELLED Superseded"),
            row(2, 4 * SECOND, 20 * SECOND, "SUCCESS"),
        ];
        assert_eq!(problems(&plan, &rows, &[], &[]), Vec::<String>::new());
        let mut wrong = rows.clone();
        wrong[0].asked_us = i64::MAX;
        let said = problems(&plan, &wrong, &[], &[]);
        assert!(said.len() == 1 && said[0].contains("goes on"), "{said:?}");
        assert_eq!(problems(&plan, &wrong, &[], &[(SECOND, 3 * SECOND)]), Vec::<String>::new());
        wrong[2].end = "CANCELLED Superseded".to_owned();
        assert_eq!(problems(&plan, &wrong, &[], &[]).len(), 2);
    }

    #[test]
    fn starts_that_come_too_fast_are_seen() {
        let plan = plan(RunKind::Paced, 12);
        let starts = |apart: i64| (0..12).map(|number| (number, number as i64 * apart)).collect::<Vec<_>>();
        let even = SECOND * PACE_SECONDS as i64 / PACE as i64;
        assert_eq!(paced(&plan, &starts(even)), Vec::<String>::new());
        assert_eq!(paced(&plan, &starts(even / 2)).len(), 1);
    }
}
