//! What a running supervisor cannot change: it counts from the next start on.

use secrecy::{ExposeSecret, SecretString};

use super::table::Settings;

impl Settings {
    /// The keys that differ from those a supervisor was started with, among those it reads once.
    pub fn fixed_since(&self, started: &Self) -> Vec<&'static str> {
        let text = |url: &Option<SecretString>| url.as_ref().map(|url| url.expose_secret().to_owned());
        let (new, old) = (self, started);
        let same = [
            ("database_url", new.database_url.expose_secret() == old.database_url.expose_secret()),
            ("amqp_url", text(&new.amqp_url) == text(&old.amqp_url)),
            ("redis_url", text(&new.redis_url) == text(&old.redis_url)),
            ("tls_ca_file", new.tls_ca_file == old.tls_ca_file),
            ("tls_cert_file", new.tls_cert_file == old.tls_cert_file),
            ("tls_key_file", new.tls_key_file == old.tls_key_file),
            ("http_token", new.http_token.text() == old.http_token.text()),
            ("secret_key", text(&new.secret_key) == text(&old.secret_key)),
            ("http_bind", new.http_bind == old.http_bind),
            ("queue", new.queue == old.queue),
            ("queues", new.queues == old.queues),
            ("key_prefix", new.key_prefix == old.key_prefix),
            ("data_dir", new.data_dir == old.data_dir),
            ("lease_seconds", new.lease == old.lease),
            ("transcripts_max_mb", new.transcripts_max_mb == old.transcripts_max_mb),
            ("webhook_allow_private", new.webhook_allow_private == old.webhook_allow_private),
            ("otlp_url", text(&new.otlp_url) == text(&old.otlp_url)),
            ("otlp_headers", text(&new.otlp_headers) == text(&old.otlp_headers)),
            ("otlp_sample_ratio", new.otlp_sample_ratio == old.otlp_sample_ratio),
            ("log_level", new.log_level == old.log_level),
            ("log_format", new.log_format == old.log_format),
        ];
        same.into_iter().filter(|(_, is_same)| !is_same).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sources;

    #[test]
    fn what_cannot_change_is_named_secrets_included() {
        let load = |variables: &[(&str, &str)]| {
            let environment =
                variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Settings::load(&Sources { environment, ..Sources::default() }).unwrap()
        };
        let started = load(&[("MUSTER_HTTP_TOKEN", "one"), ("MUSTER_MAX_WORKERS", "3")]);
        let changed =
            load(&[("MUSTER_HTTP_TOKEN", "two"), ("MUSTER_MAX_WORKERS", "4"), ("MUSTER_QUEUE", "q")]);
        assert_eq!(changed.fixed_since(&started), ["http_token", "queue"]);
        assert!(started.fixed_since(&started).is_empty());
    }
}
