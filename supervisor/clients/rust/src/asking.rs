//! Questions and answers: how often one is asked, and what an answer means.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::StatusCode;
use ureq::{Agent, Proxy};

use crate::error::MusterError;
use crate::token;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer that was asked for to a deadline may take so much longer on its way.
const AFTER_DEADLINE: Duration = Duration::from_secs(1);
/// How long an answer may take, beyond the time it was asked to wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A result may fill a frame, and JSON text may escape it.
const ANSWER_MAX_BYTES: u64 = 256 * 1024 * 1024;
/// A body that is larger is sent when the supervisor has said that it takes it: one that does not closes the connection
/// while it is written, and what it says of that is lost.
const SENT_AT_ONCE_MAX_BYTES: usize = 1024 * 1024;
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A question: everything of it may be asked twice.
pub(crate) struct Question<'a> {
    /// The path below the address, with its query.
    pub(crate) path: &'a str,
    /// The body of a POST; a GET has none.
    pub(crate) body: Option<&'a str>,
    /// How long the supervisor may wait before it answers.
    pub(crate) wait: Duration,
    /// When whoever asks needs the answer no more.
    pub(crate) deadline: Option<Instant>,
}

/// What is known of one supervisor.
#[derive(Debug)]
pub(crate) struct Asking {
    base: String,
    given: Option<String>,
    found: OnceLock<Option<String>>,
    patience: Duration,
    agent: Agent,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
    #[serde(default)]
    problems: Vec<String>,
    #[serde(default)]
    token_file: Option<String>,
}

impl Asking {
    pub(crate) fn new(url: &str, given: Option<String>, patience: Duration) -> Result<Self, MusterError> {
        let base = url.trim_end_matches('/');
        let base = base.strip_suffix("/api").unwrap_or(base).to_owned();
        let host = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://"));
        if host.is_none_or(str::is_empty) {
            return Err(MusterError::Address(url.to_owned()));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            // A proxy would see the token of a supervisor of this machine.
            .proxy(if token::is_of_this_machine(&base) { None } else { Proxy::try_from_env() })
            .user_agent(concat!("muster-client-rust/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { base, given, found: OnceLock::new(), patience, agent })
    }

    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub(crate) fn with_token(self, token: &str) -> Self {
        Self { given: Some(token.trim().to_owned()), ..self }
    }

    /// The answer, once there is one; a supervisor that is away is asked again, ever less often.
    pub(crate) fn ask<T: DeserializeOwned>(&self, question: &Question<'_>) -> Result<T, MusterError> {
        let (began, mut pause) = (Instant::now(), PAUSE);
        loop {
            let reason = match self.once(question) {
                Ok((502..=504, body)) => {
                    problem(&body).map_or_else(|| "not now".to_owned(), |told| told.detail)
                }
                Ok((200 | 202, body)) => {
                    return serde_json::from_str(&body).map_err(|_| self.foreign());
                }
                Ok((status, body)) => return Err(self.refusal(status, &body)),
                Err(error) => error.to_string(),
            };
            let left = self.patience.saturating_sub(began.elapsed());
            let left = question
                .deadline
                .map_or(left, |deadline| left.min(deadline.saturating_duration_since(Instant::now())));
            if left.is_zero() {
                return Err(MusterError::Unavailable { url: self.base.clone(), reason });
            }
            std::thread::sleep(pause.mul_f64(0.5 + fastrand::f64()).min(left));
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn once(&self, question: &Question<'_>) -> Result<(u16, String), ureq::Error> {
        let url = format!("{}{}", self.base, question.path);
        let left = question
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()) + AFTER_DEADLINE);
        let most = Some((question.wait + ANSWER_TIMEOUT).min(left.unwrap_or(Duration::MAX)));
        let shown = self.token().map(|token| format!("Bearer {token}")).unwrap_or_default();
        let mut response = match question.body {
            Some(body) => {
                let mut request = self.agent.post(&url).header("content-type", "application/json");
                if body.len() > SENT_AT_ONCE_MAX_BYTES {
                    request = request.header("expect", "100-continue");
                }
                request.header("authorization", &shown).config().timeout_global(most).build().send(body)?
            }
            None => {
                let request = self.agent.get(&url).header("authorization", &shown);
                request.config().timeout_global(most).build().call()?
            }
        };
        let body = response.body_mut().with_config().limit(ANSWER_MAX_BYTES).read_to_string()?;
        Ok((response.status().as_u16(), body))
    }

    /// The token to show: the given one, else the one in the file that a supervisor of this machine names.
    fn token(&self) -> Option<String> {
        if let Some(given) = &self.given {
            return Some(given.clone()).filter(|token| token != "none");
        }
        if let Some(found) = self.found.get() {
            return found.clone();
        }
        if !token::is_of_this_machine(&self.base) {
            return None;
        }
        // Where nobody answers, the next question may find somebody.
        let request = self.agent.get(format!("{}/api/openapi.json", self.base));
        let mut response = request.config().timeout_global(Some(ANSWER_TIMEOUT)).build().call().ok()?;
        let status = response.status();
        if status.is_server_error() {
            // It only starts.
            return None;
        }
        let body = response.body_mut().read_to_string().ok()?;
        let file =
            problem(&body).filter(|_| status == StatusCode::UNAUTHORIZED).and_then(|told| told.token_file);
        self.found.get_or_init(|| file.as_deref().and_then(token::read)).clone()
    }

    /// The error of an answer that no supervisor gives.
    pub(crate) fn foreign(&self) -> MusterError {
        MusterError::Foreign(self.base.clone())
    }

    fn refusal(&self, status: u16, body: &str) -> MusterError {
        match problem(body) {
            Some(told) if status == 401 => MusterError::Unauthorized(told.detail),
            Some(Problem { detail, problems, .. }) => MusterError::Refused { status, detail, problems },
            None => self.foreign(),
        }
    }
}

fn problem(body: &str) -> Option<Problem> {
    serde_json::from_str(body).ok()
}
