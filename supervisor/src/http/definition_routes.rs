//! The endpoints of what is defined: each kind has the same five.

use axum::routing::{delete, get, post, put};
use muster_core::access::AccessRule;
use utoipa::ToSchema;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::Type;

use super::route::{
    ADMIN, ADMIN_ALL, DocumentedParameter, OPERATE, OPERATE_ALL, Route, VIEW, VIEW_ALL, json,
};
use super::shape::Shape;
use super::{definitions, organizations, prune, schedules, variables, webhooks, workflows};
use crate::api::{
    AcceptedView, ChangesView, DefinitionsView, DeliveriesView, OrganizationDefinition, OrganizationsView,
    PlanView, PruneWish, PrunedView, ScheduleDefinition, ScheduleView, SchedulesView, SecretValue,
    SecretView, SecretsView, TicksView, VariableDefinition, VariablesView, WebhookDefinition, WebhooksView,
    WorkflowDefinition, WorkflowsView,
};

const OWNER: DocumentedParameter =
    DocumentedParameter("organization", Type::String, "whose it is, by its key; left out, everybody's");
const DRY_RUN: DocumentedParameter =
    DocumentedParameter("dry_run", Type::Boolean, "only tell what would change");

/// The words of one endpoint.
struct EndpointWords {
    rule: AccessRule,
    path: &'static str,
    operation_id: &'static str,
    summary: &'static str,
}

const fn words(
    rule: AccessRule,
    path: &'static str,
    operation_id: &'static str,
    summary: &'static str,
) -> EndpointWords {
    EndpointWords { rule, path, operation_id, summary }
}

type Handler = axum::routing::MethodRouter<super::Api>;

fn reads<T: ToSchema>(words: EndpointWords, parameters: Vec<DocumentedParameter>, handler: Handler) -> Route {
    let EndpointWords { rule, path, operation_id, summary } = words;
    let answers = vec![json::<T>(200, "as it is defined now")];
    Route {
        method: HttpMethod::Get,
        path,
        operation_id,
        summary,
        rule,
        parameters,
        body: None,
        answers,
        handler,
    }
}

fn changes(
    method: HttpMethod,
    words: EndpointWords,
    mut parameters: Vec<DocumentedParameter>,
    body: Option<Shape>,
    handler: Handler,
) -> Route {
    let EndpointWords { rule, path, operation_id, summary } = words;
    parameters.push(DRY_RUN);
    let answers = vec![json::<PlanView>(200, "what was changed; nothing when it was so already")];
    Route { method, path, operation_id, summary, rule, parameters, body, answers, handler }
}

/// The endpoints of all kinds.
pub(super) fn definition_routes() -> Vec<Route> {
    let mut routes = workflow_routes();
    routes.extend(organization_routes());
    routes.extend(variable_routes());
    routes.extend(secret_routes());
    routes.extend(schedule_routes());
    routes.extend(webhook_routes());
    routes.push(Route {
        method: HttpMethod::Post,
        path: "/api/prune",
        operation_id: "prune",
        summary: "Remove executions that ended long ago, with their logs and events: as many as go in a moment",
        rule: ADMIN_ALL,
        parameters: vec![],
        body: Some(Shape::of::<PruneWish>()),
        answers: vec![json::<PrunedView>(200, "what went, or would go")],
        handler: post(prune::prune),
    });
    routes.push(reads::<DefinitionsView>(
        words(
            VIEW_ALL,
            "/api/definitions",
            "getDefinitions",
            "All that is defined but secrets, to be given to applyDefinitions",
        ),
        vec![],
        get(definitions::export),
    ));
    routes.push(changes(
        HttpMethod::Post,
        words(
            ADMIN_ALL,
            "/api/definitions",
            "applyDefinitions",
            "Make what is defined match all of this, all or nothing",
        ),
        vec![DocumentedParameter("prune", Type::Boolean, "remove what is not named; secrets stay")],
        Some(Shape::of::<DefinitionsView>()),
        post(definitions::apply),
    ));
    let paging = vec![
        DocumentedParameter("limit", Type::Integer, "at most so many, 1 to 1000"),
        DocumentedParameter("cursor", Type::Integer, "next_cursor of the page before"),
    ];
    let listed = words(VIEW_ALL, "/api/changes", "listChanges", "Who changed what is defined, newest first");
    routes.push(reads::<ChangesView>(listed, paging, get(definitions::changes)));
    routes
}

