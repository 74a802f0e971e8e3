//! Sending one message: over HTTP or HTTPS, to an address that may be reached, within a time, without following anybody
//! elsewhere.

use std::time::Duration;

use muster_core::webhook::ReceiverAnswer;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::WebhookKey;
use super::address::is_public;

/// How long a receiver may take for its answer, names and all.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// What a refused address is told as.
const INSIDE: &str = "the address is private or of this machine (webhook_allow_private lets it be reached)";

/// Whoever sends messages.
#[derive(Clone, Debug)]
pub struct Courier {
    agent: Agent,
}

/// Gives addresses that may be reached, so that what is connected to is what was checked.
#[derive(Debug)]
struct CheckedResolver {
    names: DefaultResolver,
    allow_private: bool,
}

impl Resolver for CheckedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.names.resolve(uri, config, timeout)?;
        if self.allow_private {
            return Ok(found);
        }
        let mut reachable = self.empty();
        for address in found.iter().filter(|address| is_public(address.ip())) {
            reachable.push(*address);
        }
        if reachable.is_empty() { Err(ureq::Error::Other(INSIDE.into())) } else { Ok(reachable) }
    }
}

impl Courier {
    /// Sends to everybody, or only to who is outside.
    pub fn new(allow_private: bool) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(ANSWER_WITHIN))
            // A proxy would look names up by itself, and reach what we may not.
            .proxy(None)
            .max_idle_connections(0)
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = CheckedResolver { names: DefaultResolver::default(), allow_private };
        Self { agent: Agent::with_parts(config, DefaultConnector::default(), resolver) }
    }

    /// Sends a message and waits for the answer.
    pub fn send(&self, url: &str, key: &WebhookKey, id: &str, second: i64, body: &str) -> ReceiverAnswer {
        let none = |reason: String| ReceiverAnswer::None { reason };
        let signature = match key.sign(id, second, body) {
            Ok(signature) => signature,
            Err(error) => return none(format!("the key {error}")),
        };
        let request = self
            .agent
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", second.to_string())
            .header("webhook-signature", signature);
        match request.send(body) {
            Ok(answer) => {
                let asked = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
                let retry_after = asked.and_then(|text| retry_after(text, second));
                ReceiverAnswer::Status { code: answer.status().as_u16(), retry_after }
            }
            Err(error) => none(error.to_string()),
        }
    }
}

/// What `Retry-After` says: seconds, or a date.
fn retry_after(text: &str, now: i64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    u64::try_from(date.timestamp().as_second() - now).ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 120 ", 0), Some(Duration::from_secs(120)));
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(retry_after(date, 1_445_412_400), Some(Duration::from_secs(80)));
        assert_eq!(retry_after(date, 1_445_412_500), None);
        assert_eq!(retry_after("soon", 0), None);
    }
}
