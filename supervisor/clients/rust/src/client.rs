//! The client.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::asking::{Asking, Question};
use crate::error::MusterError;
use crate::request::NewExecution;
use crate::row::{ExecutionRow, LogRow, ReasonRow, RowStatus, Submission};

const DEFAULT_URL: &str = "http://127.0.0.1:7420";
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one question waits for the end of an execution.
const WAIT: Duration = Duration::from_secs(30);
/// So many submissions are one question.
const MANY: usize = 1_000;
/// How many rows a page of a list has.
pub const LIST_PAGE: usize = 100;

/// A supervisor, as applications see it. Threads may share one.
#[derive(Debug)]
pub struct MusterClient {
    asking: Asking,
}

#[derive(Deserialize)]
struct Accepted {
    execution_id: Uuid,
}

#[derive(Deserialize)]
struct Many {
    executions: Vec<ManyItem>,
}

#[derive(Deserialize)]
struct ManyItem {
    execution_id: Option<Uuid>,
    problem: Option<ManyProblem>,
}

#[derive(Deserialize)]
struct ManyProblem {
    status: u16,
    detail: String,
    #[serde(default)]
    problems: Vec<String>,
}

#[derive(Deserialize)]
struct ListPage {
    executions: Vec<ExecutionRow>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct LogLines {
    logs: Vec<LogRow>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Reasons {
    reasons: Vec<ReasonRow>,
}

#[derive(Deserialize)]
struct Ended {
    outcome: String,
}

impl MusterClient {
    /// The supervisor at this address; its token is found, if it is of this machine and user.
    ///
    /// # Errors
    /// When it is no address.
    pub fn new(url: &str) -> Result<Self, MusterError> {
        Ok(Self { asking: Asking::new(url, None, PATIENCE)? })
    }

    /// Found as the `supervisor` command does: `MUSTER_URL`, `MUSTER_HTTP_TOKEN`, else the supervisor of this machine and user.
    ///
    /// # Errors
    /// When `MUSTER_URL` is no address.
    pub fn find() -> Result<Self, MusterError> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let url = set("MUSTER_URL").unwrap_or_else(|| DEFAULT_URL.to_owned());
        let client = Self::new(&url)?;
        Ok(match set("MUSTER_HTTP_TOKEN") {
            Some(token) => client.with_token(&token),
            None => client,
        })
    }

    /// With this token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { asking: self.asking.with_token(token) }
    }

