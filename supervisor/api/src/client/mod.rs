//! Talks to a running supervisor over its HTTP interface, for the command line. Blocking.

mod address;
mod definitions;
mod error;
mod events;
mod execution;
mod limits;
mod pauses;
mod tokens;

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use muster_core::execution::{IdOrPrefix, check};
use muster_settings::access::{dashboard_url, read_named};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, StatusCode};
use ureq::typestate::WithBody;
use ureq::{Agent, Body, RequestBuilder};
use url::{Host, Url};
use uuid::Uuid;

pub use address::reachable;
pub use definitions::{Defined, DefinitionKind, ScheduleSwitch, USER_HEADER};
pub use error::ClientError;
pub use events::{EventStream, ServerEvent};
pub use execution::{Execution, ExecutionEvent, ExecutionEvents, Executions};

use crate::{
    AcceptedView, BatchView, CancelView, ExplanationView, FleetView, LogPage, ManyView, PoolView,
    ProblemView, Readiness, ReportView, SelectionRequest,
};

/// Where a supervisor listens unless told otherwise.
pub const DEFAULT_URL: &str = "http://127.0.0.1:7420";
/// The largest answer read: a result may fill a frame, and JSON text may escape it.
const ANSWER_MAX_BYTES: u64 = 256 * 1024 * 1024;
/// A body that is larger is sent when the supervisor has said that it takes it: one that does not closes the connection
/// while it is written, and what it says of that is lost.
const SENT_AT_ONCE_MAX_BYTES: usize = 1024 * 1024;
/// What is in the description of every supervisor's interface.
const SUBMIT_OPERATION: &str = "\"submitExecution\"";
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take, beyond the time it was asked to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one supervisor's HTTP interface.
#[derive(Debug)]
pub struct ApiClient {
    base: Url,
    /// What was given.
    token: Option<SecretString>,
    /// What a client of this machine falls back on.
    fallback: Option<SecretString>,
    /// What the supervisor said where to find, or the fallback.
    found: OnceLock<Option<SecretString>>,
    agent: Agent,
}

/// The text of an answer, not yet parsed, so that it can be passed on unchanged.
#[derive(Debug)]
pub struct ResponseText {
    /// True for 200, false for 202: accepted and not finished.
    pub is_final: bool,
    /// The body of the answer, JSON text.
    pub body: String,
}

impl ApiClient {
    /// The supervisor at `url`.
    ///
    /// # Errors
    /// When it is not an HTTP URL.
    pub fn new(url: &str, token: Option<SecretString>) -> Result<Self, ClientError> {
        let bad = |reason: String| ClientError::Address { url: url.to_owned(), reason };
        // The address of the API is what comes to mind, too; all that is asked is below it.
        let plain = url.trim_end_matches('/');
        let base = Url::parse(plain.strip_suffix("/api").unwrap_or(plain))
            .map_err(|error| bad(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(bad("it must be like http://HOST:PORT".to_owned()));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { base, token, fallback: None, found: OnceLock::new(), agent })
    }

    /// With a token to show to a supervisor of this machine that does not say where its own is.
    #[must_use]
    pub fn or_token(self, fallback: Option<SecretString>) -> Self {
        Self { fallback, ..self }
    }

    /// The address of the dashboard, with the token in it, once it was seen to be one: every token may ask what it may do.
    pub fn dashboard(&self) -> Result<String, ClientError> {
        self.access()?;
        Ok(dashboard_url(self.base.as_str(), self.token().as_ref()))
    }

    /// The token to show: the one that was given, else the one the supervisor keeps in a file of ours.
    fn token(&self) -> Option<SecretString> {
        if let Some(known) = self.token.as_ref().or_else(|| self.found.get()?.as_ref()) {
            return Some(known.clone());
        }
        if self.found.get().is_some() || !self.is_of_this_machine() {
            return None;
        }
        // Where nobody answers, the next request may find somebody.
        let file = self.ask_for_token_file()?;
        let found = file.and_then(|file| read_named(Path::new(&file)).ok()).or_else(|| self.fallback.clone());
        self.found.get_or_init(|| found).clone()
    }

    /// Whether what answers is a supervisor. No token is shown to it.
    ///
    /// # Errors
    /// When it is none, or nobody answers.
    pub fn check_is_supervisor(&self) -> Result<(), ClientError> {
        let url = self.url(&["api", "openapi.json"])?;
        let request = self.agent.get(url.as_str()).config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        let mut response = request.call().map_err(|error| self.failed(&error))?;
        let body = self.text(&mut response)?;
        let is_one = match serde_json::from_str::<ProblemView>(&body) {
            Ok(problem) => problem.kind.starts_with("/problems/"),
            Err(_) => response.status() == StatusCode::OK && body.contains(SUBMIT_OPERATION),
        };
        if is_one { Ok(()) } else { Err(self.foreign("it is no supervisor")) }
    }

    /// The file that keeps the token, when the supervisor wants one and says where it is; `None` when it does not
    /// answer.
    fn ask_for_token_file(&self) -> Option<Option<String>> {
        let url = self.url(&["api", "openapi.json"]).ok()?;
        let request = self.agent.get(url.as_str()).config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        let mut response = request.call().ok()?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Some(None);
        }
        let body = self.text(&mut response).ok()?;
        Some(serde_json::from_str::<ProblemView>(&body).ok().and_then(|problem| problem.token_file))
    }

