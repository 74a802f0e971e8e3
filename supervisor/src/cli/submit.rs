//! `supervisor submit`: puts an execution into the queue, and waits for it if asked.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use clap::Args;
use jiff::Timestamp;
use muster_api::moment::moment;
use muster_core::execution::RetryOptions;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::broker::BrokerFlags;
use super::exit::CommandFailure;
use super::finite::finite;
use super::follow::{follow_log, log_line, tell_end};
use super::output::{json_line, note, note_pauses, print_line};
use super::server::ServerFlags;
use super::submit_file::submit_file;
use super::terminal::OutputStream;
use crate::api::{AcceptedView, PauseView};

/// Submit an execution; prints its id, or with --wait its result.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes with --wait: 0 SUCCESS, 1 FAILED, 124 TIMEOUT, 130 CANCELLED; 69 when no supervisor answers.

Examples:
  supervisor submit hello --params '{\"name\": \"Ada\"}' --wait
  supervisor submit report --params @month.json --timeout 900 --follow
  jq '{rows: .}' data.json | supervisor submit transform --params - --wait > out.json
  supervisor submit scratch --code try.js --wait
  supervisor submit fetch --max-attempts 5 --backoff 2 --give-up-on NotFound
  supervisor submit invoice --params '{\"order\": 7}' --idempotency-key order-7
  supervisor submit --from orders.jsonl
  supervisor submit reminder --run-at 2027-03-28T09:00:00+02:00 --expires 86400
  supervisor submit hello --amqp         straight into RabbitMQ, no supervisor needed yet"
)]
pub(crate) struct SubmitCommand {
    /// The workflow's name; with --code what to call the code.
    #[arg(value_name = "WORKFLOW", required_unless_present_any = ["code", "from"])]
    workflow: Option<String>,
    /// Submit each line of this file, or of standard input (-): a request as a message has it; prints their ids.
    #[arg(long, value_name = "FILE.jsonl|-", conflicts_with_all = ["workflow", "params", "code", "organization", "timeout", "max_attempts", "backoff", "backoff_factor", "backoff_max", "retry_on", "give_up_on", "priority", "queue", "run_at", "delay", "expires_at", "expires", "idempotency_key", "id", "wait", "follow", "amqp"])]
    from: Option<String>,
    /// Its parameters: JSON, @FILE, or - for standard input.
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    params: Option<String>,
    /// Run the code of this file instead of a workflow by name.
    #[arg(long, value_name = "FILE")]
    code: Option<PathBuf>,
    /// The language of the code [default: that of its ending, .js, .ts or .py; else the worker's own].
    #[arg(long, value_name = "NAME", requires = "code")]
    language: Option<String>,
    /// The organization it runs for.
    #[arg(long, value_name = "ID")]
    organization: Option<Uuid>,
    /// How long it may run [default: the workflow's, else execution_timeout_seconds].
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    timeout: Option<f64>,
    /// How often it may be tried; above 1 its own failures are retried too.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    max_attempts: Option<u32>,
    /// The wait before it is tried again; it doubles with each attempt.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    backoff: Option<f64>,
    /// By how much each further wait is longer [default: 2].
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, value_parser = finite)]
    backoff_factor: Option<f64>,
    /// No wait is longer.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    backoff_max: Option<f64>,
    /// Try it again after errors of this type only; may be given several times.
    #[arg(long, value_name = "ERROR_TYPE")]
    retry_on: Vec<String>,
    /// Do not try it again after errors of this type; may be given several times.
    #[arg(long, value_name = "ERROR_TYPE")]
    give_up_on: Vec<String>,
    /// 0 to 9; 9 goes first.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<u8>,
    /// The queue it waits in, for the supervisors that serve it [default: `queue` of the settings].
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// A limit it must have room in, by name; up to four, each with a flag of its own.
    #[arg(long = "limit", value_name = "NAME")]
    limits: Vec<String>,
    /// Tell this address what it comes to, too; signed with the secret webhook.request.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Tell it of this end only, such as FAILED; may be given several times.
    #[arg(long, value_name = "STATUS", requires = "webhook")]
    webhook_event: Vec<String>,
    /// Start it at this time at the earliest, such as 2027-03-28T02:30:00+02:00.
    #[arg(long, value_name = "TIME", conflicts_with = "delay", value_parser = moment)]
    run_at: Option<Timestamp>,
    /// Start it so many seconds from now at the earliest.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    delay: Option<f64>,
    /// Cancel it as Expired if it has not started by this time.
    #[arg(long, value_name = "TIME", conflicts_with = "expires", value_parser = moment)]
    expires_at: Option<Timestamp>,
    /// Cancel it as Expired if it has not started so many seconds from now.
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = seconds)]
    expires: Option<f64>,
    /// What it is called: a second submit with this key is the first one's execution, for as long as the key is
    /// remembered (idempotency_seconds).
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Its id; the same id twice is one execution [default: a new one].
    #[arg(long, value_name = "UUID")]
    id: Option<Uuid>,
    /// Wait for the end and print the result as JSON.
    #[arg(long)]
    wait: bool,
    /// Wait, and show the log on stderr as it grows.
    #[arg(long)]
    follow: bool,
    /// Print the whole row as JSON, not just the id or the result.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerFlags,
    #[command(flatten)]
    broker: BrokerFlags,
}

