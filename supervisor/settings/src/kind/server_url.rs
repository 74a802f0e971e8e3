//! What the URL of a server may look like. What is wrong is said without quoting it, because it may hold a password.

/// The parameters that count in a URL of PostgreSQL.
const POSTGRES: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "statement-cache-capacity",
    "options",
];
/// What `sslmode` may say.
const SSL_MODES: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
/// The parameters that count in a URL of RabbitMQ.
const AMQP: &[&str] = &["heartbeat", "channel_max", "frame_max", "connection_timeout", "auth_mechanism"];
/// The parameters that count in a URL of Redis.
const REDIS: &[&str] = &["protocol"];
/// What takes the certificate's place for Redis, and is said in the URL by nobody who means to be safe.
const INSECURE: &str = "insecure";

/// Checks scheme, shape and parameters. A parameter that nobody reads is a mistake: it was meant to do something.
pub(super) fn check_url(text: &str, schemes: &[&str]) -> Result<(), String> {
    let wanted = || schemes.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(" or ");
    check_credentials(text)?;
    let url = url::Url::parse(text)
        .map_err(|error| format!("is not a URL: {error}; it begins with {}", wanted()))?;
    if !schemes.contains(&url.scheme()) {
        return Err(format!("must begin with {}, not {}://", wanted(), url.scheme()));
    }
    // A server behind a Unix socket is named by a parameter.
    let socket = url.query_pairs().any(|(name, _)| name == "host");
    if url.host_str().is_none_or(str::is_empty) && !socket {
        return Err(format!("names no host: write {}://HOST:PORT/...", url.scheme()));
    }
    check_parameters(&url)
}

/// A `?`, `#` or `/` ends user and password: what comes after it would be taken for a parameter or a path, and shown.
fn check_credentials(text: &str) -> Result<(), String> {
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(()) };
    let Some((credentials, _)) = rest.rsplit_once('@') else { return Ok(()) };
    match credentials.chars().find(|letter| matches!(letter, '?' | '#' | '/')) {
        Some(letter) => Err(format!(
            "holds an unescaped {letter} before its last @: in a user or password, as in any value, write %{:02X} for it \
             (and %40 for @), as in {scheme}://USER:PASS%{0:02X}WORD@HOST",
            u32::from(letter)
        )),
        None => Ok(()),
    }
}

fn check_parameters(url: &url::Url) -> Result<(), String> {
    let known = match url.scheme() {
        "amqp" | "amqps" => AMQP,
        "redis" | "rediss" => REDIS,
        "postgres" | "postgresql" => POSTGRES,
        _ => return Ok(()),
    };
    for (name, value) in url.query_pairs() {
        let is_option = known == POSTGRES && name.starts_with("options[");
        if !is_option && !known.contains(&&*name) {
            return Err(format!(
                "has the parameter {name:?}, which nothing reads{}; there are {}",
                suggestion(&name, known),
                known.join(", ")
            ));
        }
        if matches!(&*name, "sslmode" | "ssl-mode") && !SSL_MODES.contains(&&*value) {
            return Err(format!("has {name}={value}; it can be {}", SSL_MODES.join(", ")));
        }
    }
    match url.fragment() {
        Some(INSECURE) if url.scheme() == "rediss" => Ok(()),
        Some(_) => Err("has a part after #, which nothing reads; in a password write %23 for #".to_owned()),
        None => Ok(()),
    }
}

fn suggestion(name: &str, known: &[&str]) -> String {
    let distances = known.iter().map(|known| (strsim::damerau_levenshtein(known, name), known));
    match distances.min() {
        Some((0..=2, near)) => format!(": did you mean {near}?"),
        Some(_) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::check_url;

    const ALL: &[&str] = &["postgres", "postgresql", "amqp", "amqps", "redis", "rediss"];

    #[test]
    fn urls_as_people_write_them_are_taken() {
        for url in [
            "postgres://app:s%23cret@db:5432/muster?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
            "postgresql:///muster?host=%2Frun%2Fpostgresql",
            "postgres://db/muster?options[search_path]=jobs&application_name=muster-1",
            "amqps://app:pw@mq:5671/%2f?heartbeat=30",
            "redis://:pw@cache:6379/1",
            "rediss://cache/0?protocol=resp3",
            "rediss://cache/0#insecure",
        ] {
            assert_eq!(check_url(url, ALL), Ok(()), "{url}");
        }
    }

    #[test]
    fn a_sign_that_ends_the_password_is_refused_and_nothing_is_quoted() {
        for (url, sign) in [
            ("postgres://app:hunter?two@db/muster", "%3F"),
            ("amqp://app:hunter#two@mq/%2f", "%23"),
            ("redis://:hunter/two@cache", "%2F"),
        ] {
            let problem = check_url(url, ALL).unwrap_err();
            assert!(problem.contains(sign), "{problem}");
            assert!(!problem.contains("hunter") && !problem.contains("two@"), "{problem}");
        }
    }

    #[test]
    fn a_parameter_that_nothing_reads_is_refused() {
        let problem = check_url("postgres://db/muster?sslmodee=require", ALL).unwrap_err();
        assert!(problem.contains("\"sslmodee\"") && problem.contains("did you mean sslmode?"), "{problem}");
        let problem = check_url("postgres://db/muster?sslmode=required", ALL).unwrap_err();
        assert!(problem.contains("verify-full"), "{problem}");
        assert!(check_url("amqp://mq/%2f?cacertfile=x", ALL).unwrap_err().contains("cacertfile"));
        assert!(check_url("redis://cache/0?db=1", ALL).unwrap_err().contains("protocol"));
        assert!(check_url("amqp://mq/%2f#x", ALL).unwrap_err().contains("%23"));
    }
}
