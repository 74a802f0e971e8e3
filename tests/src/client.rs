//! The HTTP interface as a client sees it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::eventually;

/// Longer than any `?wait` of a test.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status of the answer.
    pub status: u16,
    /// The body as JSON; a body that is not JSON is a JSON string.
    pub body: Value,
}

/// A client of one supervisor, for tests.
#[derive(Clone, Debug)]
pub struct TestClient {
    agent: ureq::Agent,
    url: String,
    token: ClientToken,
}

/// The token that a client shows.
#[derive(Clone, Debug)]
pub enum ClientToken {
    /// The client shows none.
    None,
    /// The client shows this one.
    Given(String),
    /// What the supervisor keeps in this file, once it is there.
    Kept(PathBuf),
}

impl TestClient {
    /// A client of the supervisor at `url`.
    pub fn new(url: String, token: ClientToken) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(REQUEST_TIMEOUT))
            .build();
        Self { agent: config.into(), url, token }
    }

    /// The same supervisor, as somebody else sees it.
    #[must_use]
    pub fn showing(&self, token: ClientToken) -> Self {
        Self { token, ..self.clone() }
    }

    fn authorization(&self) -> String {
        let token = match &self.token {
            ClientToken::None => String::new(),
            ClientToken::Given(token) => token.clone(),
            ClientToken::Kept(file) => std::fs::read_to_string(file).unwrap_or_default(),
        };
        format!("Bearer {}", token.trim())
    }

    /// GET, or nothing when nobody answers.
    pub fn try_get(&self, path: &str) -> Option<Response> {
        let request = self.agent.get(format!("{}{path}", self.url));
        request.header("authorization", self.authorization()).call().and_then(Response::try_read).ok()
    }

    /// Asks for a path and gives the answer, whatever it is.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        let response = self
            .agent
            .get(format!("{}{path}", self.url))
            .header("authorization", self.authorization())
            .call();
        Response::read(response.unwrap_or_else(|error| panic!("GET {path}: {error}")))
    }

    /// POST with a body of JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Response {
        let response = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("authorization", self.authorization())
            .content_type("application/json")
            .send(body.to_string());
        Response::read(response.unwrap_or_else(|error| panic!("POST {path}: {error}")))
    }

    /// PUT with a body of JSON.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Response {
        let response = self
            .agent
            .put(format!("{}{path}", self.url))
            .header("authorization", self.authorization())
            .content_type("application/json")
            .send(body.to_string());
        Response::read(response.unwrap_or_else(|error| panic!("PUT {path}: {error}")))
    }

    /// POST with a body of JSON, or nothing when nobody answers.
    pub fn try_post(&self, path: &str, body: &Value) -> Option<Response> {
        self.try_send(self.agent.post(format!("{}{path}", self.url)), body)
    }

    /// PUT with a body of JSON, or nothing when nobody answers.
    pub fn try_put(&self, path: &str, body: &Value) -> Option<Response> {
        self.try_send(self.agent.put(format!("{}{path}", self.url)), body)
    }

    fn try_send(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        body: &Value,
    ) -> Option<Response> {
        let request = request.header("authorization", self.authorization());
        request.content_type("application/json").send(body.to_string()).and_then(Response::try_read).ok()
    }

    /// Submits an execution and gives its id.
    #[track_caller]
    pub fn submit(&self, request: &Value) -> String {
        let response = self.post("/api/executions", request);
        let id = response.body["execution_id"].as_str();
        match (response.status, id) {
            (202, Some(id)) => id.to_owned(),
            (status, _) => panic!("POST /api/executions: {status} {}", response.body),
        }
    }

    /// The row of an execution.
    #[track_caller]
    pub fn execution(&self, id: &str) -> Value {
        let response = self.get(&format!("/api/executions/{id}"));
        assert_eq!(response.status, 200, "execution {id}: {}", response.body);
        response.body
    }

    /// The whole log of an execution, all pages of it.
    #[track_caller]
    pub fn logs(&self, id: &str) -> Vec<Value> {
        let (mut lines, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let after = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
            let mut response = self.get(&format!("/api/executions/{id}/logs{after}"));
            assert_eq!(response.status, 200, "logs of {id}: {}", response.body);
            lines.extend(response.body["logs"].as_array_mut().into_iter().flat_map(std::mem::take));
            cursor = response.body["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return lines;
            }
        }
    }

    /// Waits until the execution is over and gives its row.
    #[track_caller]
    pub fn finished(&self, id: &str, within: Duration) -> Value {
        eventually(&format!("execution {id} ends"), within, || {
            let row = self.execution(id);
            (!matches!(row["status"].as_str(), Some("PENDING" | "RUNNING"))).then_some(row)
        })
    }

    /// Waits until the execution has this status and gives its row.
    #[track_caller]
    pub fn has_status(&self, id: &str, status: &str, within: Duration) -> Value {
        eventually(&format!("execution {id} is {status}"), within, || {
            let row = self.execution(id);
            (row["status"] == status).then_some(row)
        })
    }
}

impl Response {
    fn read(response: ureq::http::Response<ureq::Body>) -> Self {
        Self::try_read(response).unwrap_or_else(|error| panic!("the body of a response: {error}"))
    }

    fn try_read(mut response: ureq::http::Response<ureq::Body>) -> Result<Self, ureq::Error> {
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(256 * 1024 * 1024).read_to_string()?;
        Ok(Self { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }
}