    /// A file of ours is of no use to a supervisor elsewhere, and none of its business.
    fn is_of_this_machine(&self) -> bool {
        match self.base.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Submits a request, the body of a queue message. With `wait` it answers when the execution is over or
    /// the time is up.
    pub fn submit(&self, message: &str, wait: Option<Duration>) -> Result<ResponseText, ClientError> {
        self.post_text(&["api", "executions"], wait, message)
    }

    /// Submits many: a JSON array of requests, or a line of JSON for each.
    pub fn submit_batch(&self, requests: &str) -> Result<BatchView, ClientError> {
        self.parsed(self.post_text(&["api", "executions", "batch"], None, requests)?)
    }

    /// The id that was meant.
    ///
    /// # Errors
    /// When no execution has one that begins so, or several do: the message lists these.
    pub fn resolve(&self, id: IdOrPrefix) -> Result<Uuid, ClientError> {
        let prefix = match id {
            IdOrPrefix::Id(id) => return Ok(id),
            IdOrPrefix::Prefix(prefix) => prefix,
        };
        let row: Execution =
            self.parsed(self.get(&["api", "executions", &prefix.to_string()], &[], None)?)?;
        Ok(row.execution_id)
    }

    /// The row of an execution, after waiting for its end so long.
    pub fn execution(&self, id: Uuid, wait: Option<Duration>) -> Result<ResponseText, ClientError> {
        self.get(&["api", "executions", &id.to_string()], &wait_query(wait), wait)
    }

    /// A page of executions, newest first.
    pub fn executions(&self, query: &[(&str, String)]) -> Result<ResponseText, ClientError> {
        self.get(&["api", "executions"], query, None)
    }

    /// Cancels or runs again some of what is meant: `verb` is `cancel` or `retry`.
    pub fn many(&self, verb: &str, selection: &SelectionRequest) -> Result<ManyView, ClientError> {
        let body = serde_json::to_string(selection).map_err(|error| self.foreign(&error.to_string()))?;
        let url = self.url(&["api", "executions", verb])?;
        self.parsed(self.send_text(self.agent.post(url.as_str()), None, &body)?)
    }

    /// How an execution got where it is.
    pub fn events(&self, id: Uuid) -> Result<ExecutionEvents, ClientError> {
        self.parsed(self.get(&["api", "executions", &id.to_string(), "events"], &[], None)?)
    }

    /// Why an execution is where it is.
    pub fn explain(&self, id: Uuid) -> Result<ExplanationView, ClientError> {
        self.parsed(self.get(&["api", "executions", &id.to_string(), "explain"], &[], None)?)
    }

    /// A page of the log of an execution.
    pub fn logs(&self, id: Uuid, cursor: Option<String>) -> Result<LogPage, ClientError> {
        let query: Vec<_> = cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
        self.parsed(self.get(&["api", "executions", &id.to_string(), "logs"], &query, None)?)
    }

    /// The log of an execution as it grows, after the event `last_event_id`.
    pub fn follow(&self, id: Uuid, last_event_id: Option<&str>) -> Result<EventStream, ClientError> {
        let mut url = self.url(&["api", "executions", &id.to_string(), "logs"])?;
        url.set_query(Some("follow=true"));
        let mut request = self.agent.get(url.as_str()).header("accept", "text/event-stream");
        if let Some(last) = last_event_id {
            request = request.header("last-event-id", last);
        }
        if let Some(token) = self.token() {
            request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
        }
        let response = request.call().map_err(|error| self.failed(&error))?;
        if response.status() != StatusCode::OK {
            return Err(self.answer(response).err().unwrap_or_else(|| self.foreign("not an event stream")));
        }
        Ok(EventStream::new(response.into_body().into_reader()))
    }

    /// The transcript of an attempt at an execution, or of the latest that has one.
    pub fn transcript(&self, id: Uuid, attempt: Option<u32>) -> Result<ResponseText, ClientError> {
        let query: Vec<_> = attempt.map(|attempt| ("attempt", attempt.to_string())).into_iter().collect();
        self.get(&["api", "executions", &id.to_string(), "transcript"], &query, None)
    }

    /// Asks for an execution to end.
    pub fn cancel(&self, id: Uuid) -> Result<CancelView, ClientError> {
        self.parsed(self.post_text(&["api", "executions", &id.to_string(), "cancel"], None, "{}")?)
    }

    /// Runs an execution again, as a new one.
    pub fn retry(&self, id: Uuid) -> Result<AcceptedView, ClientError> {
        self.parsed(self.post_text(&["api", "executions", &id.to_string(), "retry"], None, "{}")?)
    }

    /// Asks who is on the database.
    pub fn fleet(&self) -> Result<FleetView, ClientError> {
        self.parsed(self.get(&["api", "fleet"], &[], None)?)
    }

    /// Asks how the fleet is.
    pub fn report(&self) -> Result<ReportView, ClientError> {
        self.parsed(self.get(&["api", "report"], &[], None)?)
    }

    /// Asks what the pool is doing.
    pub fn pool(&self) -> Result<PoolView, ClientError> {
        self.parsed(self.get(&["api", "pool"], &[], None)?)
    }

    /// Changes the pool: `resize`, `recycle` or `reload`.
    pub fn command<T: Serialize>(&self, action: &str, body: &T) -> Result<PoolView, ClientError> {
        let body = serde_json::to_string(body).map_err(|error| self.foreign(&error.to_string()))?;
        self.parsed(self.post_text(&["api", "pool", action], None, &body)?)
    }

    /// Whether the supervisor can take work; also when it cannot.
    pub fn readiness(&self) -> Result<Readiness, ClientError> {
        let mut response = self.send_get(&["readyz"], &[], None)?;
        let body = self.text(&mut response)?;
        serde_json::from_str(&body).map_err(|error| self.foreign(&error.to_string()))
    }

    /// Reads the JSON of an answer.
    pub fn parsed<T: DeserializeOwned>(&self, answer: ResponseText) -> Result<T, ClientError> {
        serde_json::from_str(&answer.body).map_err(|error| self.foreign(&error.to_string()))
    }

    fn get(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        wait: Option<Duration>,
    ) -> Result<ResponseText, ClientError> {
        self.answer(self.send_get(path, query, wait)?)
    }

    fn send_get(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        wait: Option<Duration>,
    ) -> Result<Response<Body>, ClientError> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.agent.get(url.as_str()).config().timeout_global(Some(deadline(wait))).build();
        let request = match self.token() {
            Some(token) => request.header("authorization", format!("Bearer {}", token.expose_secret())),
            None => request,
        };
        request.call().map_err(|error| self.failed(&error))
    }

