//! Redis: reachable, of a version with streams, and not one that forgets what it was given.

use muster_bus::{BusError, RedisFacts, inspect};
use secrecy::ExposeSecret as _;

use super::encryption;
use super::finding::DoctorFinding;
use crate::settings::{Settings, mask_url};

/// Streams came with it.
const MAJOR_MIN: u32 = 5;
/// The one policy that refuses new writes instead of forgetting old ones.
const KEEPS_ALL: &str = "noeviction";

pub(super) async fn check(settings: &Settings) -> Vec<DoctorFinding> {
    let Some(server) = &settings.redis_url else {
        return vec![DoctorFinding::ok("redis", "not used: cache and live views are in the process")];
    };
    let url = server.expose_secret();
    vec![match inspect(&settings.server(server), &settings.key_prefix).await {
        Ok(facts) => encryption::told(finding_for(&facts), &encryption::of_url(url)),
        Err(error) => unusable(&mask_url(url), &error),
    }]
}

fn finding_for(facts: &RedisFacts) -> DoctorFinding {
    let RedisFacts { version, eviction, memory_max_bytes, round_trip } = facts;
    let shown = if version.is_empty() { "version not told (INFO is not allowed)" } else { version };
    let seen =
        format!("{shown}, answers in {:.1} ms, keys and channels work", round_trip.as_secs_f64() * 1e3);
    let major: Option<u32> = version.split('.').next().and_then(|major| major.parse().ok());
    if major.is_some_and(|major| major < MAJOR_MIN) {
        return DoctorFinding::fail("redis", seen, "upgrade it: streams came with 5.0");
    }
    if *memory_max_bytes > 0 && !eviction.is_empty() && eviction != KEEPS_ALL {
        let limit_mb = memory_max_bytes / (1024 * 1024);
        let seen = format!(
            "{seen}; above {limit_mb} MiB it forgets keys ({eviction}), pending records and sync replies too"
        );
        return DoctorFinding::warn(
            "redis",
            seen,
            "set maxmemory-policy noeviction, or give Muster a server of its own",
        );
    }
    DoctorFinding::ok("redis", seen)
}

fn unusable(url: &str, error: &BusError) -> DoctorFinding {
    let fix = match error {
        BusError::Url(_) => "correct redis_url",
        BusError::Certificate(_) => "correct tls_ca_file, tls_cert_file and tls_key_file",
        BusError::NotBuilt => "install a build with Redis, or leave redis_url unset",
        BusError::Unreachable(_) => "start it, or correct host and port in redis_url",
        BusError::Refused(_) => "check user and password in redis_url, and what the user may do (`ACL LIST`)",
    };
    DoctorFinding::fail("redis", format!("{url}: {error}"), fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Severity;
    use std::time::Duration;

    fn facts() -> RedisFacts {
        RedisFacts {
            version: "7.0.15".to_owned(),
            eviction: KEEPS_ALL.to_owned(),
            memory_max_bytes: 0,
            round_trip: Duration::from_micros(240),
        }
    }

    #[test]
    fn a_server_that_keeps_what_it_is_given_is_well() {
        let expected = DoctorFinding::ok("redis", "7.0.15, answers in 0.2 ms, keys and channels work");
        assert_eq!(finding_for(&facts()), expected);
        let unlimited = RedisFacts { eviction: "allkeys-lru".to_owned(), ..facts() };
        assert_eq!(finding_for(&unlimited).verdict, Severity::Ok, "without a limit nothing is forgotten");
        let mute = RedisFacts { version: String::new(), eviction: String::new(), ..facts() };
        assert_eq!(finding_for(&mute).verdict, Severity::Ok);
    }

    #[test]
    fn one_that_forgets_is_a_warning_and_an_old_one_fails() {
        let forgets =
            RedisFacts { eviction: "volatile-ttl".to_owned(), memory_max_bytes: 64 << 20, ..facts() };
        let finding = finding_for(&forgets);
        assert_eq!(finding.verdict, Severity::Warn);
        assert!(finding.seen.contains("above 64 MiB"), "{finding}");
        assert_eq!(
            finding_for(&RedisFacts { version: "4.0.9".to_owned(), ..facts() }).verdict,
            Severity::Fail
        );
    }

    #[test]
    fn a_build_without_redis_says_so_and_what_to_do() {
        let finding = unusable("redis://cache", &BusError::NotBuilt);
        assert_eq!(finding.verdict, Severity::Fail);
        assert!(finding.to_string().contains("built without Redis: leave redis_url unset"), "{finding}");
    }
}