fn workflow_routes() -> Vec<Route> {
    const ONE: &str = "/api/workflows/{*name}";
    let body = Some(Shape::of::<WorkflowDefinition>());
    vec![
        reads::<WorkflowsView>(
            words(
                VIEW,
                "/api/workflows",
                "getWorkflows",
                "What the code of this supervisor's workers declares of its workflows, the files that cannot be loaded, and what is defined of workflows",
            ),
            vec![],
            get(workflows::list),
        ),
        reads::<WorkflowDefinition>(
            words(VIEW, ONE, "getWorkflow", "What is defined of a workflow"),
            vec![OWNER],
            get(workflows::show),
        ),
        changes(
            HttpMethod::Put,
            words(
                ADMIN,
                ONE,
                "putWorkflow",
                "Define a workflow: what is left out is not defined from then on",
            ),
            vec![OWNER],
            body,
            put(workflows::put),
        ),
        changes(
            HttpMethod::Delete,
            words(ADMIN, ONE, "deleteWorkflow", "Remove what is defined of a workflow"),
            vec![OWNER],
            None,
            delete(workflows::delete),
        ),
    ]
}

fn organization_routes() -> Vec<Route> {
    const ONE: &str = "/api/organizations/{key}";
    let body = Some(Shape::of::<OrganizationDefinition>());
    vec![
        reads::<OrganizationsView>(
            words(VIEW, "/api/organizations", "listOrganizations", "The organizations"),
            vec![],
            get(organizations::list),
        ),
        reads::<OrganizationDefinition>(
            words(VIEW, ONE, "getOrganization", "One organization, by its key or id"),
            vec![],
            get(organizations::show),
        ),
        changes(
            HttpMethod::Put,
            words(ADMIN_ALL, ONE, "putOrganization", "Define an organization"),
            vec![],
            body,
            put(organizations::put),
        ),
        changes(
            HttpMethod::Delete,
            words(ADMIN_ALL, ONE, "deleteOrganization", "Remove an organization that has nothing left"),
            vec![],
            None,
            delete(organizations::delete),
        ),
    ]
}

fn variable_routes() -> Vec<Route> {
    const ONE: &str = "/api/variables/{key}";
    let body = Some(Shape::of::<VariableDefinition>());
    vec![
        reads::<VariablesView>(
            words(
                VIEW,
                "/api/variables",
                "listVariables",
                "The entries of configuration that are no secrets",
            ),
            vec![],
            get(variables::list),
        ),
        reads::<VariableDefinition>(
            words(VIEW, ONE, "getVariable", "One variable"),
            vec![OWNER],
            get(variables::show),
        ),
        changes(
            HttpMethod::Put,
            words(ADMIN, ONE, "putVariable", "Set a variable"),
            vec![OWNER],
            body,
            put(variables::put),
        ),
        changes(
            HttpMethod::Delete,
            words(ADMIN, ONE, "deleteVariable", "Remove a variable"),
            vec![OWNER],
            None,
            delete(variables::delete),
        ),
    ]
}

fn secret_routes() -> Vec<Route> {
    const ONE: &str = "/api/secrets/{key}";
    let body = Some(Shape::of::<SecretValue>());
    vec![
        reads::<SecretsView>(
            words(VIEW_ALL, "/api/secrets", "listSecrets", "The secrets, without their values"),
            vec![],
            get(variables::list_secrets),
        ),
        Route {
            method: HttpMethod::Post,
            path: "/api/secrets",
            operation_id: "rotateSecrets",
            summary: "Encrypt every secret with the current key",
            rule: ADMIN_ALL,
            parameters: vec![],
            body: None,
            answers: vec![json::<PlanView>(200, "those that were not")],
            handler: post(variables::rotate),
        },
        reads::<SecretView>(
            words(VIEW_ALL, ONE, "getSecret", "Whether there is a secret; its value is never shown"),
            vec![OWNER],
            get(variables::show_secret),
        ),
        changes(
            HttpMethod::Put,
            words(ADMIN_ALL, ONE, "putSecret", "Set a secret"),
            vec![OWNER],
            body,
            put(variables::put_secret),
        ),
        changes(
            HttpMethod::Delete,
            words(ADMIN_ALL, ONE, "deleteSecret", "Remove a secret"),
            vec![OWNER],
            None,
            delete(variables::delete_secret),
        ),
    ]
}