    /// For so long a supervisor that does not answer is asked again; 30 s without it.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { asking: self.asking.with_patience(patience) }
    }

    /// Submits an execution; its id, or that of the first with its idempotency key.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub fn submit(&self, execution: &NewExecution) -> Result<Uuid, MusterError> {
        Ok(self.submission(execution)?.execution_id)
    }

    /// Submits an execution; all that is said of it, such as which pauses keep it from starting.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub fn submission(&self, execution: &NewExecution) -> Result<Submission, MusterError> {
        self.post("/api/executions", &serde_json::to_string(execution)?)
    }

    /// Submits many, a thousand in one question; what became of each, in their order.
    ///
    /// # Errors
    /// When nobody answers. Those that were refused are errors in the list.
    pub fn submit_many(
        &self,
        executions: &[NewExecution],
    ) -> Result<Vec<Result<Uuid, MusterError>>, MusterError> {
        let mut made = Vec::with_capacity(executions.len());
        for group in executions.chunks(MANY) {
            let many: Many = self.post("/api/executions/batch", &serde_json::to_string(group)?)?;
            if many.executions.len() != group.len() {
                return Err(self.asking.foreign());
            }
            for (asked, item) in group.iter().zip(many.executions) {
                made.push(match item.problem {
                    None => Ok(item.execution_id.unwrap_or_else(|| asked.id())),
                    // The database was away for this one: asked alone it is asked again.
                    Some(problem) if (502..=504).contains(&problem.status) => self.submit(asked),
                    Some(ManyProblem { status, detail, problems }) => {
                        Err(MusterError::Refused { status, detail, problems })
                    }
                });
            }
        }
        Ok(made)
    }

    /// The row of an execution as it is now.
    ///
    /// # Errors
    /// When there is none, or nobody answers.
    pub fn get(&self, id: Uuid) -> Result<ExecutionRow, MusterError> {
        self.ask(&path(id, ""), Duration::ZERO)
    }

    /// The row once it is over, however it ended; without a timeout it is waited for as long as it takes.
    ///
    /// # Errors
    /// `NotFinished` when it is not over in time, `Unavailable` when nobody answers until then.
    pub fn wait(&self, id: Uuid, timeout: Option<Duration>) -> Result<ExecutionRow, MusterError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let asked = Instant::now();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(asked));
            let most = left.unwrap_or(WAIT).min(WAIT);
            let path = path(id, &format!("?wait={:.3}", most.as_secs_f64()));
            let row: ExecutionRow =
                self.asking.ask(&Question { path: &path, body: None, wait: most, deadline })?;
            if row.status.is_over() {
                return Ok(row);
            }
            if left == Some(Duration::ZERO) {
                return Err(MusterError::NotFinished(id));
            }
            if asked.elapsed() < most / 2 {
                // It leaves and answers at once; the next one may be a while.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// What the workflow returned.
    ///
    /// # Errors
    /// `Failed` when it is over without a result, `NotFinished` when it is not over in time.
    pub fn result<T: DeserializeOwned>(&self, id: Uuid, timeout: Option<Duration>) -> Result<T, MusterError> {
        let row = self.wait(id, timeout)?;
        match (row.status, &row.result) {
            (RowStatus::Success, result) => {
                Ok(serde_json::from_str(result.as_deref().map_or("null", |result| result.get()))?)
            }
            _ => Err(MusterError::Failed(Box::new(row))),
        }
    }

    /// Executions, the newest first; `narrowed` are pairs as `("workflow", "greet")` or `("status", "FAILED")`.
    pub fn list<'a>(&'a self, narrowed: &[(&str, &str)]) -> RowPages<'a> {
        let named = narrowed.iter().map(|(name, value)| format!("&{}={}", encoded(name), encoded(value)));
        RowPages {
            client: self,
            query: format!("?limit={LIST_PAGE}{}", named.collect::<String>()),
            cursor: None,
            is_over: false,
        }
    }

    /// The log of an execution so far.
    ///
    /// # Errors
    /// When there is none, or nobody answers.
    pub fn logs(&self, id: Uuid) -> Result<Vec<LogRow>, MusterError> {
        let (mut found, mut query) = (Vec::new(), String::new());
        loop {
            let page: LogLines = self.ask(&path(id, &format!("/logs{query}")), Duration::ZERO)?;
            found.extend(page.logs);
            let Some(cursor) = page.next_cursor else { return Ok(found) };
            query = format!("?cursor={}", encoded(&cursor));
        }
    }

    /// Why an execution is where it is.
    ///
    /// # Errors
    /// When there is none, or nobody answers.
    pub fn explain(&self, id: Uuid) -> Result<Vec<ReasonRow>, MusterError> {
        let told: Reasons = self.ask(&path(id, "/explain"), Duration::ZERO)?;
        Ok(told.reasons)
    }

    /// Asks for an execution to end: `cancelled`, `requested`, `already_finished` or `unknown`.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn cancel(&self, id: Uuid) -> Result<String, MusterError> {
        let ended: Ended = self.post(&path(id, "/cancel"), "{}")?;
        Ok(ended.outcome)
    }

    /// Runs an execution that is over again, as a new one: its id.
    ///
    /// # Errors
    /// When it is not over, or nobody answers.
    pub fn retry(&self, id: Uuid) -> Result<Uuid, MusterError> {
        let body = format!("{{\"execution_id\":\"{}\"}}", Uuid::now_v7());
        let accepted: Accepted = self.post(&path(id, "/retry"), &body)?;
        Ok(accepted.execution_id)
    }

    fn ask<T: DeserializeOwned>(&self, path: &str, wait: Duration) -> Result<T, MusterError> {
        self.asking.ask(&Question { path, body: None, wait, deadline: None })
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &str) -> Result<T, MusterError> {
        self.asking.ask(&Question { path, body: Some(body), wait: Duration::ZERO, deadline: None })
    }
}

/// The pages of a list, fetched as they are needed.
#[derive(Debug)]
pub struct RowPages<'a> {
    client: &'a MusterClient,
    query: String,
    cursor: Option<String>,
    is_over: bool,
}

impl Iterator for RowPages<'_> {
    type Item = Result<Vec<ExecutionRow>, MusterError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let cursor = self.cursor.take().map(|cursor| format!("&cursor={}", encoded(&cursor)));
        let path = format!("/api/executions{}{}", self.query, cursor.unwrap_or_default());
        let page: Result<ListPage, _> = self.client.ask(&path, Duration::ZERO);
        self.cursor = page.as_ref().ok().and_then(|page| page.next_cursor.clone());
        self.is_over = self.cursor.is_none();
        Some(page.map(|page| page.executions))
    }
}

fn path(id: Uuid, more: &str) -> String {
    format!("/api/executions/{id}{more}")
}

/// A text as it may stand in a query.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
