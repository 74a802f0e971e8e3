//! Does what starts come to a good end?

use super::{Finding, NOT_KNOWN, ReportFacts};
use crate::{OutcomeCounts, Verdict};

/// Fewer failures than this in a quarter of an hour are no reason to wake somebody.
const FAILURES_MIN: u64 = 5;
/// Nor is a smaller share of what ended.
const SHARE_MIN: f64 = 0.05;
/// From this share on most of it fails.
const SHARE_FAILING: f64 = 0.5;
/// So many times the share of the day is more than usual.
const MORE_THAN_USUAL: f64 = 2.0;

pub(super) fn findings(facts: &ReportFacts) -> Vec<Finding> {
    let (mut quarter, mut day) = (OutcomeCounts::default(), OutcomeCounts::default());
    for said in facts.fleet.supervisors.iter().filter_map(|one| one.said.as_ref()) {
        quarter.add(&said.quarter);
        day.add(&said.day);
    }
    let mut findings = vec![match facts.is_blind() {
        true => Finding::fine(format!("what ended is {NOT_KNOWN}")),
        false => failures(&quarter, &before(&quarter, &day, &facts.noted_before)),
    }];
    if let Some(problem) = &facts.pool.problem {
        let step = "`supervisor doctor` starts a worker and says what is in its way";
        findings.push(Finding::bad(Verdict::Failing, format!("workers do not start: {problem}"), step));
    }
    if !facts.pool.next_start.is_empty() {
        let names = facts.pool.next_start.join(", ");
        let evidence = format!("changed settings count from the next start on: {names}");
        findings.push(Finding::bad(Verdict::Degraded, evidence, "restart this supervisor when it suits"));
    }
    findings
}

/// What ended in the day before the last quarter of an hour. What those that live remember goes back to their starts only, and what
/// is noted for charts lacks what one did not come to note: whichever knows of more is nearer to the truth.
fn before(quarter: &OutcomeCounts, day: &OutcomeCounts, noted: &OutcomeCounts) -> (u64, u64) {
    let remembered = (day.ended.saturating_sub(quarter.ended), day.failed.saturating_sub(quarter.failed));
    if noted.ended > remembered.0 { (noted.ended, noted.failed) } else { remembered }
}

fn failures(quarter: &OutcomeCounts, earlier: &(u64, u64)) -> Finding {
    let (now, usual) = (share(quarter.failed, quarter.ended), share(earlier.1, earlier.0));
    let before = match earlier.0 {
        0 => "no end is noted of the day before".to_owned(),
        _ => format!("in the day before it was {}", percent(usual)),
    };
    let evidence = match quarter.ended {
        0 => format!("nothing ended in the last 15 minutes; {before}"),
        _ => format!(
            "{} of {} failed in the last 15 minutes ({}); {before}",
            quarter.failed,
            quarter.ended,
            percent(now)
        ),
    };
    if quarter.failed < FAILURES_MIN || now < SHARE_MIN || (earlier.0 > 0 && now < usual * MORE_THAN_USUAL) {
        return Finding::fine(evidence);
    }
    let most = quarter.kinds.iter().max_by_key(|(_, count)| **count);
    let most = most.map(|(kind, count)| format!("; most often {kind} ({count})")).unwrap_or_default();
    let verdict = if now >= SHARE_FAILING { Verdict::Failing } else { Verdict::Degraded };
    let step = "`supervisor list --status FAILED` and `supervisor show ID` of one of them: its error, its stack, and its log";
    Finding::bad(verdict, format!("{evidence}{most}"), step)
}

fn share(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    let share = part as f64 / whole.max(1) as f64;
    share
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