    fn post_text(
        &self,
        path: &[&str],
        wait: Option<Duration>,
        body: &str,
    ) -> Result<ResponseText, ClientError> {
        let mut url = self.url(path)?;
        let query = wait_query(wait);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.send_text(self.agent.post(url.as_str()), wait, body)
    }

    fn send_text(
        &self,
        request: RequestBuilder<WithBody>,
        wait: Option<Duration>,
        body: &str,
    ) -> Result<ResponseText, ClientError> {
        let request = request.config().timeout_global(Some(deadline(wait))).build();
        self.send_body(request, body)
    }

    fn send_body(&self, request: RequestBuilder<WithBody>, body: &str) -> Result<ResponseText, ClientError> {
        let mut request = self.authorized(request.header("content-type", "application/json"));
        if body.len() > SENT_AT_ONCE_MAX_BYTES {
            request = request.header("expect", "100-continue");
        }
        self.answer(request.send(body).map_err(|error| self.failed(&error))?)
    }

    /// The address of what is at this path. A part of it that would lead elsewhere is no name of anything.
    fn url(&self, path: &[&str]) -> Result<Url, ClientError> {
        if let Some(name) = path.iter().find(|name| name.is_empty() || check::is_step(name)) {
            return Err(ClientError::Name((*name).to_owned()));
        }
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        Ok(url)
    }

    fn answer(&self, mut response: Response<Body>) -> Result<ResponseText, ClientError> {
        let status = response.status();
        let body = self.text(&mut response)?;
        match status {
            StatusCode::OK => Ok(ResponseText { is_final: true, body }),
            StatusCode::ACCEPTED => Ok(ResponseText { is_final: false, body }),
            refused => Err(ClientError::refused(self.base.as_str(), refused.as_u16(), &body)),
        }
    }

    fn text(&self, response: &mut Response<Body>) -> Result<String, ClientError> {
        let body = response.body_mut().with_config().limit(ANSWER_MAX_BYTES);
        body.read_to_string().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &ureq::Error) -> ClientError {
        ClientError::Unreachable { url: self.base.to_string(), reason: error.to_string() }
    }

    fn foreign(&self, reason: &str) -> ClientError {
        ClientError::Foreign { url: self.base.to_string(), reason: reason.to_owned() }
    }
}

fn wait_query(wait: Option<Duration>) -> Vec<(&'static str, String)> {
    wait.map(|wait| ("wait", wait.as_secs_f64().to_string())).into_iter().collect()
}

fn deadline(wait: Option<Duration>) -> Duration {
    ANSWER_TIMEOUT + wait.unwrap_or_default()
}
