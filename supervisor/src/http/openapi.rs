//! The OpenAPI document, made from a table of endpoints and the types they take and give.

use muster_core::access::{AccessRule, Reach};
use utoipa::openapi::extensions::{Extensions, ExtensionsBuilder};
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, Paths};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Required, Response, ResponseBuilder,
    SecurityRequirement,
};

use super::route::{DocumentedParameter, DocumentedResponse, JSON, Route};
use super::shape::{NamedSchemas, Shape};
use crate::api::ProblemView;

const DESCRIPTION: &str =
    "Runs workflow executions in a pool of warm worker processes, and finalizes each exactly once.";
/// What every endpoint answers when it cannot do what it is asked.
const PROBLEM: Shape = Shape::of::<ProblemView>();

/// The document that describes these endpoints.
pub(super) fn openapi(routes: Vec<Route>) -> OpenApi {
    let (mut paths, mut schemas) = (Paths::new(), NamedSchemas::new());
    PROBLEM.collect(&mut schemas);
    for route in routes {
        let shapes = route.answers.iter().filter_map(|answer| answer.shape).chain(route.body);
        shapes.for_each(|shape| shape.collect(&mut schemas));
        let (path, method) = (route.documented_path(), route.method.clone());
        paths.add_path_operation(path, vec![method], operation(route));
    }
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let components =
        ComponentsBuilder::new().security_scheme("bearer", bearer).schemas_from_iter(schemas).build();
    let info = InfoBuilder::new()
        .title("Muster")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .build();
    let no_scopes: [&str; 0] = [];
    let security = [SecurityRequirement::default(), SecurityRequirement::new("bearer", no_scopes)];
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components))
        .security(Some(security))
        .build()
}

fn operation(route: Route) -> Operation {
    let path = route.documented_path();
    let id = if path.contains("{id}") { Some(path_id()) } else { path_name(&path) };
    let parameters: Vec<Parameter> =
        id.into_iter().chain(route.parameters.iter().map(query_parameter)).collect();
    let body = route.body.map(|shape| {
        let content = Content::new(Some(shape.reference()));
        RequestBodyBuilder::new().content(JSON, content).required(Some(Required::True)).build()
    });
    let operation = OperationBuilder::new()
        .operation_id(Some(route.operation_id))
        .summary(Some(route.summary))
        .parameters((!parameters.is_empty()).then_some(parameters))
        .request_body(body)
        .extensions(Some(needed(route.rule)));
    let operation = route
        .answers
        .iter()
        .fold(operation, |operation, answer| operation.response(answer.status.to_string(), response(answer)));
    let problem = Content::new(Some(PROBLEM.reference()));
    let problem = ResponseBuilder::new().description("an error").content("application/problem+json", problem);
    operation.response("default", problem).build()
}

/// What the caller needs, for whoever generates clients or reads: `x-muster-role` is the smallest role that will do, or
/// `none`; with `x-muster-organization` a token that is bound to an organization will, and has what is of that one.
fn needed(rule: AccessRule) -> Extensions {
    let (role, of_one) = match rule {
        AccessRule::Open => ("none", true),
        AccessRule::Needs(role, Reach::Organization) => (role.as_str(), true),
        AccessRule::Needs(role, Reach::Fleet) => (role.as_str(), false),
    };
    ExtensionsBuilder::new().add("x-muster-role", role).add("x-muster-organization", of_one).build()
}

fn path_id() -> Parameter {
    let uuid = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
    ParameterBuilder::new()
        .name("id")
        .parameter_in(ParameterIn::Path)
        .description(Some("the execution's id, or at least six of its first digits, as many as no other has"))
        .schema(Some(uuid))
        .build()
}

/// The parameter of a path that has the name of a thing.
fn path_name(path: &str) -> Option<Parameter> {
    let name = path.rsplit_once('{')?.1.split('}').next()?;
    let text = ObjectBuilder::new().schema_type(Type::String);
    let meaning = "how it is called; encode what an address does not take";
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path);
    Some(parameter.description(Some(meaning)).schema(Some(text)).build())
}