/// A span of time. The supervisor knows the longest.
fn seconds(given: &str) -> Result<f64, String> {
    match given.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(seconds),
        Ok(_) | Err(_) => Err("it must be a number of seconds above 0, such as 30 or 0.5".to_owned()),
    }
}

/// Who is told what it comes to.
#[derive(Serialize)]
struct BodyWebhook<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    events: &'a [String],
}

/// The body, as a queue message has it.
#[derive(Serialize)]
struct QueueBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    execution_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "RetryOptions::is_empty")]
    retry: RetryOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    limits: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<BodyWebhook<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

/// What `--json` says of one that nobody waits for.
#[derive(Debug, Serialize)]
struct SubmittedLine {
    execution_id: Uuid,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    existing: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paused_by: Vec<PauseView>,
}

impl SubmitCommand {
    pub(crate) fn run(&self) -> Result<ExitCode, CommandFailure> {
        if let Some(path) = &self.from {
            return submit_file(&self.server.client()?, path, self.json);
        }
        let message = self.message()?;
        if self.broker.amqp {
            let id = self.broker.publish(&message, self.queue.as_deref())?;
            print_line(&if self.json { format!("{{\"execution_id\":\"{id}\"}}") } else { id.to_string() })?;
            return Ok(ExitCode::SUCCESS);
        }
        let client = self.server.client()?;
        let accepted: AcceptedView = client.parsed(client.submit(&message, None)?)?;
        let id = accepted.execution_id;
        if accepted.existing {
            note(&format!("submitted before with this key: execution {id}"));
        }
        // Whoever waits for it is told while they wait.
        if !self.wait || self.follow {
            note_pauses(&accepted.paused_by);
        }
        if !self.wait && !self.follow {
            let AcceptedView { existing, paused_by, .. } = accepted;
            let json = || json_line(&SubmittedLine { execution_id: id, existing, paused_by });
            print_line(&if self.json { json() } else { id.to_string() })?;
            return Ok(ExitCode::SUCCESS);
        }
        // Whoever stops waiting, which ends nothing, knows what to ask for.
        if self.follow || std::io::stderr().is_terminal() {
            note(&format!("execution {id}"));
        }
        if self.follow {
            let terminal = OutputStream::stderr();
            follow_log(&client, id, |line, _| {
                note(&log_line(line, terminal));
                Ok(())
            })?;
        }
        tell_end(&client, id, self.json)
    }

    fn message(&self) -> Result<String, CommandFailure> {
        let code = self.code.as_deref().map(read_code).transpose()?;
        let workflow = self.workflow.as_deref();
        let script_name = self.code.as_deref().map(|path| match workflow {
            Some(name) => name.to_owned(),
            None => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        });
        let message = QueueBody {
            execution_id: self.id,
            workflow: workflow.filter(|_| code.is_none()),
            code,
            script_name,
            language: self.language.as_deref().or_else(|| self.code.as_deref().and_then(language_of)),
            parameters: self.params.as_deref().map(read_params).transpose()?,
            organization_id: self.organization,
            timeout_seconds: self.timeout,
            max_attempts: self.max_attempts,
            retry: self.retry(),
            priority: self.priority,
            queue: self.queue.as_deref(),
            limits: &self.limits,
            webhook: self.webhook.as_deref().map(|url| BodyWebhook { url, events: &self.webhook_event }),
            run_at: self.run_at,
            delay_seconds: self.delay,
            expires_at: self.expires_at,
            expires_seconds: self.expires,
            idempotency_key: self.idempotency_key.as_deref(),
        };
        serde_json::to_string(&message).map_err(|error| CommandFailure::other(error.to_string()))
    }
}

