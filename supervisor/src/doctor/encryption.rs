//! Whether a server is spoken to so that nobody listens, and whether it is the one that is meant.

use super::finding::{DoctorFinding, Severity};

/// How a server is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Encrypted, and the server has shown a certificate for this name.
    Verified { name: String },
    /// Encrypted, and the server has shown a certificate of a known authority, for whatever name.
    VerifiedAuthority,
    /// Encrypted, and anybody may be at the other end.
    Unverified { fix: &'static str },
    /// Not encrypted, and it does not leave this machine.
    Local,
    /// Not encrypted.
    Open { fix: &'static str },
}

/// How RabbitMQ or Redis is spoken to at this URL.
pub(super) fn of_url(url: &str) -> Encryption {
    let Ok(url) = url::Url::parse(url) else { return Encryption::Open { fix: "correct the URL" } };
    match url.scheme() {
        "rediss" if url.fragment() == Some("insecure") => Encryption::Unverified {
            fix: "take #insecure out of redis_url, and set tls_ca_file if the authority is your own",
        },
        "amqps" | "rediss" => Encryption::Verified { name: host(&url) },
        _ if is_local(&url) => Encryption::Local,
        "redis" => Encryption::Open { fix: "use rediss:// where the network is not yours alone" },
        _ => Encryption::Open { fix: "use amqps:// where the network is not yours alone" },
    }
}

/// How PostgreSQL is spoken to at this URL, where the server says whether it is encrypted.
pub(super) fn of_postgres(url: &str, has_authority: bool, is_encrypted: bool) -> Encryption {
    let Ok(url) = url::Url::parse(url) else { return Encryption::Open { fix: "correct database_url" } };
    let mode = url.query_pairs().find(|(name, _)| matches!(&**name, "sslmode" | "ssl-mode"));
    match (is_encrypted, mode.as_ref().map(|(_, value)| &**value)) {
        (true, Some("verify-full")) => Encryption::Verified { name: host(&url) },
        (true, None) if has_authority => Encryption::Verified { name: host(&url) },
        (true, Some("verify-ca")) => Encryption::VerifiedAuthority,
        (true, Some(_) | None) => Encryption::Unverified {
            fix: "say sslmode=verify-full in database_url, and set tls_ca_file if the authority is your own",
        },
        (false, _) if is_local(&url) => Encryption::Local,
        (false, _) => Encryption::Open {
            fix: "say sslmode=verify-full in database_url where the network is not yours alone",
        },
    }
}

/// What was found, with how the server is spoken to. What is well becomes a warning where somebody could listen.
pub(super) fn told(finding: DoctorFinding, encryption: &Encryption) -> DoctorFinding {
    let (words, fix) = match encryption {
        Encryption::Verified { name } => (format!("encrypted and verified as {name}"), None),
        Encryption::VerifiedAuthority => ("encrypted and verified, under any name".to_owned(), None),
        Encryption::Unverified { fix } => ("encrypted and NOT verified".to_owned(), Some(*fix)),
        Encryption::Local => ("NOT encrypted, on this machine".to_owned(), None),
        Encryption::Open { fix } => ("NOT encrypted".to_owned(), Some(*fix)),
    };
    let DoctorFinding { check, verdict, seen, fix: known } = finding;
    let seen = format!("{seen}; {words}");
    match (verdict, fix) {
        (Severity::Ok, Some(fix)) => DoctorFinding::warn(check, seen, fix),
        (verdict, _) => DoctorFinding { check, verdict, seen, fix: known },
    }
}

fn host(url: &url::Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// A socket, or an address of this machine.
fn is_local(url: &url::Url) -> bool {
    let socket = url.query_pairs().any(|(name, value)| name == "host" && value.starts_with('/'));
    let named = host(url);
    let name = named.trim_matches(['[', ']']);
    socket
        || name == "localhost"
        || name.starts_with("%2F")
        || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_and_the_server_say_how_it_is_spoken_to() {
        let verified = |name: &str| Encryption::Verified { name: name.to_owned() };
        assert_eq!(of_url("amqps://mq.example/%2f"), verified("mq.example"));
        assert_eq!(of_url("redis://127.0.0.1:6379/0"), Encryption::Local);
        assert!(matches!(of_url("rediss://cache#insecure"), Encryption::Unverified { .. }));
        assert!(matches!(of_url("amqp://mq.example/%2f"), Encryption::Open { .. }));
        let database = |query: &str, authority, encrypted| {
            of_postgres(&format!("postgres://db.example/x{query}"), authority, encrypted)
        };
        assert_eq!(database("?sslmode=verify-full", false, true), verified("db.example"));
        assert_eq!(database("", true, true), verified("db.example"));
        assert_eq!(database("?sslmode=verify-ca", true, true), Encryption::VerifiedAuthority);
        assert!(matches!(database("", false, true), Encryption::Unverified { .. }));
        assert!(matches!(database("?sslmode=prefer", true, false), Encryption::Open { .. }));
        assert_eq!(of_postgres("postgres:///x?host=%2Frun%2Fpostgresql", false, false), Encryption::Local);
    }

    #[test]
    fn what_is_well_is_a_warning_where_somebody_could_listen() {
        let well = || DoctorFinding::ok("redis", "7.0.15");
        let open = told(well(), &Encryption::Open { fix: "use rediss://" });
        assert_eq!((open.verdict, open.seen.as_str()), (Severity::Warn, "7.0.15; NOT encrypted"));
        let verified = told(well(), &Encryption::Verified { name: "cache".to_owned() });
        assert_eq!(
            (verified.verdict, verified.seen.as_str()),
            (Severity::Ok, "7.0.15; encrypted and verified as cache")
        );
        let failed = told(DoctorFinding::fail("redis", "4.0", "upgrade it"), &Encryption::Local);
        assert_eq!((failed.verdict, failed.fix.as_deref()), (Severity::Fail, Some("upgrade it")));
    }
}
