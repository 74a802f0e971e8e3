//! The log of an execution: page by page, or live as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use muster_bus::{BusEvent, Channel, ChannelSubscription};
use muster_core::execution::Status;
use serde::Deserialize;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Api;
use super::problem::ApiError;
use super::query::{PathId, QueryParameters};
use crate::access::Caller;
use crate::api::{LogPage, LogView};

/// How many lines a page has.
const PAGE_LINES: usize = 1_000;
/// How many events wait for a slow reader before we stop reading for it.
const EVENTS_MAX: usize = 256;
/// How often the row is looked at although nobody told of a change.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A place in a log, as text `ATTEMPT-SEQUENCE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct LogPosition {
    attempt: u32,
    sequence: u64,
}

impl std::fmt::Display for LogPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.attempt, self.sequence)
    }
}

impl std::str::FromStr for LogPosition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (attempt, sequence) = text.split_once('-')?;
            Some(Self { attempt: attempt.parse().ok()?, sequence: sequence.parse().ok()? })
        };
        parse().ok_or_else(|| format!("{text:?} is no place in a log: pass on next_cursor or an event's id"))
    }
}

/// `GET /api/executions/{id}/logs`
pub(super) async fn logs(
    State(api): State<Api>,
    caller: Caller,
    PathId(id): PathId,
    headers: HeaderMap,
    mut query: QueryParameters,
) -> Result<Response, ApiError> {
    let follow = query.switch("follow")?;
    let after: Option<LogPosition> = query.take("cursor")?;
    query.end()?;
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok()?.parse().ok());
    let after = last.or(after).unwrap_or_default();
    if api.store.execution(id).await?.is_none() {
        return Err(ApiError::no_execution(id));
    }
    if follow {
        return Ok(follow_from(api, caller, id, after));
    }
    page(&api, id, after).await.map(IntoResponse::into_response)
}

/// What is stored; while the execution runs, also the live lines of the run.
async fn page(api: &Api, id: Uuid, after: LogPosition) -> Result<Json<LogPage>, ApiError> {
    let rows = api.store.logs(id, (after.attempt, after.sequence), PAGE_LINES).await?;
    let is_full = rows.len() == PAGE_LINES;
    let mut logs: Vec<LogView> = rows.into_iter().map(|row| LogView::new(row.attempt, row.line)).collect();
    let last = logs.last().map_or(after, place_of);
    let next_cursor = is_full.then(|| last.to_string());
    if !is_full {
        logs.extend(live_lines(api, id).await.into_iter().filter(|line| place_of(line) > last));
    }
    Ok(Json(LogPage { logs, next_cursor }))
}

fn place_of(line: &LogView) -> LogPosition {
    LogPosition { attempt: line.attempt, sequence: line.sequence }
}

/// The lines of a run that goes on. None when there are none or the cache is out of reach: the log is stored
/// when the run ends, whatever becomes of the live view.
async fn live_lines(api: &Api, id: Uuid) -> Vec<LogView> {
    let messages = api.bus.live_log(id).await.unwrap_or_default();
    messages.iter().filter_map(|message| serde_json::from_slice(message).ok()).collect()
}

fn follow_from(api: Api, caller: Caller, id: Uuid, after: LogPosition) -> Response {
    let (events, receiver) = mpsc::channel(EVENTS_MAX);
    tokio::spawn(async move {
        let tokens = Arc::clone(&api.access.tokens);
        let mut follower = LogFollower { api, id, after, events };
        tokio::select! {
            // The error is that the reader left, or a problem it was told of: either way this is over.
            _ = follower.run() => {}
            () = tokens.ended(&caller) => {}
        }
    });
    let events = stream::unfold(receiver, |mut receiver| async {
        let event: Event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), receiver))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// One reader of a live log.
struct LogFollower {
    api: Api,
    id: Uuid,
    after: LogPosition,
    events: mpsc::Sender<Event>,
}

/// The reader left, the server leaves, or the store is out of reach. The reader may come back with its place.
struct FollowEnd;