fn query_parameter(parameter: &DocumentedParameter) -> Parameter {
    let is_header = parameter.is_header();
    let DocumentedParameter(name, kind, meaning) = parameter;
    ParameterBuilder::new()
        .name(*name)
        .parameter_in(if is_header { ParameterIn::Header } else { ParameterIn::Query })
        .description(Some(*meaning))
        .schema(Some(ObjectBuilder::new().schema_type(kind.clone())))
        .build()
}

fn response(answer: &DocumentedResponse) -> Response {
    let response = ResponseBuilder::new().description(answer.meaning);
    let Some(media_type) = answer.media_type else { return response.build() };
    response.content(media_type, Content::new(answer.shape.map(Shape::reference))).build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::super::routes::routes;

    fn openapi() -> Value {
        serde_json::to_value(super::openapi(routes())).unwrap()
    }

    /// Every `$ref` in the document.
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            found.insert(reference.rsplit('/').next().unwrap().to_owned());
        }
        match value {
            Value::Object(fields) => fields.values().for_each(|value| references(value, found)),
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_schema_is_used() {
        let document = openapi();
        let mut referenced = BTreeSet::new();
        references(&document, &mut referenced);
        let defined: BTreeSet<String> =
            document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(referenced, defined);
        // So comes out what is `inline` and has a comment of its own: a text that is an object too.
        assert!(!document.to_string().contains("allOf"));
    }

    #[test]
    fn the_document_lists_each_endpoint() {
        let document = openapi();
        let mut lines = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let [id, summary] =
                    ["operationId", "summary"].map(|field| operation[field].as_str().unwrap());
                lines.push(format!("{id} {method} {path}: {summary}"));
            }
        }
        insta::assert_snapshot!(lines.join("\n"), @r#"
getDashboard get /: The dashboard
getAccess get /api/access: Who asks, and what they may do
listChanges get /api/changes: Who changed what is defined, newest first
listDeadLetters get /api/dead-letters: Messages of RabbitMQ that could not be used, the oldest first
purgeDeadLetters post /api/dead-letters/purge: Throw dead letters away
replayDeadLetters post /api/dead-letters/replay: Put dead letters back into the queue, one of them as another message
getDefinitions get /api/definitions: All that is defined but secrets, to be given to applyDefinitions
applyDefinitions post /api/definitions: Make what is defined match all of this, all or nothing
listDeliveries get /api/deliveries: What webhooks were told, or are to be told, newest first
listExecutions get /api/executions: List executions, newest first
submitExecution post /api/executions: Submit an execution: the body of a queue message, execution_id optional
submitBatch post /api/executions/batch: Submit up to 10,000 executions: a JSON array, or a line of JSON for each; one answer for each
cancelExecutions post /api/executions/cancel: Cancel the executions that all of this is true of, some at a time; or only count them
retryExecutions post /api/executions/retry: Run the executions again that all of this is true of, each once, some at a time; or only count them
getExecution get /api/executions/{id}: One execution
cancelExecution post /api/executions/{id}/cancel: Ask for an execution to end
getExecutionEvents get /api/executions/{id}/events: How an execution got where it is
explainExecution get /api/executions/{id}/explain: Why an execution does not run yet, where it runs, or how it ended
getExecutionLogs get /api/executions/{id}/logs: The log of an execution; ?follow sends it live as server-sent events log, gap, status, progress and end
retryExecution post /api/executions/{id}/retry: Run an execution again, as a new one with retry_of
getExecutionTranscript get /api/executions/{id}/transcript: The frames of an execution that did not succeed, as lines of JSON; kept by the supervisor that ran it
getFleet get /api/fleet: Every supervisor on the database: who it is, whether it lives, what it does
getHistory get /api/history: What all supervisors noted of the last hour, day or week, in steps: ends, run times, waits, workers, whose they were
listLimits get /api/limits: How many executions may run at once, and how full that is
deleteLimit delete /api/limits/{name}: Remove a limit, and let go what waits for it
getLimit get /api/limits/{name}: One limit
putLimit put /api/limits/{name}: Set what a limit allows, from the next claim on
getOpenApi get /api/openapi.json: This document
listOrganizations get /api/organizations: The organizations
deleteOrganization delete /api/organizations/{key}: Remove an organization that has nothing left
getOrganization get /api/organizations/{key}: One organization, by its key or id
putOrganization put /api/organizations/{key}: Define an organization
listPauses get /api/pauses: What is paused, by whom and why
resume delete /api/pauses/{target}: Let it start again, in its order
pause put /api/pauses/{target}: Let nothing start of all, queue:NAME, workflow:NAME or organization:KEY; what runs goes on
getPool get /api/pool: What the pool and its workers are doing
recyclePool post /api/pool/recycle: Replace workers, none before its replacement is ready
reloadPool post /api/pool/reload: Read the settings again and roll the workers
resizePool post /api/pool/resize: Change the bounds of the pool
prune post /api/prune: Remove executions that ended long ago, with their logs and events: as many as go in a moment
getReport get /api/report: How the fleet is: flow, execution and servers, each with what it is judged by and what to do next
listSchedules get /api/schedules: What runs by itself, with what it did last and does next
deleteSchedule delete /api/schedules/{key}: Remove a schedule; its executions stay
getSchedule get /api/schedules/{key}: One schedule
putSchedule put /api/schedules/{key}: Define a schedule
getScheduleTicks get /api/schedules/{key}/next: The next ticks of a schedule
pauseSchedule post /api/schedules/{key}/pause: Let a schedule no longer tick
resumeSchedule post /api/schedules/{key}/resume: Let a schedule tick again
runSchedule post /api/schedules/{key}/run: Run a schedule's workflow now, beside its ticks
listSecrets get /api/secrets: The secrets, without their values
rotateSecrets post /api/secrets: Encrypt every secret with the current key
deleteSecret delete /api/secrets/{key}: Remove a secret
getSecret get /api/secrets/{key}: Whether there is a secret; its value is never shown
putSecret put /api/secrets/{key}: Set a secret
getStatistics get /api/statistics: How many executions of each workflow ended lately, how, and how long they ran
listTokens get /api/tokens: Who is let in beside the holder of http_token
createToken post /api/tokens: Make a token; what its holder shows is told this once
deleteToken delete /api/tokens/{key}: Remove a token: nobody is let in with it from then on
rotateToken post /api/tokens/{key}/rotate: Give a token another secret; the one before counts no more, or for an overlap
listVariables get /api/variables: The entries of configuration that are no secrets
deleteVariable delete /api/variables/{key}: Remove a variable
getVariable get /api/variables/{key}: One variable
putVariable put /api/variables/{key}: Set a variable
listWebhooks get /api/webhooks: Who is told what executions came to
deleteWebhook delete /api/webhooks/{key}: Remove a webhook, and what it was to be told
getWebhook get /api/webhooks/{key}: One webhook
putWebhook put /api/webhooks/{key}: Define a webhook
retryDelivery post /api/webhooks/{key}/deliveries/{id}/retry: Tell a webhook of an execution again, from the first try on
getWorkflows get /api/workflows: What the code of this supervisor's workers declares of its workflows, the files that cannot be loaded, and what is defined of workflows
deleteWorkflow delete /api/workflows/{name}: Remove what is defined of a workflow
getWorkflow get /api/workflows/{name}: What is defined of a workflow
putWorkflow put /api/workflows/{name}: Define a workflow: what is left out is not defined from then on
getHealth get /healthz: Whether the process is alive
getMetrics get /metrics: Metrics for Prometheus
getReadiness get /readyz: Whether it can take work (503 when not); with the token, part by part
openWebSocket get /ws: WebSocket: send {"subscribe": ["execution:ID", "executions", "pool"]}, get {"channel", "data"}
"#);
    }
}
