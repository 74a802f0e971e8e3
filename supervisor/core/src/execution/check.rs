//! The rule of each request field: what is accepted, and the words for what is not.
//!
//! A rule takes the field's raw JSON and gives the value or a problem that says what would be right.

use base64::Engine as _;
use jiff::Timestamp;
use muster_protocol::limits::{FRAME_MAX_BYTES, IDENTIFIER_MAX_BYTES};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::retry::RetryOptions;
use crate::webhook::RequestWebhook;

/// The longest timeout: a year.
const TIMEOUT_MAX_SECONDS: f64 = 365.0 * 86_400.0;
/// The longest first backoff: a day.
const BACKOFF_MAX_SECONDS: f64 = 86_400.0;
/// The longest delay: ten years.
const DELAY_MAX_SECONDS: f64 = 10.0 * 366.0 * 86_400.0;
/// The most attempts anything may be charged.
const ATTEMPTS_MAX: u32 = 1000;
/// The longest name of a queue; the dead letters' one is a little longer.
const QUEUE_MAX_BYTES: usize = 200;
/// The most error types that a list of a retry policy names.
const ERROR_TYPES_MAX: usize = 100;
/// The longest idempotency key.
const IDEMPOTENCY_KEY_MAX_BYTES: usize = 256;
/// The longest name of a limit.
const LIMIT_NAME_MAX_BYTES: usize = 100;
/// The most limits that a request may name.
const LIMITS_MAX: usize = 4;
/// The highest priority.
const PRIORITY_MAX: u8 = 9;
/// What a frame holds beside the user data of the request: names, numbers, organization, workflow and config.
const FRAME_RESERVE_BYTES: usize = 64 * 1024;
/// How much of a wrong value an error quotes.
const QUOTE_MAX_CHARS: usize = 60;

pub(super) fn uuid(raw: &RawValue) -> Result<Uuid, String> {
    read(raw, "must be a UUID")
}

pub(super) fn boolean(raw: &RawValue) -> Result<bool, String> {
    read(raw, "must be true or false")
}

pub(super) fn identifier(raw: &RawValue) -> Result<String, String> {
    let text: String = read(raw, "must be a string")?;
    name(&text)?;
    Ok(text)
}

/// The rule of names: of workflows, keys, whatever else is looked up by its text.
pub fn name(text: &str) -> Result<(), String> {
    if text.is_empty() {
        Err("must not be empty".to_owned())
    } else if text.len() > IDENTIFIER_MAX_BYTES {
        Err(format!("is {} bytes long; at most {IDENTIFIER_MAX_BYTES} are allowed", text.len()))
    } else if text.chars().any(char::is_control) {
        Err(format!("must not hold control characters, but is {}", quote(&format!("{text:?}"))))
    } else {
        Ok(())
    }
}

/// The rule of names that something is defined under: requests have them in their addresses.
pub fn defined_name(text: &str) -> Result<(), String> {
    name(text)?;
    if is_step(text) { Err("must not be . or ..: no request could name it".to_owned()) } else { Ok(()) }
}

/// True of what is a step in an address, and so no name in one.
pub fn is_step(text: &str) -> bool {
    matches!(text, "." | "..")
}

/// The rule of time limits, in seconds.
pub fn timeout(seconds: f64) -> Result<(), String> {
    // Also false for what is no number.
    let fits = seconds > 0.0 && seconds <= TIMEOUT_MAX_SECONDS;
    if fits { Ok(()) } else { Err(format!("{}, not {seconds}", timeout_rule())) }
}

fn timeout_rule() -> String {
    format!("must be a number of seconds above 0 and at most {TIMEOUT_MAX_SECONDS}")
}

/// The rule of how many attempts there may be.
pub fn attempts(attempts: u32) -> Result<(), String> {
    let fits = (1..=ATTEMPTS_MAX).contains(&attempts);
    if fits { Ok(()) } else { Err(format!("{}, not {attempts}", attempts_rule())) }
}

fn attempts_rule() -> String {
    format!("must be a whole number from 1 to {ATTEMPTS_MAX}")
}

/// The rule of queues, for a name that is there already.
pub fn queue_name(name: &str) -> Result<(), String> {
    if is_word(name, QUEUE_MAX_BYTES) { Ok(()) } else { Err(queue_rule()) }
}

fn queue_rule() -> String {
    format!("must be the name of a queue, 1 to {QUEUE_MAX_BYTES} bytes without spaces")
}

