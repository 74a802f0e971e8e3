//! `supervisor doctor`: looks at everything a supervisor needs, says what it saw and how to fix it.
//!
//! A check gathers facts (each in a file of its own, with its own time limit) and a pure function makes
//! findings of them. Nothing is changed: no folder or file is made, no schema migrated, no queue declared.
//! The exceptions are two probe keys in Redis, deleted at once, and a worker that is started and told to leave, with a
//! temporary folder that goes with it.

mod broker;
mod cache;
mod database;
mod encryption;
mod files;
mod finding;
mod handshake;
mod interface;
mod launcher;
mod limits;
mod secrets;
mod worker;

use std::time::Duration;

pub use finding::{DoctorFinding, Severity};

use muster_system::process::walls;

use crate::service::confinement;
use crate::settings::{Origin, Settings, SettingsError};

/// No check of a folder, an address or a limit takes longer.
const LOCAL_WITHIN: Duration = Duration::from_secs(5);
/// No check of a server takes longer.
const SERVER_WITHIN: Duration = Duration::from_secs(20);
/// Beyond its own limits a worker gets so long to leave.
const WORKER_LEAVES_WITHIN: Duration = Duration::from_secs(5);

/// Looks at everything, several things at once, and gives the findings in the order people read them.
pub async fn examine(settings: &Settings) -> Vec<DoctorFinding> {
    let worker_within = worker::ready_within(settings) + WORKER_LEAVES_WITHIN;
    let checks = tokio::join!(
        bounded("data_dir", LOCAL_WITHIN, files::data_dir(settings)),
        bounded("workflows", LOCAL_WITHIN, files::workflows(settings)),
        bounded("worker", worker_within, worker::check(settings)),
        bounded("database", SERVER_WITHIN, database::check(settings)),
        bounded("rabbitmq", SERVER_WITHIN, broker::check(settings)),
        bounded("redis", SERVER_WITHIN, cache::check(settings)),
        bounded("http", LOCAL_WITHIN, interface::check(settings)),
    );
    let (data_dir, workflows, worker, database, broker, cache, http) = checks;
    let mut findings = vec![of_settings(settings)];
    findings.extend([data_dir, workflows, worker, database, broker, cache].into_iter().flatten());
    findings.push(limits::check(settings));
    findings.extend(limits::judge_walls(walls(&confinement(settings))));
    findings.extend(http);
    findings
}

/// What is wrong with settings that cannot be read.
pub fn of_problems(error: &SettingsError) -> Vec<DoctorFinding> {
    let fix = "correct it; `supervisor config` shows the settings in force";
    error.problems.iter().map(|problem| DoctorFinding::fail("settings", problem.to_string(), fix)).collect()
}

fn of_settings(settings: &Settings) -> DoctorFinding {
    let mut places: Vec<String> = Vec::new();
    let mut set = 0;
    for shown in settings.shown() {
        let place = match shown.origin {
            Origin::Default | Origin::Adjusted(_) => continue,
            Origin::File(path) => path.display().to_string(),
            Origin::Environment(_) => "the environment".to_owned(),
            Origin::Flag(_) => "flags".to_owned(),
        };
        set += 1;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    if places.is_empty() {
        return DoctorFinding::ok("settings", "all at their defaults");
    }
    DoctorFinding::ok("settings", format!("{set} set by {}, the others at their defaults", places.join(", ")))
}

/// A check that takes too long is a finding too.
async fn bounded(
    check: &'static str,
    limit: Duration,
    examine: impl Future<Output = Vec<DoctorFinding>>,
) -> Vec<DoctorFinding> {
    match tokio::time::timeout(limit, examine).await {
        Ok(findings) => findings,
        Err(_) => {
            let seen = format!("no result within {} s", limit.as_secs_f64());
            vec![DoctorFinding::fail(check, seen, "look whether the machine or what is checked hangs")]
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::access::make_token;
    use crate::settings::Sources;

    #[tokio::test]
    async fn a_check_that_hangs_is_a_finding() {
        let findings = bounded("redis", Duration::from_millis(10), std::future::pending()).await;
        assert_eq!(findings[0].verdict, Severity::Fail);
        assert!(findings[0].seen.contains("within 0.01 s"), "{findings:?}");
    }

    #[test]
    fn every_problem_of_the_settings_is_a_finding() {
        let mut sources = Sources::default();
        sources.environment.insert("MUSTER_MAX_WORKERS".into(), "0".into());
        sources.environment.insert("MUSTER_QEUE".into(), "x".into());
        let findings = of_problems(&Settings::load(&sources).unwrap_err());
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings.iter().any(|finding| finding.seen.contains("MUSTER_QUEUE")), "{findings:?}");
    }

    #[test]
    fn a_token_that_was_made_for_others_is_a_finding() {
        let mut sources = Sources::default();
        let made = make_token().expose_secret().to_owned();
        sources.environment.insert("MUSTER_HTTP_TOKEN".into(), made.clone());
        let findings = of_problems(&Settings::load(&sources).unwrap_err());
        let [only] = findings.as_slice() else { panic!("{findings:?}") };
        assert!(only.verdict == Severity::Fail && only.seen.contains("unset MUSTER_HTTP_TOKEN"), "{only}");
        assert!(!only.to_string().contains(&made), "{only}");
    }

    #[test]
    fn it_is_said_who_set_the_settings() {
        let mut sources = Sources::default();
        assert_eq!(of_settings(&Settings::load(&sources).unwrap()).seen, "all at their defaults");
        sources.environment.insert("MUSTER_MAX_WORKERS".into(), "4".into());
        sources.environment.insert("MUSTER_QUEUE".into(), "q".into());
        let seen = of_settings(&Settings::load(&sources).unwrap()).seen;
        assert_eq!(seen, "2 set by the environment, the others at their defaults");
    }
}
