//! RabbitMQ: reachable, of a version with quorum queues, with queues as ours are.

use muster_intake::rabbitmq::{AmqpError, Inspection, inspect};
use secrecy::ExposeSecret as _;

use super::encryption;
use super::finding::DoctorFinding;
use crate::settings::{Settings, mask_url};

/// Quorum queues and their delivery limit came with it.
const VERSION_MIN: (u32, u32) = (3, 8);

pub(super) async fn check(settings: &Settings) -> Vec<DoctorFinding> {
    let Some(server) = &settings.amqp_url else {
        return vec![DoctorFinding::ok("rabbitmq", "not used: executions wait in the database")];
    };
    let url = server.expose_secret();
    let (mut inspected, mut failed) = (Vec::new(), Vec::new());
    for queue in settings.served_queues() {
        match inspect(settings.server(server), queue).await {
            Ok(inspection) => inspected.push((queue.as_str(), inspection)),
            Err(error) => failed.push(unusable(&mask_url(url), &error)),
        }
    }
    let mut findings = Vec::new();
    if !inspected.is_empty() {
        let mut of_queues = findings_for(&inspected).into_iter();
        findings.extend(of_queues.next().map(|first| encryption::told(first, &encryption::of_url(url))));
        findings.extend(of_queues);
    }
    // A broker that is away is away for all of them.
    failed.dedup_by(|one, other| one.seen == other.seen);
    findings.extend(failed);
    findings
}

/// What there is to say of each served queue, and of the broker, which says the same of itself each time.
fn findings_for(inspected: &[(&str, Inspection)]) -> Vec<DoctorFinding> {
    let version = inspected.first().and_then(|(_, found)| found.version.as_deref());
    let broker = version.unwrap_or("reachable (its version is not read over TLS)");
    let queues: Vec<String> = inspected.iter().map(|(queue, found)| queue_told(queue, found)).collect();
    // The protocol has no question for it. A delivery is acknowledged once claimed, or within five seconds.
    let timeout = "consumer timeout not readable, anything above 10 s will do";
    let seen = format!("{broker}, {}; {timeout}", queues.join("; "));
    let mut findings = vec![match version.and_then(major_minor) {
        Some(old) if old < VERSION_MIN => {
            let fix = "upgrade it: quorum queues with a delivery limit came with 3.8";
            DoctorFinding::fail("rabbitmq", seen, fix)
        }
        Some(_) | None => DoctorFinding::ok("rabbitmq", seen),
    }];
    let differences = inspected.iter().flat_map(|(_, found)| &found.differences);
    findings.extend(differences.map(|difference| {
        DoctorFinding::warn("rabbitmq", difference, "drain and delete what differs, or set another queue")
    }));
    findings
}

fn queue_told(queue: &str, found: &Inspection) -> String {
    match found.missing.as_slice() {
        [] => format!(
            "{queue}: {} waiting, {} consumers, {} dead letters",
            found.messages, found.consumers, found.dead
        ),
        missing => format!("{} not there yet: the first start makes it", missing.join(", ")),
    }
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn unusable(url: &str, error: &AmqpError) -> DoctorFinding {
    let fix = match error {
        AmqpError::Url(_) => "correct amqp_url",
        AmqpError::Certificate(_) => "correct tls_ca_file, tls_cert_file and tls_key_file",
        AmqpError::NotBuilt => "install a build with RabbitMQ, or leave amqp_url unset",
        AmqpError::QueueName(_) => "set a shorter queue",
        AmqpError::Stream(_) => "set another queue, or delete it",
        AmqpError::Unreachable(_) => "start it, or correct host, port, user and password in amqp_url",
        AmqpError::Refused(_) | AmqpError::NotConfirmed(_) => {
            "check vhost, user and password in amqp_url, and the user's rights: `rabbitmqctl set_permissions`"
        }
    };
    DoctorFinding::fail("rabbitmq", format!("{url}: {error}"), fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;

    fn inspection() -> Inspection {
        Inspection {
            version: Some("3.10.8".to_owned()),
            missing: Vec::new(),
            messages: 5,
            consumers: 2,
            dead: 1,
            differences: Vec::new(),
        }
    }

    #[test]
    fn queues_as_ours_are_well_and_others_are_named() {
        let [only] = findings_for(&[("q", inspection())]).try_into().unwrap();
        assert_eq!(only.verdict, Severity::Ok);
        assert!(only.seen.starts_with("3.10.8, q: 5 waiting, 2 consumers, 1 dead letters"), "{only}");
        let different = Inspection { differences: vec!["queue q is classic".to_owned()], ..inspection() };
        let [first, second] = findings_for(&[("p", inspection()), ("q", different)]).try_into().unwrap();
        assert!(first.seen.contains("p: 5 waiting") && first.seen.contains("q: 5 waiting"), "{first}");
        assert_eq!((second.verdict, second.seen.as_str()), (Severity::Warn, "queue q is classic"));
    }

    #[test]
    fn queues_that_are_missing_are_made_by_the_first_start() {
        let missing = Inspection { missing: vec!["queue q".to_owned()], ..inspection() };
        let findings = findings_for(&[("q", missing)]);
        assert_eq!(findings[0].verdict, Severity::Ok);
        assert!(findings[0].seen.contains("queue q not there yet"), "{findings:?}");
    }

    #[test]
    fn a_broker_without_quorum_queues_fails() {
        for (version, verdict) in
            [("3.7.28", Severity::Fail), ("3.8.0", Severity::Ok), ("4.1.0", Severity::Ok)]
        {
            let found = Inspection { version: Some(version.to_owned()), ..inspection() };
            assert_eq!(findings_for(&[("q", found)])[0].verdict, verdict, "{version}");
        }
        let silent = Inspection { version: None, ..inspection() };
        assert_eq!(findings_for(&[("q", silent)])[0].verdict, Severity::Ok);
    }
}
