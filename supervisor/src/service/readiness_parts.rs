//! What readiness says of each part the supervisor needs: sentences for people, from what the rooms know.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_intake::rabbitmq::BrokerHealth;
use muster_protocol::ErrorInfo;
use muster_store::{DatabaseFacts, PresenceShown};

use super::data_dir::DataDir;
use super::database_status::{SILENT_MAX, StatusReading};
use crate::api::ReadinessPart;
use crate::dispatch::{IntakeClosed, StartTrouble};
use crate::finalize::{RefusalCause, RefusedOutcome};

/// Whether workers start.
pub(super) fn workers_part(trouble: Option<StartTrouble>) -> ReadinessPart {
    let Some(StartTrouble { consecutive, message, .. }) = trouble else {
        return part("workers", true, "workers start");
    };
    part("workers", false, format!("{consecutive} starts in a row failed, the last: {message}"))
}

/// Whether anything is claimed, and every reason why nothing is.
pub(super) fn intake_part(closed: &[IntakeClosed]) -> ReadinessPart {
    if closed.is_empty() {
        return part("intake", true, "open");
    }
    let reasons: Vec<_> = closed.iter().map(|reason| reason.explain()).collect();
    part("intake", false, reasons.join("; "))
}

/// What others see of us. Without a lock and without a beat they may take over what runs here.
pub(super) fn presence_part(shown: PresenceShown) -> Option<ReadinessPart> {
    match shown {
        PresenceShown::NotNeeded => None,
        PresenceShown::Yes => Some(part("presence", true, "other supervisors see that this one lives")),
        PresenceShown::Lost { since, why, beats } => {
            let shown = if beats { "its beats go on" } else { "it does not beat either" };
            let detail = format!(
                "the lock that shows that this supervisor lives has been lost for {} s, {shown}: {why}",
                since.as_secs()
            );
            Some(part("presence", beats, detail))
        }
    }
}

/// One row that its database refuses is named, and no reason to take nothing else.
pub(super) fn outcomes_part(refused: &[RefusedOutcome]) -> ReadinessPart {
    let Some(first) = refused.first() else { return part("outcomes", true, "all are taken") };
    let RefusedOutcome { attempt, message, cause, tries: _ } = first;
    let count = refused.len();
    let look_for = match cause {
        RefusalCause::Refused => "a trigger or a constraint that holds back its row",
        RefusalCause::Locked => "a transaction that was left open",
    };
    let detail = format!(
        "the database does not take {count} of them and takes all others; the first is {attempt}: {message}; look \
         for {look_for}"
    );
    part("outcomes", true, detail)
}

/// The workflow files that cannot be loaded: the others serve, so nothing is unready for them.
pub(super) fn files_part(broken: &BTreeMap<String, ErrorInfo>) -> Option<ReadinessPart> {
    const NAMED_MAX: usize = 5;
    const MESSAGE_MAX_CHARS: usize = 200;
    let named = broken.iter().take(NAMED_MAX).map(|(file, error)| {
        let message: String =
            error.message.lines().next().unwrap_or_default().chars().take(MESSAGE_MAX_CHARS).collect();
        format!("{file} ({}: {message})", error.kind)
    });
    let mut named: Vec<String> = named.collect();
    match broken.len() {
        0 => return None,
        all if all > NAMED_MAX => named.push(format!("{} more", all - NAMED_MAX)),
        _ => {}
    }
    Some(part("files", true, format!("all are loaded but {}", named.join(", "))))
}

/// What the database said last, and when. One that is slow for a moment is as ready as it was.
pub(super) fn store_part(
    facts: &StatusReading<DatabaseFacts>,
    unconfirmed: Option<Duration>,
) -> ReadinessPart {
    let age = facts.age.as_secs();
    let silent = facts.silent_for.filter(|silent| *silent >= SILENT_MAX);
    if let (Some(Ok(_)), None, Some(waited)) = (&facts.answer, silent, unconfirmed) {
        let seconds = waited.as_secs();
        let problem = format!(
            "the database answers, and has not confirmed what is written for {seconds} s: look for a standby that it waits for \
             (synchronous_standby_names), a lock, or its disk"
        );
        return part("store", false, problem);
    }
    match (&facts.answer, silent) {
        (Some(Ok(facts)), None) if age == 0 => {
            part("store", true, format!("{} {}", facts.backend, facts.version))
        }
        (Some(Ok(facts)), None) => {
            part("store", true, format!("{} {} (as of {age} s ago)", facts.backend, facts.version))
        }
        (Some(Err(problem)), None) if age == 0 => part("store", false, problem.as_str()),
        (Some(Err(problem)), None) => part("store", false, format!("{problem} (as of {age} s ago)")),
        (None, None) => part("store", false, "the database has not answered yet"),
        (_, Some(silent)) => {
            part("store", false, format!("the database has not answered for {} s", silent.as_secs()))
        }
    }
}

/// A directory that is not where it was takes what is written to it along when the supervisor ends.
pub(super) fn data_dir_part(data_dir: &DataDir) -> Option<ReadinessPart> {
    if data_dir.is_in_place() {
        return None;
    }
    let problem = format!(
        "{} was removed or replaced, and what is written to it is lost when this supervisor ends: put it back, or start the \
         supervisor again",
        data_dir.path().display()
    );
    Some(part("data_dir", false, problem))
}

/// Executions go on without the bus: it is named, and does not make us unready.
pub(super) fn bus_part(problem: Option<String>, waiting_for_records: usize) -> ReadinessPart {
    let waiting = match waiting_for_records {
        0 => String::new(),
        1 => "; 1 message waits for its pending record in Redis".to_owned(),
        count => format!("; {count} messages wait for their pending records in Redis"),
    };
    let detail = match problem {
        Some(problem) => {
            format!("redis: {problem}; other executions go on, live views and sync replies wait{waiting}")
        }
        None => format!("live views work{waiting}"),
    };
    part("bus", true, detail)
}

/// The store's rows are polled whatever the broker does, so a broker that is away is a degraded intake, named
/// and not ready. Connected means that the broker has confirmed a consumer, or that no slot is free for one.
///
/// Of several queues the first that is not ready speaks for all. `None` without a broker.
pub(super) fn queue_part(queues: &[BrokerHealth], slots_are_free: bool) -> Option<ReadinessPart> {
    if queues.is_empty() {
        return None;
    }
    if let Some(trouble) = queues.iter().find_map(|health| queue_trouble(health, slots_are_free)) {
        return Some(part("queue", false, trouble));
    }
    let differences: Vec<&str> =
        queues.iter().flat_map(|health| &health.differences).map(String::as_str).collect();
    let detail =
        if differences.is_empty() { "rabbitmq is connected".to_owned() } else { differences.join("; ") };
    Some(part("queue", true, detail))
}

fn queue_trouble(health: &BrokerHealth, slots_are_free: bool) -> Option<String> {
    if let Some(problem) = health.problem.as_ref().or(health.consume_problem.as_ref()) {
        return Some(format!("rabbitmq: {problem}; connecting again"));
    }
    let unconfirmed = !health.confirmed && slots_are_free;
    unconfirmed.then(|| "rabbitmq: connected, and has not confirmed our consumer yet".to_owned())
}

fn part(part: &str, ready: bool, detail: impl Into<String>) -> ReadinessPart {
    ReadinessPart { part: part.to_owned(), ready, detail: detail.into() }
}
