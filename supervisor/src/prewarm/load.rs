//! Fetching: memory, then the bus, then the store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use muster_bus::{Bus, CacheKey};
use muster_core::execution::{RunConfig, Secrets};
use muster_protocol::error_type;
use muster_store::{ConfigEntry, DefinitionStore, OrganizationRecord, StoreError, WorkflowRecord};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::single_flight::SingleFlight;
use super::{PrewarmError, ResolvedWorkflow, Subject};

/// How long a load is used again by this process. Short, so that deleting a cached key is soon seen.
const FRESH_FOR: Duration = Duration::from_secs(2);
/// How long the bus may take before the store is asked instead.
const BUS_TIMEOUT: Duration = Duration::from_millis(500);

type PrewarmKey = (Subject, Option<Uuid>);
type Loaded = Result<Arc<ResolvedWorkflow>, PrewarmError>;

/// Fetches what runs need to know. Share one per supervisor.
#[derive(Debug)]
pub struct Prewarm {
    source: PrewarmSource,
    /// The version that what is fetched from now on is of, as far as it is known.
    version: Mutex<Option<i64>>,
    flights: SingleFlight<PrewarmKey, Loaded>,
}

/// Where things are fetched.
#[derive(Clone, Debug)]
struct PrewarmSource {
    store: Arc<dyn DefinitionStore>,
    bus: Bus,
    version: Option<i64>,
}

/// What `workflow:{id}` holds.
#[derive(Debug, Serialize, Deserialize)]
struct SharedWorkflow {
    /// The version of the definitions that it was read at. A supervisor that writes none reads what is stale.
    #[serde(default)]
    version: i64,
    #[serde(flatten)]
    row: WorkflowRecord,
}

/// What `sdk:{organization or global}:config` holds. No secrets: only whether there were any.
#[derive(Debug, Serialize, Deserialize)]
struct SharedConfig {
    /// Likewise.
    #[serde(default)]
    version: i64,
    organization: Option<OrganizationRecord>,
    config: RunConfig,
    has_secrets: bool,
}

impl Prewarm {
    /// Fetches from this store, and shares through this bus.
    pub fn new(store: Arc<dyn DefinitionStore>, bus: Bus) -> Self {
        let source = PrewarmSource { store, bus, version: None };
        Self { source, version: Mutex::default(), flights: SingleFlight::new(FRESH_FOR) }
    }

    /// What is defined is at this version, and what was fetched at another is forgotten. `None`: nobody knows, so nothing
    /// that others shared is believed.
    pub fn follow(&self, version: Option<i64>) {
        let before = std::mem::replace(&mut *self.version(), version);
        if before != version {
            self.flights.clear();
        }
    }

    fn version(&self) -> MutexGuard<'_, Option<i64>> {
        self.version.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The workflow, the organization and the merged configuration for a run: of the workflow's organization
    /// if it has one, else of the caller's.
    ///
    /// # Errors
    /// When the store does not answer, the workflow given by id does not exist, or the organization is not
    /// active.
    pub async fn prewarm_sdk_cache(&self, workflow: Subject, organization_id: Option<Uuid>) -> Loaded {
        let source = PrewarmSource { version: *self.version(), ..self.source.clone() };
        let subject = workflow.clone();
        let load = move || async move { source.load(subject, organization_id).await.map(Arc::new) };
        let loaded = self.flights.get((workflow, organization_id), load, Result::is_ok).await;
        loaded.unwrap_or_else(|| Err(PrewarmError::Unavailable("the load was broken off".to_owned())))
    }
}

impl PrewarmSource {
    async fn load(&self, subject: Subject, caller: Option<Uuid>) -> Result<ResolvedWorkflow, PrewarmError> {
        // A workflow known by name only needs its row first, to know whose configuration is asked for.
        let (workflow, cached_config) = match &subject {
            Subject::Id(id) => self.workflow_by_id(*id, caller).await?,
            Subject::Name(name) => (self.store.workflow_named(name, caller).await.map_err(passing)?, None),
            Subject::Code => (None, None),
        };
        let scope = workflow.as_ref().and_then(|workflow| workflow.organization_id).or(caller);
        let cached_config = if scope == caller { cached_config } else { None };
        let (shared, secrets) = self.config(scope, cached_config).await?;
        if let Some(organization) =
            shared.organization.as_ref().filter(|organization| !organization.is_active)
        {
            let message = format!("organization {} is not active", organization.id);
            return Err(PrewarmError::refused(error_type::INVALID_REQUEST, message));
        }
        ResolvedWorkflow::new(workflow, shared, secrets)
    }

