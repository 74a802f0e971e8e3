//! What is shown of the template that workers are made of.

use muster_core::pool::{PoolSnapshot, TemplateSnapshot};
use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};

use super::pool::seconds;

/// Whether workers are made of a template: a process that has loaded all there is, and forks.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = Template)]
pub struct TemplateView {
    /// Whether workers are made of it right now.
    #[schema(schema_with = TemplateStateView::schema)]
    pub state: TemplateStateView,
    /// Its process, as the worker it is numbered as.
    pub worker: Option<String>,
    /// The id of its process, once there is one.
    pub pid: Option<u32>,
    /// Why there is none, if it failed.
    pub problem: Option<String>,
    /// When another one is started, if it failed.
    pub retry_in_seconds: Option<f64>,
}

/// Whether workers are made of a template right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplateStateView {
    /// The setting is off, or no worker was started yet.
    #[default]
    None,
    /// Workers of this command cannot be made of a template.
    Absent,
    /// It loads; workers wait for it.
    Starting,
    /// The template stands, and workers are made of it.
    Stands,
    /// The template failed, and workers start without one.
    Broken,
}

impl TemplateView {
    pub(super) fn of(pool: &PoolSnapshot) -> Self {
        let (state, worker) = match &pool.template {
            TemplateSnapshot::None => (TemplateStateView::None, None),
            TemplateSnapshot::Absent => (TemplateStateView::Absent, None),
            TemplateSnapshot::Starting { worker } => (TemplateStateView::Starting, Some(*worker)),
            TemplateSnapshot::Standing { worker, .. } => (TemplateStateView::Stands, Some(*worker)),
            TemplateSnapshot::Broken { message, retry_in_ms } => {
                return Self {
                    state: TemplateStateView::Broken,
                    problem: Some(message.clone()),
                    retry_in_seconds: Some(seconds(*retry_in_ms)),
                    ..Self::default()
                };
            }
        };
        let pid = pool.workers.iter().find(|one| Some(one.worker) == worker).and_then(|one| one.pid);
        Self { state, worker: worker.map(|worker| worker.to_string()), pid, ..Self::default() }
    }
}