fn schedule_routes() -> Vec<Route> {
    const ONE: &str = "/api/schedules/{key}";
    let body = Some(Shape::of::<ScheduleDefinition>());
    let mut routes = vec![
        reads::<SchedulesView>(
            words(
                VIEW,
                "/api/schedules",
                "listSchedules",
                "What runs by itself, with what it did last and does next",
            ),
            vec![],
            get(schedules::list),
        ),
        reads::<ScheduleView>(words(VIEW, ONE, "getSchedule", "One schedule"), vec![], get(schedules::show)),
        reads::<TicksView>(
            words(VIEW, "/api/schedules/{key}/next", "getScheduleTicks", "The next ticks of a schedule"),
            vec![
                DocumentedParameter("count", Type::Integer, "so many, 1 to 1000"),
                DocumentedParameter("after", Type::String, "after this moment, in RFC 3339; left out, now"),
            ],
            get(schedules::next),
        ),
        Route {
            method: HttpMethod::Post,
            path: "/api/schedules/{key}/run",
            operation_id: "runSchedule",
            summary: "Run a schedule's workflow now, beside its ticks",
            rule: OPERATE,
            parameters: vec![],
            body: None,
            answers: vec![json::<AcceptedView>(202, "the execution")],
            handler: post(schedules::run),
        },
    ];
    let put_words = words(ADMIN, ONE, "putSchedule", "Define a schedule");
    routes.push(changes(HttpMethod::Put, put_words, vec![], body, put(schedules::put)));
    let delete_words = words(ADMIN, ONE, "deleteSchedule", "Remove a schedule; its executions stay");
    routes.push(changes(HttpMethod::Delete, delete_words, vec![], None, delete(schedules::delete)));
    let pause =
        words(OPERATE, "/api/schedules/{key}/pause", "pauseSchedule", "Let a schedule no longer tick");
    routes.push(changes(HttpMethod::Post, pause, vec![], None, post(schedules::pause)));
    let resume = words(OPERATE, "/api/schedules/{key}/resume", "resumeSchedule", "Let a schedule tick again");
    routes.push(changes(HttpMethod::Post, resume, vec![], None, post(schedules::resume)));
    routes
}

fn webhook_routes() -> Vec<Route> {
    const ONE: &str = "/api/webhooks/{key}";
    let body = Some(Shape::of::<WebhookDefinition>());
    let filters = vec![
        DocumentedParameter("webhook", Type::String, "of this webhook only"),
        DocumentedParameter("state", Type::String, "`pending`, `delivered` or `failed`"),
        DocumentedParameter("limit", Type::Integer, "at most so many, 1 to 1000"),
    ];
    let list = words(VIEW_ALL, "/api/webhooks", "listWebhooks", "Who is told what executions came to");
    let told = words(
        VIEW_ALL,
        "/api/deliveries",
        "listDeliveries",
        "What webhooks were told, or are to be told, newest first",
    );
    let put_words = words(ADMIN_ALL, ONE, "putWebhook", "Define a webhook");
    let delete_words = words(ADMIN_ALL, ONE, "deleteWebhook", "Remove a webhook, and what it was to be told");
    vec![
        reads::<WebhooksView>(list, vec![], get(webhooks::list)),
        reads::<WebhookDefinition>(
            words(VIEW_ALL, ONE, "getWebhook", "One webhook"),
            vec![],
            get(webhooks::show),
        ),
        changes(HttpMethod::Put, put_words, vec![], body, put(webhooks::put)),
        changes(HttpMethod::Delete, delete_words, vec![], None, delete(webhooks::delete)),
        reads::<DeliveriesView>(told, filters, get(webhooks::deliveries)),
        Route {
            method: HttpMethod::Post,
            path: "/api/webhooks/{key}/deliveries/{id}/retry",
            operation_id: "retryDelivery",
            summary: "Tell a webhook of an execution again, from the first try on",
            rule: OPERATE_ALL,
            parameters: vec![],
            body: None,
            answers: vec![json::<DeliveriesView>(200, "the delivery as it is from now on")],
            handler: post(webhooks::retry),
        },
    ]
}
