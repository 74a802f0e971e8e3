//! The webhook that one request brings along: who is told what this execution came to.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::execution::Status;

/// Under which name what requests ask for is shown, and with whose key it is signed. No webhook has it.
pub const OF_REQUESTS: &str = "request";
/// The longest address.
const URL_MAX_BYTES: usize = 2_000;

/// Who is told what an execution came to, besides the webhooks that are defined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestWebhook {
    /// The address that is told, `https://…`.
    url: String,
    /// What it is told of: `SUCCESS`, `FAILED`, `TIMEOUT`, `CANCELLED`; left out, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    events: Option<Vec<String>>,
    /// The id of the receiver, the same for one address. What a request says here does not count.
    #[serde(default)]
    #[schema(ignore)]
    id: Uuid,
}

impl RequestWebhook {
    /// The same with the id of its address, if it is right.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(self) -> Result<Self, String> {
        check_url(&self.url).map_err(|problem| format!("url: {problem}"))?;
        let unknown = self.events.iter().flatten().find(|event| !ends().any(|end| end == event.as_str()));
        if let Some(event) = unknown {
            let known: Vec<&str> = ends().collect();
            return Err(format!(
                "events: {event:?} is nothing that an execution comes to ({})",
                known.join(", ")
            ));
        }
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, self.url.as_bytes());
        Ok(Self { id, ..self })
    }
}

fn ends() -> impl Iterator<Item = &'static str> {
    Status::ALL.into_iter().filter(|status| status.is_terminal()).map(Status::as_str)
}

/// Whether this can be told anything: an address of HTTP that holds no user. Where it leads is looked at when it is reached.
fn check_url(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let is_right = authority.is_some_and(|place| {
        !place.is_empty() && !place.starts_with(':') && !place.contains('@') && !place.contains('\\')
    });
    if let Some(letter) = text.chars().find(|letter| !letter.is_ascii_graphic()) {
        return Err(format!("must be percent-encoded: {letter:?} may not stand in an address as it is"));
    }
    if is_right && text.len() <= URL_MAX_BYTES {
        return Ok(());
    }
    Err(format!("must be an http or https address without a user, of at most {URL_MAX_BYTES} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<RequestWebhook, String> {
        let read: Result<RequestWebhook, _> = serde_json::from_str(json);
        read.map_err(|error| error.to_string()).and_then(RequestWebhook::checked)
    }

    #[test]
    fn an_address_is_one_of_http_without_a_user() {
        for url in ["https://example.com", "http://example.com:8080/a?b=c@d", "https://[2001:db8::1]/"] {
            assert!(read(&format!(r#"{{"url":"{url}"}}"#)).is_ok(), "{url}");
        }
        for url in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://u:p@example.com",
            "https://:80",
            "https://a b",
        ] {
            assert!(read(&format!(r#"{{"url":"{url}"}}"#)).unwrap_err().contains("url: must be"), "{url}");
        }
    }

    #[test]
    fn a_letter_that_no_address_has_is_named() {
        let wrong = read(r#"{"url":"http://h/req?x=1&y=\u00fc"}"#).unwrap_err();
        assert!(wrong.contains("url: must be percent-encoded: 'ü' may not stand"), "{wrong}");
        let wrong = read(r#"{"url":"http://h/a b"}"#).unwrap_err();
        assert!(wrong.contains("percent-encoded: ' '"), "{wrong}");
    }

    #[test]
    fn what_it_is_told_of_are_ends() {
        assert!(read(r#"{"url":"https://a","events":["FAILED","SUCCESS"]}"#).is_ok());
        let wrong = read(r#"{"url":"https://a","events":["RUNNING"]}"#).unwrap_err();
        assert!(wrong.contains("RUNNING") && wrong.contains("TIMEOUT"), "{wrong}");
        assert!(read(r#"{"url":"https://a","event":"FAILED"}"#).unwrap_err().contains("unknown field"));
    }

    /// What the store reads of it.
    #[test]
    fn it_is_written_with_the_id_of_its_address_and_read_back() {
        let webhook =
            read(r#"{"events":["FAILED"],"url":"https://a","id":"00000000-0000-0000-0000-000000000009"}"#);
        let webhook = webhook.unwrap();
        let text = serde_json::to_string(&webhook).unwrap();
        assert!(text.starts_with(r#"{"url":"https://a","events":["FAILED"],"id":""#), "{text}");
        assert!(!text.contains("000000000009"), "{text}");
        assert_eq!(read(&text).unwrap(), webhook);
    }
}
