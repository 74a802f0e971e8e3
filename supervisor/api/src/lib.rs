//! What a supervisor is asked for and what it answers, however it is asked: the values that are shown, the file of
//! definitions, and the client that asks over HTTP.
//!
//! The HTTP interface speaks it, the service answers in it, the command line reads it; none of them knows another.
//! The server writes these types and the client reads them, so the two cannot drift apart,
//! and the OpenAPI document is derived from them. Nothing here knows a row of the record.

pub mod client;
mod dead_letters;
mod definitions;
mod execution;
mod explain;
pub mod file;
mod fleet;
mod history;
mod limits;
mod many;
pub mod moment;
mod pauses;
mod pool;
mod problem;
mod prune;
mod readiness;
mod report;
mod schedule_words;
mod schedules;
mod schema;
mod statistics;
mod template;
mod tokens;
pub mod verdict;
mod webhooks;
mod worker;
mod workflows;

#[cfg(test)]
mod tests;

pub use dead_letters::{DeadLetterView, DeadLetterWish, DeadLettersMovedView, DeadLettersView};
pub use definitions::{
    ChangeAction, ChangeView, ChangesView, DefinitionsView, OrganizationDefinition, OrganizationsView,
    PlanView, PlannedChange, SecretValue, SecretView, SecretsView, VariableDefinition, VariablesView,
    WorkflowDefinition,
};
pub use execution::{
    AcceptedView, BatchItemView, BatchView, CancelOutcome, CancelView, LogPage, LogView, RetryRequest,
    SubmitAnswer,
};
pub use explain::{ExplanationView, ReasonKind, ReasonView};
pub use fleet::{FleetMemberView, FleetView, OutcomeCounts, SupervisorLife, SupervisorWord};
pub use history::{HistorySpan, HistoryStep, HistoryView};
pub use limits::{LimitDefinition, LimitRemovedView, LimitView, LimitsView};
pub use many::{ManyView, SelectionRequest};
pub use pauses::{PauseRequest, PauseView, PausesView, ResumedView};
pub use pool::{
    BrokerQueueView, BrokerView, IsolationView, PoolView, QueueView, RecycleRequest, ReloadView,
    ResizeRequest, WallView,
};
pub use problem::ProblemView;
pub use prune::{PruneWish, PrunedView};
pub use readiness::{Readiness, ReadinessPart};
pub use report::{ReportSection, ReportView, Verdict};
pub use schedule_words::{MISSED_SECONDS, MissedWord, OverlapWord, UTC};
pub use schedules::{ScheduleDefinition, ScheduleView, SchedulesView, TickView, TicksView};
pub use statistics::StatisticsView;
pub use template::{TemplateStateView, TemplateView};
pub use tokens::{
    AccessView, MadeTokenView, TokenRemovedView, TokenRequest, TokenRotationRequest, TokenView, TokensView,
};
pub use webhooks::{DeliveriesView, DeliveryView, DeliveryWord, WebhookDefinition, WebhooksView};
pub use worker::WorkerView;
pub use workflows::{BrokenFileView, WorkflowView, WorkflowsView};