/// A message of the execution's channel, as far as it matters here.
#[derive(Deserialize)]
struct LogNotification {
    r#type: String,
    status: Option<Status>,
}

impl LogFollower {
    async fn run(&mut self) -> Result<(), FollowEnd> {
        // Listening begins before anything is read, so no line can fall between the two.
        let mut watch = self.api.bus.watch(&[Channel::Execution(self.id)]).await;
        loop {
            // The row is read before the log: when it is terminal the log is complete.
            let record = self.api.store.execution(self.id).await.map_err(|_| FollowEnd)?.ok_or(FollowEnd)?;
            self.send_stored().await?;
            if record.status.is_terminal() {
                let end = serde_json::json!({"execution_id": self.id, "status": record.status});
                return self.send(Event::default().event("end").data(end.to_string())).await;
            }
            for line in live_lines(&self.api, self.id).await {
                self.send_live(&line).await?;
            }
            self.pass_on(&mut watch).await?;
        }
    }

    /// Passes live news on until something happens that the store must be asked about.
    async fn pass_on(&mut self, watch: &mut ChannelSubscription) -> Result<(), FollowEnd> {
        let look = tokio::time::sleep(LOOK_EVERY);
        tokio::pin!(look);
        loop {
            tokio::select! {
                heard = watch.next() => match heard {
                    BusEvent::Gap => return Ok(()),
                    BusEvent::Message { data, .. } => if self.pass_on_one(&data).await? { return Ok(()) },
                },
                () = &mut look => return Ok(()),
                () = self.events.closed() => return Err(FollowEnd),
                () = self.api.closing.cancelled() => return Err(FollowEnd),
            }
        }
    }

    /// True when it was a status change.
    async fn pass_on_one(&mut self, data: &Bytes) -> Result<bool, FollowEnd> {
        let Ok(news) = serde_json::from_slice::<LogNotification>(data) else { return Ok(false) };
        if news.r#type == "log" {
            if let Ok(line) = serde_json::from_slice::<LogView>(data) {
                self.send_live(&line).await?;
            }
            return Ok(false);
        }
        // Only names we know: an event's name must not hold a line end.
        let name = match news.r#type.as_str() {
            "status" => "status",
            "progress" => "progress",
            _ => return Ok(false),
        };
        self.send(Event::default().event(name).data(String::from_utf8_lossy(data))).await?;
        Ok(news.status.is_some())
    }

    async fn send_stored(&mut self) -> Result<(), FollowEnd> {
        loop {
            let after = (self.after.attempt, self.after.sequence);
            let rows = self.api.store.logs(self.id, after, PAGE_LINES).await.map_err(|_| FollowEnd)?;
            let is_last = rows.len() < PAGE_LINES;
            for row in rows {
                self.send_line(&LogView::new(row.attempt, row.line)).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Sends a line of a run that goes on. The live view keeps the latest lines only (the whole log is stored when
    /// the run ends), so what is missing before it is told.
    async fn send_live(&mut self, line: &LogView) -> Result<(), FollowEnd> {
        let (place, after) = (place_of(line), self.after);
        let expected = if place.attempt == after.attempt { after.sequence + 1 } else { 1 };
        if place > after && place.sequence > expected {
            let lines = place.sequence - expected;
            let gap = serde_json::json!({"attempt": place.attempt, "sequence": expected, "lines": lines});
            self.send(Event::default().event("gap").data(gap.to_string())).await?;
        }
        self.send_line(line).await
    }

    /// Sends a line unless it was sent before.
    async fn send_line(&mut self, line: &LogView) -> Result<(), FollowEnd> {
        let place = place_of(line);
        if place <= self.after {
            return Ok(());
        }
        self.after = place;
        // Rows of an earlier version may hold line breaks, which end a line of an event.
        let data = serde_json::to_string(line).unwrap_or_default();
        let data = muster_core::json::one_line(&data);
        self.send(Event::default().event("log").id(place.to_string()).data(data)).await
    }

    async fn send(&self, event: Event) -> Result<(), FollowEnd> {
        self.events.send(event).await.map_err(|_| FollowEnd)
    }
}
