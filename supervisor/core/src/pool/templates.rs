//! The template of each generation: a process that has loaded all there is and serves nobody, but makes ready workers of
//! itself. Whether a generation has one is known when its first process says Hello.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::config::{TEMPLATE_BACKOFF_BASE, TEMPLATE_BACKOFF_MAX, hash};
use super::event::WorkerId;
use super::time::PoolTime;

/// By generation: that which serves, and that which is tried out.
pub(super) type Templates = BTreeMap<u64, GenerationTemplate>;

/// What is known of the template of one generation, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct GenerationTemplate {
    pub(super) state: TemplateState,
    /// Starts, to take the place of the one that stands.
    pub(super) coming: Option<WorkerId>,
    /// Workers that are started when it stands, or when it is known that there will be none. Those that were given up
    /// meanwhile are still among them.
    pub(super) awaiting: VecDeque<WorkerId>,
    /// Workers it was asked for.
    pub(super) forking: BTreeSet<WorkerId>,
    /// The one that stands has made a worker, so it can.
    pub(super) has_made_workers: bool,
    /// Templates that failed since the last that made a worker.
    pub(super) failures: u32,
    /// Why the last one failed, also when that is over.
    pub(super) last_message: Option<String>,
}

/// Whether a generation has a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TemplateState {
    /// Nobody was asked: the next process that starts is.
    #[default]
    Untried,
    /// This one was, and has not said Hello. It may turn out to be an ordinary worker.
    Offered(WorkerId),
    /// It loads; whoever is to be started waits for it, because it would load for as long itself.
    Loading(WorkerId),
    /// It makes workers.
    Standing(WorkerId),
    /// These workers have none.
    Absent,
    /// It failed. Workers start without it until the next one stands.
    Broken {
        /// When the next one is started.
        retry_at: PoolTime,
    },
}

impl GenerationTemplate {
    /// A template has failed: when the next one is started. One that has made workers is replaced at once, because
    /// whoever waits for a worker will hardly have one sooner. One that has not, cannot for all that is known: loading it
    /// all again would only tell the same, so workers start without it meanwhile.
    pub(super) fn failed(&mut self, now: PoolTime, seed: u64, worker: WorkerId, message: &str) -> Duration {
        let could_fork = self.state == TemplateState::Standing(worker) && self.has_made_workers;
        self.failures = self.failures.saturating_add(1);
        self.last_message = Some(message.to_owned());
        let doublings = (self.failures - 1).min(16);
        let plain = TEMPLATE_BACKOFF_BASE.saturating_mul(1 << doublings).min(TEMPLATE_BACKOFF_MAX);
        let hundredths = u32::try_from(hash(seed, worker.0) % 26).unwrap_or(0);
        let wait =
            if could_fork && self.failures == 1 { Duration::ZERO } else { plain + plain * hundredths / 100 };
        self.state = TemplateState::Broken { retry_at: now + wait };
        wait
    }

    /// Its templates: the one that is, and the one that comes.
    pub(super) fn processes(&self) -> impl Iterator<Item = WorkerId> {
        let present = match self.state {
            TemplateState::Loading(id) | TemplateState::Standing(id) => Some(id),
            TemplateState::Untried
            | TemplateState::Offered(_)
            | TemplateState::Absent
            | TemplateState::Broken { .. } => None,
        };
        present.into_iter().chain(self.coming)
    }
}
