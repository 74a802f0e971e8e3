//! `fetch`: requests on helper threads, so that an `await` in a workflow waits and nothing else does.
//!
//! A request that is aborted is abandoned: its promise is rejected at once, and its thread ends when the
//! server answers or its time is up. A worker with many such threads asks to be replaced.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_protocol::{ErrorInfo, JsonBytes};
use serde::{Deserialize, Serialize};
use ureq::Agent;
use ureq::unversioned::transport::{Connector as _, DefaultConnector};

use super::completions::{Completion, CompletionQueue, Payload};
use super::forbidden::{Allowed, BeforeProxy};

/// Requests of one execution that are under way at once; the others wait.
const PARALLEL_MAX: usize = 16;
/// The largest body of a response.
const BODY_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// A request without any other limit ends after this.
const LONGEST: Duration = Duration::from_secs(300);
const REDIRECTS_MAX: u32 = 20;

/// Threads of this process that work for an execution that has ended.
static ABANDONED: AtomicUsize = AtomicUsize::new(0);

/// How many there are.
pub(crate) fn abandoned() -> usize {
    ABANDONED.load(Ordering::Relaxed)
}

/// The requests of one execution.
pub(crate) struct Fetches {
    agent: Agent,
    completions: CompletionQueue,
    state: Arc<Mutex<FetchState>>,
}

#[derive(Default)]
struct FetchState {
    running: usize,
    waiting: VecDeque<Job>,
    over: bool,
}

struct Job {
    id: u32,
    request: FetchRequest,
    body: Option<Vec<u8>>,
}

#[derive(Deserialize)]
pub(crate) struct FetchRequest {
    url: String,
    method: String,
    headers: Vec<(String, String)>,
    redirect: String,
}

impl std::fmt::Display for FetchRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}

#[derive(Serialize)]
struct Head {
    status: u16,
    #[serde(rename = "statusText")]
    status_text: String,
    url: String,
    redirected: bool,
    headers: Vec<(String, String)>,
}

impl Fetches {
    pub(crate) fn new(completions: CompletionQueue, time_left: Option<Duration>) -> Self {
        let limit = time_left.map_or(LONGEST, |left| left.min(LONGEST));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(limit))
            .max_redirects(REDIRECTS_MAX)
            .user_agent(concat!("muster-worker/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = BeforeProxy.chain(DefaultConnector::default());
        let agent = Agent::with_parts(config, connector, Allowed::default());
        Self { agent, completions, state: Arc::default() }
    }

    /// Begins a request; its answer comes as a completion.
    pub(crate) fn begin(&self, id: u32, request: FetchRequest, body: Option<Vec<u8>>) {
        let mut state = lock(&self.state);
        state.waiting.push_back(Job { id, request, body });
        if state.running >= PARALLEL_MAX {
            return;
        }
        state.running += 1;
        drop(state);
        let (agent, completions, shared) =
            (self.agent.clone(), self.completions.clone(), Arc::clone(&self.state));
        let spawned = std::thread::Builder::new()
            .name("fetch".to_owned())
            .stack_size(512 * 1024)
            .spawn(move || work(&agent, &completions, &shared));
        if let Err(error) = spawned {
            let mut state = lock(&self.state);
            state.running -= 1;
            state.waiting.retain(|job| job.id != id);
            drop(state);
            let error = ErrorInfo::new("TypeError", format!("fetch cannot start a thread: {error}"));
            self.completions.push_and_wake(Completion { id, result: Err(error) });
        }
    }

    /// Forgets a request that has not begun. One that has goes on, unheard.
    pub(crate) fn abandon(&self, id: u32) {
        lock(&self.state).waiting.retain(|job| job.id != id);
    }
}

impl Drop for Fetches {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.over = true;
        state.waiting.clear();
        ABANDONED.fetch_add(state.running, Ordering::Relaxed);
    }
}

fn lock(state: &Mutex<FetchState>) -> MutexGuard<'_, FetchState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One helper thread: takes requests until there is none left.
fn work(agent: &Agent, completions: &CompletionQueue, state: &Mutex<FetchState>) {
    loop {
        let mut locked = lock(state);
        let Some(job) = locked.waiting.pop_front() else {
            locked.running -= 1;
            if locked.over {
                ABANDONED.fetch_sub(1, Ordering::Relaxed);
            }
            return;
        };
        drop(locked);
        let target = job.request.to_string();
        let result = perform(agent, job.request, job.body.as_deref()).map_err(|error| {
            ErrorInfo::new("TypeError", format!("fetch failed: {target}: {}", words(&error)))
        });
        completions.push_and_wake(Completion { id: job.id, result });
    }
}

/// What went wrong, without the wrapping of errors that are ours.
fn words(error: &ureq::Error) -> String {
    if let ureq::Error::Other(ours) = error { ours.to_string() } else { error.to_string() }
}

fn perform(agent: &Agent, request: FetchRequest, body: Option<&[u8]>) -> Result<Payload, ureq::Error> {
    let mut builder = ureq::http::Request::builder().method(request.method.as_str()).uri(&request.url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let redirects = if request.redirect == "manual" { 0 } else { REDIRECTS_MAX };
    let mut response = match body {
        Some(body) => run(agent, builder.body(body)?, redirects)?,
        None => run(agent, builder.body(())?, redirects)?,
    };
    let url = ureq::ResponseExt::get_uri(&response).to_string();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let head = Head {
        status: response.status().as_u16(),
        status_text: response.status().canonical_reason().unwrap_or_default().to_owned(),
        redirected: url.trim_end_matches('/') != request.url.trim_end_matches('/'),
        url,
        headers,
    };
    let body = response.body_mut().with_config().limit(BODY_MAX_BYTES).read_to_vec()?;
    Ok(Payload::Response { head: JsonBytes::of(&head), body })
}

fn run(
    agent: &Agent,
    request: ureq::http::Request<impl ureq::AsSendBody>,
    redirects: u32,
) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
    let request =
        agent.configure_request(request).max_redirects(redirects).allow_non_standard_methods(true).build();
    agent.run(request)
}