    /// The row, and on the same way the configuration it will most likely need.
    async fn workflow_by_id(
        &self,
        id: Uuid,
        caller: Option<Uuid>,
    ) -> Result<(Option<WorkflowRecord>, Option<Bytes>), PrewarmError> {
        let keys = [CacheKey::Workflow { id }, CacheKey::Config { organization_id: caller }];
        let [workflow, config] = self.cached(keys).await;
        let shared: Option<SharedWorkflow> = workflow.and_then(|json| serde_json::from_slice(&json).ok());
        if let Some(shared) = shared.filter(|shared| Some(shared.version) == self.version) {
            return Ok((Some(shared.row), config));
        }
        let Some(workflow) = self.store.workflow(id).await.map_err(passing)? else {
            let message = format!("there is no active workflow with the id {id}");
            return Err(PrewarmError::refused(error_type::WORKFLOW_NOT_FOUND, message));
        };
        if let Some(version) = self.version {
            self.share(&CacheKey::Workflow { id }, &SharedWorkflow { version, row: workflow.clone() });
        }
        Ok((Some(workflow), config))
    }

    /// The configuration, and its secrets.
    async fn config(
        &self,
        organization_id: Option<Uuid>,
        cached: Option<Bytes>,
    ) -> Result<(SharedConfig, RunConfig), PrewarmError> {
        let key = CacheKey::Config { organization_id };
        let cached = match cached {
            Some(cached) => Some(cached),
            None => {
                let [cached] = self.cached([key]).await;
                cached
            }
        };
        let shared: Option<SharedConfig> = cached.and_then(|json| serde_json::from_slice(&json).ok());
        if let Some(shared) = shared.filter(|shared| Some(shared.version) == self.version) {
            // Asked of the store in any case: what was open when it was cached may be a secret by now.
            let entries = self.store.config(organization_id).await.map_err(passing)?;
            return Ok((shared, split(entries).1));
        }
        let organization = match organization_id {
            Some(id) => self.organization(id).await?,
            None => None,
        };
        let (config, secrets) = split(self.store.config(organization_id).await.map_err(passing)?);
        let version = self.version.unwrap_or_default();
        let shared = SharedConfig { version, organization, config, has_secrets: !secrets.is_empty() };
        if self.version.is_some() {
            self.share(&key, &shared);
        }
        Ok((shared, secrets))
    }

    /// The organization's row. One that is not registered is known by its id alone.
    async fn organization(&self, id: Uuid) -> Result<Option<OrganizationRecord>, PrewarmError> {
        let known = self.store.organization(id).await.map_err(passing)?;
        let unnamed =
            || OrganizationRecord { id, key: None, name: String::new(), weight: None, is_active: true };
        Ok(Some(known.unwrap_or_else(unnamed)))
    }

    async fn cached<const N: usize>(&self, keys: [CacheKey; N]) -> [Option<Bytes>; N] {
        let found = tokio::time::timeout(BUS_TIMEOUT, self.bus.cached(&keys)).await;
        match found {
            Ok(Ok(found)) => found.try_into().unwrap_or([const { None }; N]),
            Ok(Err(_)) | Err(_) => [const { None }; N],
        }
    }

    fn share<T: Serialize>(&self, key: &CacheKey, value: &T) {
        if let Ok(json) = serde_json::to_vec(value) {
            self.bus.put_cached(key, Bytes::from(json));
        }
    }
}

impl ResolvedWorkflow {
    fn new(
        workflow: Option<WorkflowRecord>,
        shared: SharedConfig,
        secrets: RunConfig,
    ) -> Result<Self, PrewarmError> {
        let SharedConfig { version: _, organization, config: mut merged, has_secrets: _ } = shared;
        // A key that became a secret since the cache was written is one.
        merged.retain(|key, _| !secrets.contains_key(key));
        let shown_config_json = if secrets.is_empty() { None } else { Some(object(&merged)?) };
        let secret_values = Secrets::of(secrets.iter().map(|(key, value)| (key.as_str(), value.get())));
        merged.extend(secrets);
        let config_json = object(&merged)?;
        Ok(Self {
            workflow,
            organization,
            config: Arc::new(merged),
            secrets: Arc::new(secret_values),
            config_json,
            shown_config_json,
        })
    }
}

fn object(config: &BTreeMap<String, Box<RawValue>>) -> Result<Box<RawValue>, PrewarmError> {
    to_raw_value(config).map_err(|error| PrewarmError::Unavailable(error.to_string()))
}

fn split(entries: Vec<ConfigEntry>) -> (RunConfig, RunConfig) {
    let (secret, open): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.is_secret);
    let map = |entries: Vec<ConfigEntry>| entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
    (map(open), map(secret))
}

/// Nothing about fetching condemns an execution: it is tried again.
fn passing(error: StoreError) -> PrewarmError {
    PrewarmError::Unavailable(error.to_string())
}