/// The rule of queues: they are names in RabbitMQ, too.
pub(super) fn queue(raw: &RawValue) -> Result<String, String> {
    let expected = queue_rule();
    let text: String = read(raw, &expected)?;
    if is_word(&text, QUEUE_MAX_BYTES) { Ok(text) } else { Err(wrong(raw, &expected)) }
}

/// The rule of limits: a few names, each once.
pub(super) fn limits(raw: &RawValue) -> Result<Vec<String>, String> {
    let expected = format!("must be a list of at most {LIMITS_MAX} names of limits");
    let names: Vec<String> = read(raw, &expected)?;
    if names.len() > LIMITS_MAX {
        return Err(wrong(raw, &expected));
    }
    names.iter().try_for_each(|name| limit_name(name))?;
    Ok(names)
}

/// The same, for names that are there already.
pub fn limit_names(names: &[String]) -> Result<(), String> {
    if names.len() > LIMITS_MAX {
        return Err(format!(
            "must be a list of at most {LIMITS_MAX} names of limits, not of {}",
            names.len()
        ));
    }
    names.iter().try_for_each(|name| limit_name(name))
}

/// The rule of names of limits. What has a slash is a workflow's own.
pub fn limit_name(name: &str) -> Result<(), String> {
    if is_word(name, LIMIT_NAME_MAX_BYTES) && !name.contains([':', '/']) && !is_step(name) {
        return Ok(());
    }
    let found = quote(&format!("{name:?}"));
    Err(format!(
        "must be a name of 1 to {LIMIT_NAME_MAX_BYTES} bytes without spaces, colons and slashes, and neither . nor .., not {found}"
    ))
}

/// The rule of names that stand beside others: something, not too long, without spaces and control characters.
pub fn is_word(text: &str, max_bytes: usize) -> bool {
    (1..=max_bytes).contains(&text.len()) && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// The rule of idempotency keys: they are looked up by their text.
pub(super) fn idempotency_key(raw: &RawValue) -> Result<String, String> {
    let text: String = read(raw, "must be a string")?;
    idempotency_key_text(&text)?;
    Ok(text)
}

pub(super) fn idempotency_key_text(text: &str) -> Result<(), String> {
    name(text)?;
    if text.len() > IDEMPOTENCY_KEY_MAX_BYTES {
        return Err(format!("is {} bytes long; at most {IDEMPOTENCY_KEY_MAX_BYTES} are allowed", text.len()));
    }
    Ok(())
}

pub(super) fn code(raw: &RawValue) -> Result<String, String> {
    let text: String = read(raw, "must be a string of base64")?;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text.trim_ascii())
        .map_err(|error| format!("must be base64: {error}"))?;
    let code =
        String::from_utf8(bytes).map_err(|_| "must be UTF-8 source text under the base64".to_owned())?;
    if code.trim_ascii().is_empty() { Err("must not be empty".to_owned()) } else { Ok(code) }
}

pub(super) fn object(raw: &RawValue) -> Result<Box<RawValue>, String> {
    // The text is valid JSON already, so its first character tells its type.
    if raw.get().starts_with('{') {
        Ok(raw.to_owned())
    } else {
        Err(format!("must be a JSON object, not {}", quote(raw.get())))
    }
}

pub(super) fn timeout_seconds(raw: &RawValue) -> Result<f64, String> {
    let seconds: f64 = read(raw, &timeout_rule())?;
    timeout(seconds).map_err(|_| wrong(raw, &timeout_rule()))?;
    Ok(seconds)
}

pub(super) fn backoff_seconds(raw: &RawValue) -> Result<f64, String> {
    seconds_from_zero(raw, BACKOFF_MAX_SECONDS)
}

pub(super) fn delay_seconds(raw: &RawValue) -> Result<f64, String> {
    seconds_from_zero(raw, DELAY_MAX_SECONDS)
}

fn seconds_from_zero(raw: &RawValue, max: f64) -> Result<f64, String> {
    let expected = format!("must be a number of seconds from 0 to {max}");
    let seconds: f64 = read(raw, &expected)?;
    if (0.0..=max).contains(&seconds) { Ok(seconds) } else { Err(wrong(raw, &expected)) }
}

