//! What a call of a tool asks the supervisor, and the text that it is answered with.

use std::time::Duration;

use muster_api::client::{ApiClient, ClientError};
use muster_core::execution::IdOrPrefix;
use rmcp::model::JsonObject;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::answer::{cut, fitting};
use super::arguments::{
    ExecutionArguments, ListArguments, LogsArguments, NoArguments, ShowArguments, SubmitArguments,
};
use super::tool::AssistantTool;
use crate::status::SupervisorStatus;

/// How many executions a list has when nobody says.
const LIST_DEFAULT: u16 = 20;
/// How many it has at most.
const LIST_MAX: u16 = 100;
/// The longest a call waits for the end of an execution: assistants give up on a call that takes long.
const WAIT_MAX: Duration = Duration::from_secs(60);

const LESS_OF_A_LIST: &str = "ask for fewer with limit, or narrow it";
const LESS_OF_ONE: &str = "a person sees all of it with `supervisor show ID --json`";
const LESS_OF_A_LOG: &str =
    "its first line alone is so long; go on with the number of this line as cursor: ATTEMPT-SEQUENCE";
const LESS_OF_A_STATE: &str =
    "a person sees all of it with `supervisor status --json` or `supervisor report --json`";

/// Why a call came to nothing, in words that help whoever made it.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFailure {
    /// The supervisor refused it, or there is none.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The arguments are not those of the tool.
    #[error("{0}: the schema of the tool says what it takes")]
    Arguments(serde_json::Error),
    /// It came as a number of which digits may be lost.
    #[error(
        "a number of more than 64 bits is not exact on this way: give it as text, or submit it with `supervisor submit`"
    )]
    Inexact,
    /// The id is none.
    #[error(transparent)]
    Id(#[from] muster_core::execution::InvalidId),
    /// An answer cannot be written as JSON.
    #[error("the answer cannot be written: {0}")]
    Answer(serde_json::Error),
}

impl AssistantTool {
    /// Asks the supervisor, and waits for the answer.
    pub(super) fn call(self, client: &ApiClient, arguments: JsonObject) -> Result<String, CallFailure> {
        match self {
            Self::List => list(client, read(arguments)?),
            Self::Show => show(client, read(arguments)?),
            Self::Logs => logs(client, read(arguments)?),
            Self::Explain => Ok(cut(written(&client.explain(meant(client, arguments)?)?)?, LESS_OF_ONE)),
            Self::Report => {
                let NoArguments {} = read(arguments)?;
                Ok(cut(written(&client.report()?)?, LESS_OF_A_STATE))
            }
            Self::Status => status(client, read(arguments)?),
            Self::Submit => submit(client, &read(exact(arguments)?)?),
            Self::Cancel => written(&client.cancel(meant(client, arguments)?)?),
            Self::Retry => written(&client.retry(meant(client, arguments)?)?),
        }
    }
}

fn read<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, CallFailure> {
    serde_json::from_value(Value::Object(arguments)).map_err(CallFailure::Arguments)
}

/// An integer that does not fit in 64 bits comes as the nearest double, so one as large as this may have lost digits.
const EXACT_BELOW: f64 = 9_223_372_036_854_775_808.0;

fn exact(arguments: JsonObject) -> Result<JsonObject, CallFailure> {
    let all_are = arguments.values().all(is_exact);
    if all_are { Ok(arguments) } else { Err(CallFailure::Inexact) }
}

fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64() || number.as_f64().is_some_and(|it| it.abs() < EXACT_BELOW),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn written<T: Serialize>(answer: &T) -> Result<String, CallFailure> {
    serde_json::to_string(answer).map_err(CallFailure::Answer)
}

fn meant(client: &ApiClient, arguments: JsonObject) -> Result<Uuid, CallFailure> {
    let ExecutionArguments { id } = read(arguments)?;
    resolved(client, &id)
}

fn resolved(client: &ApiClient, id: &str) -> Result<Uuid, CallFailure> {
    Ok(client.resolve(id.parse::<IdOrPrefix>()?)?)
}

fn wait(seconds: Option<u16>) -> Option<Duration> {
    seconds.map(|seconds| Duration::from_secs(seconds.into()).min(WAIT_MAX))
}

fn list(client: &ApiClient, asked: ListArguments) -> Result<String, CallFailure> {
    let limit = asked.limit.unwrap_or(LIST_DEFAULT).clamp(1, LIST_MAX);
    let query: Vec<(&str, String)> = [
        ("status", asked.status.map(|status| status.to_string())),
        ("workflow", asked.workflow),
        ("queue", asked.queue),
        ("organization", asked.organization),
        ("error_type", asked.error_type),
        ("since", asked.since),
        ("until", asked.until),
        ("limit", Some(limit.to_string())),
        ("cursor", asked.cursor),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    Ok(cut(client.executions(&query)?.body, LESS_OF_A_LIST))
}

fn show(client: &ApiClient, asked: ShowArguments) -> Result<String, CallFailure> {
    let id = resolved(client, &asked.id)?;
    Ok(cut(client.execution(id, wait(asked.wait_seconds))?.body, LESS_OF_ONE))
}

fn logs(client: &ApiClient, asked: LogsArguments) -> Result<String, CallFailure> {
    let id = resolved(client, &asked.id)?;
    Ok(cut(written(&fitting(client.logs(id, asked.cursor)?))?, LESS_OF_A_LOG))
}

fn status(client: &ApiClient, NoArguments {}: NoArguments) -> Result<String, CallFailure> {
    Ok(cut(written(&SupervisorStatus::of(client)?)?, LESS_OF_A_STATE))
}

fn submit(client: &ApiClient, asked: &SubmitArguments) -> Result<String, CallFailure> {
    let answer = client.submit(&written(asked)?, wait(asked.wait_seconds))?;
    Ok(cut(answer.body, LESS_OF_ONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> JsonObject {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_is_submitted_is_what_was_said_without_the_wait() {
        let asked: SubmitArguments = read(object(
            r#"{"workflow": "hello", "parameters": {"n": 0.1}, "priority": 3, "wait_seconds": 9}"#,
        ))
        .unwrap();
        assert_eq!(written(&asked).unwrap(), r#"{"workflow":"hello","parameters":{"n":0.1},"priority":3}"#);
        assert_eq!(wait(asked.wait_seconds), Some(Duration::from_secs(9)));
        assert_eq!(wait(Some(u16::MAX)), Some(WAIT_MAX));
    }

    #[test]
    fn a_number_that_would_lose_digits_is_refused() {
        let is_taken = |number: &str| {
            exact(object(&format!(r#"{{"parameters": {{"of": [{{"n": {number}}}]}}}}"#))).is_ok()
        };
        for number in ["9223372036854775807", "18446744073709551615", "-9223372036854775808", "0.1", "1e18"] {
            assert!(is_taken(number), "{number}");
        }
        for number in ["18446744073709551616", "-9223372036854775809", "1e19"] {
            assert!(!is_taken(number), "{number}");
        }
    }

    #[test]
    fn arguments_that_are_none_of_the_tool_are_named() {
        let problem = |text| read::<ShowArguments>(object(text)).unwrap_err().to_string();
        assert_eq!(
            problem(r#"{"execution": "0198aa00"}"#),
            "unknown field `execution`, expected `id` or `wait_seconds`: the schema of the tool says what it takes"
        );
        assert!(problem("{}").starts_with("missing field `id`"));
    }
}
