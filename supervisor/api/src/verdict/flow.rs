//! Does what waits get its turn?

use super::{Finding, NOT_KNOWN, ReportFacts, living, seconds};
use crate::{PauseView, QueueView, SupervisorLife, SupervisorWord, Verdict};

/// What waits for a worker for longer than this should be looked at.
const LONG_WAIT_SECONDS: f64 = 60.0;

pub(super) fn findings(facts: &ReportFacts) -> Vec<Finding> {
    let mut findings = paused(facts);
    findings.extend(facts.pool.queues.iter().filter_map(|queue| waits(facts, queue)));
    findings.extend(broker(facts));
    if facts.is_blind() {
        findings.push(Finding::fine(format!("what waits is {NOT_KNOWN}")));
        return findings;
    }
    let all: u64 = facts.pool.queues.iter().map(|queue| queue.waiting).sum();
    let oldest = facts.pool.queues.iter().map(|queue| queue.oldest_wait_seconds).fold(0.0, f64::max);
    let waiting = waiting(all);
    findings.push(Finding::fine(match all {
        0 => "nothing waits".to_owned(),
        _ if oldest > 0.0 => format!("{waiting}, and the next of them has waited {}", seconds(oldest)),
        _ => format!("{waiting}, for a later moment or for room in a limit"),
    }));
    findings
}

/// So many wait, in words.
fn waiting(count: u64) -> String {
    format!("{count} {}", if count == 1 { "waits" } else { "wait" })
}

fn paused(facts: &ReportFacts) -> Vec<Finding> {
    let finding = |pause: &PauseView| {
        let step = format!("`supervisor resume {}` when it may start again", pause.target);
        Finding::bad(Verdict::Degraded, pause.sentence(), step)
    };
    facts.pool.pauses.iter().map(finding).collect()
}

fn waits(facts: &ReportFacts, queue: &QueueView) -> Option<Finding> {
    let (name, waiting) = (&queue.queue, waiting(queue.waiting));
    if queue.waiting == 0 || is_paused(facts, name) {
        return None;
    }
    let serves = |said: &SupervisorWord| name.is_empty() || said.queues.contains(name);
    let mut serving = living(facts).filter(|one| one.said.as_ref().is_some_and(serves)).peekable();
    if serving.peek().is_none() && !queue.is_served {
        let evidence = format!("{waiting} in queue {name:?}, and no supervisor serves it");
        let step = format!(
            "start a supervisor with `queues = [{name:?}]`, or add it to the setting of one that runs"
        );
        return Some(Finding::bad(Verdict::Failing, evidence, step));
    }
    if queue.oldest_wait_seconds < LONG_WAIT_SECONDS {
        return None;
    }
    let wait = seconds(queue.oldest_wait_seconds);
    let evidence =
        format!("{waiting} in queue {name:?}, and the next of them has waited {wait} for a worker");
    let is_full = |said: &SupervisorWord| said.running >= said.max_workers;
    let mut taking = serving.filter(|one| one.life == SupervisorLife::Serving).peekable();
    if taking.peek().is_none() {
        let step = "`supervisor fleet` shows why no supervisor takes work";
        return Some(Finding::bad(Verdict::Failing, evidence, step));
    }
    if taking.all(|one| one.said.as_ref().is_some_and(is_full)) {
        let evidence = format!("{evidence}: every worker is busy");
        let step = "raise max_workers (`supervisor resize`), or start another supervisor";
        return Some(Finding::bad(Verdict::Degraded, evidence, step));
    }
    let step = "`supervisor list --status PENDING`, and `supervisor explain ID` of the oldest says what it waits for";
    Some(Finding::bad(Verdict::Degraded, format!("{evidence}, though workers are free"), step))
}

fn is_paused(facts: &ReportFacts, queue: &str) -> bool {
    facts
        .pool
        .pauses
        .iter()
        .any(|pause| pause.target == "all" || pause.target.strip_prefix("queue:") == Some(queue))
}

fn broker(facts: &ReportFacts) -> Option<Finding> {
    let dead: u32 = facts.pool.broker.as_ref()?.queues.iter().filter_map(|queue| queue.dead).sum();
    (dead > 0).then(|| {
        let evidence = format!("RabbitMQ holds {dead} dead letters: messages that nothing could be run from");
        Finding::bad(
            Verdict::Degraded,
            evidence,
            "`supervisor dead list` shows each with its reason, `dead replay` tries it again",
        )
    })
}
