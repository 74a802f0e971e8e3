//! What is defined: reading it, changing it, and who changed it.

use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::typestate::WithBody;
use uuid::Uuid;

use super::{ANSWER_TIMEOUT, ApiClient, ClientError};
use crate::{
    AcceptedView, ChangesView, DefinitionsView, DeliveriesView, DeliveryWord, PlanView, PruneWish,
    PrunedView, TicksView,
};

/// The header in which a client says who it is, for the record of changes.
pub const USER_HEADER: &str = "x-muster-user";

/// A kind of thing that is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionKind {
    /// Workflows.
    Workflow,
    /// Organizations.
    Organization,
    /// Entries of configuration that are no secrets.
    Variable,
    /// Entries of configuration that are.
    Secret,
    /// What runs by itself.
    Schedule,
    /// Who is told what executions came to.
    Webhook,
}

impl DefinitionKind {
    fn path(self) -> &'static str {
        match self {
            Self::Workflow => "workflows",
            Self::Organization => "organizations",
            Self::Variable => "variables",
            Self::Secret => "secrets",
            Self::Schedule => "schedules",
            Self::Webhook => "webhooks",
        }
    }
}

/// A thing that is defined, by its kind, name and owner.
#[derive(Clone, Copy, Debug)]
pub struct Defined<'a> {
    /// What kind of thing it is.
    pub kind: DefinitionKind,
    /// How it is called.
    pub name: &'a str,
    /// Whose it is; `None` is everybody's.
    pub organization: Option<&'a str>,
}

/// Whether a schedule ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleSwitch {
    /// It ticks no longer.
    Pause,
    /// It ticks again.
    Resume,
}

impl ApiClient {
    /// Lets a schedule tick no longer, or again.
    pub fn switch_schedule(
        &self,
        name: &str,
        to: ScheduleSwitch,
        dry_run: bool,
    ) -> Result<PlanView, ClientError> {
        let verb = match to {
            ScheduleSwitch::Pause => "pause",
            ScheduleSwitch::Resume => "resume",
        };
        let mut url = self.url(&["api", "schedules", name, verb])?;
        if dry_run {
            url.set_query(Some("dry_run=true"));
        }
        let request = self.agent.post(url.as_str()).config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        self.send_change(request, "{}")
    }

    /// Runs a schedule's workflow now.
    pub fn run_schedule(&self, name: &str) -> Result<AcceptedView, ClientError> {
        self.parsed(self.post_text(&["api", "schedules", name, "run"], None, "{}")?)
    }

    /// The next ticks of a schedule.
    pub fn ticks(&self, name: &str, count: u16, after: Option<String>) -> Result<TicksView, ClientError> {
        let mut query = vec![("count", count.to_string())];
        query.extend(after.map(|after| ("after", after)));
        self.parsed(self.get(&["api", "schedules", name, "next"], &query, None)?)
    }

    /// The newest deliveries of webhooks.
    pub fn deliveries(
        &self,
        webhook: Option<&str>,
        state: Option<DeliveryWord>,
        limit: u16,
    ) -> Result<DeliveriesView, ClientError> {
        let mut query = vec![("limit", limit.to_string())];
        query.extend(webhook.map(|webhook| ("webhook", webhook.to_owned())));
        query.extend(state.map(|state| ("state", state.as_str().to_owned())));
        self.parsed(self.get(&["api", "deliveries"], &query, None)?)
    }

    /// Tells a webhook of an execution anew.
    pub fn retry_delivery(&self, webhook: &str, execution: Uuid) -> Result<DeliveriesView, ClientError> {
        let execution = execution.to_string();
        let path = ["api", "webhooks", webhook, "deliveries", &execution, "retry"];
        self.parsed(self.post_text(&path, None, "{}")?)
    }

    /// Forgets executions that ended long ago: as many as go in a moment.
    pub fn prune(&self, wish: &PruneWish) -> Result<PrunedView, ClientError> {
        let body = serde_json::to_string(wish).map_err(|error| self.foreign(&error.to_string()))?;
        self.parsed(self.post_text(&["api", "prune"], None, &body)?)
    }

    /// All of a kind.
    pub fn all_defined<T: DeserializeOwned>(&self, kind: DefinitionKind) -> Result<T, ClientError> {
        self.parsed(self.get(&["api", kind.path()], &[], None)?)
    }

