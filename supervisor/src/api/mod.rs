//! What a supervisor is asked for and what it answers, however it is asked: the trait that the service stands behind,
//! and the values of [`muster_api`], some of them made of the rows of the record.

mod dead_letters;
mod records;
mod service;

#[cfg(any(test, fuzzing))]
pub(crate) mod tests;

pub use muster_api::{
    AcceptedView, AccessView, BatchItemView, BatchView, BrokenFileView, BrokerQueueView, BrokerView,
    CancelOutcome, CancelView, ChangeAction, ChangeView, ChangesView, DeadLetterView, DeadLetterWish,
    DeadLettersMovedView, DeadLettersView, DefinitionsView, DeliveriesView, DeliveryView, DeliveryWord,
    ExplanationView, FleetMemberView, FleetView, HistorySpan, HistoryStep, HistoryView, IsolationView,
    LimitDefinition, LimitRemovedView, LimitView, LimitsView, LogPage, LogView, MadeTokenView, ManyView,
    OrganizationDefinition, OrganizationsView, OutcomeCounts, PauseRequest, PauseView, PausesView, PlanView,
    PlannedChange, PoolView, ProblemView, PruneWish, PrunedView, QueueView, Readiness, ReadinessPart,
    ReasonKind, ReasonView, RecycleRequest, ReloadView, ReportSection, ReportView, ResizeRequest,
    ResumedView, RetryRequest, ScheduleDefinition, ScheduleView, SchedulesView, SecretValue, SecretView,
    SecretsView, SelectionRequest, StatisticsView, SubmitAnswer, SupervisorLife, SupervisorWord,
    TemplateStateView, TemplateView, TickView, TicksView, TokenRemovedView, TokenRequest,
    TokenRotationRequest, TokenView, TokensView, VariableDefinition, VariablesView, Verdict, WallView,
    WebhookDefinition, WebhooksView, WorkerView, WorkflowDefinition, WorkflowView, WorkflowsView,
};

pub use dead_letters::{DeadLetterAction, letter_view, moved_view};
pub use records::{delivery_state, pause_view, pause_views, queue_views, token_view};
pub use service::{ApiService, RecycleTarget, ServiceError};