impl SubmitCommand {
    fn retry(&self) -> RetryOptions {
        let names = |names: &Vec<String>| (!names.is_empty()).then(|| names.clone());
        RetryOptions {
            backoff_seconds: self.backoff,
            backoff_factor: self.backoff_factor,
            backoff_max_seconds: self.backoff_max,
            retry_on: names(&self.retry_on),
            give_up_on: names(&self.give_up_on),
            ..RetryOptions::default()
        }
    }
}

/// Reads `JSON`, `@FILE` or `-` and checks that it is JSON.
pub(crate) fn read_params(given: &str) -> Result<Box<RawValue>, CommandFailure> {
    let (place, text) = match (given, given.strip_prefix('@')) {
        ("-", _) => {
            let mut text = String::new();
            let read = std::io::stdin().lock().read_to_string(&mut text);
            read.map_err(|error| {
                CommandFailure::usage(format!("--params -: standard input cannot be read: {error}"))
            })?;
            ("standard input", text)
        }
        (_, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                CommandFailure::usage(format!("--params @{path} cannot be read: {error}"))
            })?;
            (path, text)
        }
        (_, None) => ("the argument", given.to_owned()),
    };
    serde_json::from_str(&text)
        .map_err(|error| CommandFailure::usage(format!("--params: {place} is not JSON: {error}")))
}

fn read_code(path: &Path) -> Result<String, CommandFailure> {
    let code = std::fs::read(path).map_err(|error| {
        CommandFailure::usage(format!("--code {} cannot be read: {error}", path.display()))
    })?;
    Ok(base64::engine::general_purpose::STANDARD.encode(code))
}

/// The language that the ending of a file stands for, as workers call it.
fn language_of(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "js" | "mjs" | "cjs" => Some("javascript"),
        "ts" | "mts" | "cts" => Some("typescript"),
        "py" => Some("python"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct SubmitLine {
        #[command(flatten)]
        submit: SubmitCommand,
    }

    fn message(arguments: &[&str]) -> String {
        let line =
            SubmitLine::try_parse_from(std::iter::once("submit").chain(arguments.iter().copied())).unwrap();
        line.submit.message().unwrap()
    }

    #[test]
    fn only_what_was_said_is_sent_and_parameters_stay_as_written() {
        assert_eq!(message(&["hello"]), r#"{"workflow":"hello"}"#);
        let id = "0198aa00-0000-7000-8000-000000000001";
        insta::assert_snapshot!(message(&["w", "--params", "{ \"n\": 1.0e2 }", "--timeout", "0.5", "--priority", "9", "--id", id, "--max-attempts", "2"]), @r#"{"execution_id":"0198aa00-0000-7000-8000-000000000001","workflow":"w","parameters":{ "n": 1.0e2 },"timeout_seconds":0.5,"max_attempts":2,"priority":9}"#);
    }

    #[test]
    fn code_travels_with_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("try.js");
        std::fs::write(&path, "1").unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(
            message(&["--code", path]),
            r#"{"code":"MQ==","script_name":"try.js","language":"javascript"}"#
        );
        assert_eq!(
            message(&["scratch", "--code", path, "--language", "js"]),
            r#"{"code":"MQ==","script_name":"scratch","language":"js"}"#
        );
    }

    #[test]
    fn the_ending_of_a_file_says_its_language() {
        for (name, language) in [
            ("c.ts", Some("typescript")),
            ("c.mts", Some("typescript")),
            ("C.TS", Some("typescript")),
            ("c.d.mjs", Some("javascript")),
            ("c.py", Some("python")),
            ("c.rb", None),
            ("ts", None),
        ] {
            assert_eq!(language_of(Path::new(name)), language, "{name}");
        }
    }

    #[test]
    fn parameters_that_are_no_json_are_refused_with_their_place() {
        assert!(SubmitLine::try_parse_from(["submit"]).is_err());
        let refused = read_params("{oops}").unwrap_err();
        insta::assert_debug_snapshot!(refused, @r#"
CommandFailure {
    code: 2,
    message: "--params: the argument is not JSON: key must be a string at line 1 column 2",
}
"#);
        let absent = read_params("@/no/such.json").unwrap_err();
        insta::assert_debug_snapshot!(absent, @r#"
CommandFailure {
    code: 2,
    message: "--params @/no/such.json cannot be read: No such file or directory (os error 2)",
}
"#);
    }
}