pub(super) fn moment(raw: &RawValue) -> Result<Timestamp, String> {
    let expected =
        "must be a time with its offset from UTC (RFC 3339), such as \"2027-03-28T02:30:00+02:00\"";
    let text: String = read(raw, expected)?;
    text.parse().map_err(|_| wrong(raw, if is_beyond_time(&text) { BEYOND_TIME } else { expected }))
}

/// What is wrong with a moment for which [`is_beyond_time`] holds, to be put behind it.
pub const BEYOND_TIME: &str = "must not be later than 9999-12-30T22:00:00Z, the last moment there is";

/// Whether a text that is no moment would be one if there were later ones: the end of 9999 is what many write for "never".
pub fn is_beyond_time(text: &str) -> bool {
    text.starts_with("9999-12-3") && format!("2000{}", &text[4..]).parse::<Timestamp>().is_ok()
}

pub(super) fn max_attempts(raw: &RawValue) -> Result<u32, String> {
    let count: u32 = read(raw, &attempts_rule())?;
    attempts(count).map_err(|_| wrong(raw, &attempts_rule()))?;
    Ok(count)
}

pub(super) fn priority(raw: &RawValue) -> Result<u8, String> {
    let expected = format!("must be a whole number from 0 to {PRIORITY_MAX}");
    let priority: u8 = read(raw, &expected)?;
    if priority <= PRIORITY_MAX { Ok(priority) } else { Err(wrong(raw, &expected)) }
}

pub(super) fn webhook(raw: &RawValue) -> Result<RequestWebhook, String> {
    let webhook: RequestWebhook = serde_json::from_str(raw.get())
        .map_err(|error| format!("must be an object with url and events: {error}"))?;
    webhook.checked()
}

/// The rule of a retry policy: an object of these fields, each within its bounds.
pub(super) fn retry(raw: &RawValue) -> Result<RetryOptions, String> {
    let options: RetryOptions = serde_json::from_str(raw.get())
        .map_err(|error| format!("must be an object of a retry policy: {error}"))?;
    retry_options(&options)?;
    Ok(options)
}

/// The same, for a policy that is there already.
pub fn retry_options(options: &RetryOptions) -> Result<(), String> {
    let within = |name: &str, value: Option<f64>, least: f64, most: f64| match value {
        Some(value) if !(least..=most).contains(&value) => {
            Err(format!("{name} must be from {least} to {most}, not {value}"))
        }
        Some(_) | None => Ok(()),
    };
    if options.max_attempts.is_some_and(|attempts| !(1..=ATTEMPTS_MAX).contains(&attempts)) {
        return Err(format!("max_attempts must be a whole number from 1 to {ATTEMPTS_MAX}"));
    }
    within("backoff_seconds", options.backoff_seconds, 0.0, BACKOFF_MAX_SECONDS)?;
    within("backoff_factor", options.backoff_factor, 1.0, 100.0)?;
    within("backoff_max_seconds", options.backoff_max_seconds, 0.0, BACKOFF_MAX_SECONDS)?;
    within("jitter", options.jitter, 0.0, 1.0)?;
    for (field, names) in [("retry_on", &options.retry_on), ("give_up_on", &options.give_up_on)] {
        let names = names.as_deref().unwrap_or_default();
        if names.len() > ERROR_TYPES_MAX {
            return Err(format!(
                "{field} has {} error types; at most {ERROR_TYPES_MAX} are allowed",
                names.len()
            ));
        }
        names
            .iter()
            .try_for_each(|one| name(one))
            .map_err(|problem| format!("{field}: an error type {problem}"))?;
    }
    Ok(())
}

/// Whether user data of this size leaves room in a frame for the rest of an Execute.
pub fn frame_size(payload_bytes: usize) -> Result<(), String> {
    let limit = FRAME_MAX_BYTES - FRAME_RESERVE_BYTES;
    if payload_bytes <= limit {
        return Ok(());
    }
    Err(format!(
        "parameters, code, caller, startup: {payload_bytes} bytes together; at most {limit} fit in a frame, \
         so pass large data by reference (a URL or a path)"
    ))
}

fn read<T: DeserializeOwned>(raw: &RawValue, expected: &str) -> Result<T, String> {
    serde_json::from_str(raw.get()).map_err(|_| wrong(raw, expected))
}

fn wrong(raw: &RawValue, expected: &str) -> String {
    format!("{expected}, not {}", quote(raw.get()))
}

fn quote(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTE_MAX_CHARS).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}