    /// One thing; `None` when it is not defined.
    pub fn defined<T: DeserializeOwned>(&self, thing: Defined<'_>) -> Result<Option<T>, ClientError> {
        let query = query(thing, false);
        match self.get(&["api", thing.kind.path(), thing.name], &query, None) {
            Ok(answer) => self.parsed(answer).map(Some),
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Defines a thing; gives what changed.
    pub fn define<T: Serialize>(
        &self,
        thing: Defined<'_>,
        definition: &T,
        dry_run: bool,
    ) -> Result<PlanView, ClientError> {
        let body = serde_json::to_string(definition).map_err(|error| self.foreign(&error.to_string()))?;
        let mut url = self.url(&["api", thing.kind.path(), thing.name])?;
        set_query(&mut url, &query(thing, dry_run));
        let request = self.agent.put(url.as_str()).config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        self.send_change(request, &body)
    }

    /// Removes what is defined of a thing; gives what changed.
    pub fn undefine(&self, thing: Defined<'_>, dry_run: bool) -> Result<PlanView, ClientError> {
        let mut url = self.url(&["api", thing.kind.path(), thing.name])?;
        set_query(&mut url, &query(thing, dry_run));
        let request = self.agent.delete(url.as_str()).config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        let mut request = request.header(USER_HEADER, user());
        if let Some(token) = self.token() {
            request = request.header("authorization", format!("Bearer {}", token.expose_secret()));
        }
        let response = request.call().map_err(|error| self.failed(&error))?;
        self.parsed(self.answer(response)?)
    }

    /// All that is defined but secrets.
    pub fn definitions(&self) -> Result<DefinitionsView, ClientError> {
        self.parsed(self.get(&["api", "definitions"], &[], None)?)
    }

    /// Makes what is defined match; gives what changed. With `prune` what is not named is removed.
    pub fn apply(
        &self,
        wanted: &DefinitionsView,
        prune: bool,
        dry_run: bool,
    ) -> Result<PlanView, ClientError> {
        let body = serde_json::to_string(wanted).map_err(|error| self.foreign(&error.to_string()))?;
        let mut url = self.url(&["api", "definitions"])?;
        let query: Vec<(&str, String)> = [("prune", prune), ("dry_run", dry_run)]
            .into_iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(name, _)| (name, "true".to_owned()))
            .collect();
        set_query(&mut url, &query);
        let request = self.agent.post(url.as_str()).config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        self.send_change(request, &body)
    }

    /// Encrypts every secret with the current key; gives those that were not.
    pub fn rotate_secrets(&self) -> Result<PlanView, ClientError> {
        let url = self.url(&["api", "secrets"])?;
        let request = self.agent.post(url.as_str()).config().timeout_global(Some(ANSWER_TIMEOUT)).build();
        self.send_change(request, "{}")
    }

    fn send_change(
        &self,
        request: ureq::RequestBuilder<WithBody>,
        body: &str,
    ) -> Result<PlanView, ClientError> {
        self.parsed(self.send_body(self.said_by_whom(request), body)?)
    }

    /// Who changed what is defined, the newest first.
    pub fn changes(&self, limit: u16, cursor: Option<i64>) -> Result<ChangesView, ClientError> {
        let mut query = vec![("limit", limit.to_string())];
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_string())));
        self.parsed(self.get(&["api", "changes"], &query, None)?)
    }
}

fn query(thing: Defined<'_>, dry_run: bool) -> Vec<(&'static str, String)> {
    let owner = thing.organization.map(|organization| ("organization", organization.to_owned()));
    let dry_run = dry_run.then(|| ("dry_run", "true".to_owned()));
    owner.into_iter().chain(dry_run).collect()
}

fn set_query(url: &mut url::Url, query: &[(&str, String)]) {
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
}

/// Who this is, as far as the system says: `anna@build1`.
pub(super) fn user() -> String {
    let name = ["USER", "LOGNAME"].iter().find_map(|variable| std::env::var(variable).ok());
    let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| "somebody".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = format!("{name}@{host}");
    text.chars().map(|one| if one.is_ascii_graphic() { one } else { '?' }).collect()
}
