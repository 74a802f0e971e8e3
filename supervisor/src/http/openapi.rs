//! The OpenAPI document, made from the table of endpoints.

use axum::Json;
use serde_json::{Map, Value, json};

use super::routes::{Route, routes};
use super::schemas::schemas;

/// `GET /api/openapi.json`
pub(super) async fn document() -> Json<Value> {
    Json(openapi())
}

fn openapi() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation(&route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Muster",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Runs workflow executions in a pool of warm worker processes, and finalizes each exactly once."
        },
        "security": [{}, {"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas(),
        }
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route
        .parameters
        .iter()
        .map(|parameter| {
            json!({"name": parameter.0, "in": "query", "schema": {"type": parameter.1}, "description": parameter.2})
        })
        .collect();
    if route.path.contains("{id}") {
        let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}});
        parameters.insert(0, id);
    }
    let mut responses: Map<String, Value> = route
        .answers
        .iter()
        .map(|answer| {
            let mut response = json!({"description": answer.1});
            if !answer.2.is_empty() {
                let schema =
                    if answer.3.is_empty() { json!({}) } else { json!({"schema": reference(answer.3)}) };
                response["content"] = json!({answer.2: schema});
            }
            (answer.0.to_string(), response)
        })
        .collect();
    let problem = json!({
        "description": "an error",
        "content": {"application/problem+json": {"schema": reference("Problem")}}
    });
    responses.insert("default".to_owned(), problem);
    let mut operation = json!({"summary": route.summary, "responses": responses});
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if let Some(body) = route.body {
        let content = json!({"application/json": {"schema": reference(body)}});
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

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
    }

    #[test]
    fn the_document_lists_each_endpoint() {
        let document = openapi();
        let mut lines = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                lines.push(format!("{method} {path}: {}", operation["summary"].as_str().unwrap()));
            }
        }
        insta::assert_snapshot!(lines.join("\n"), @r#"
get /: The dashboard
get /api/executions: List executions, newest first
post /api/executions: Submit an execution: the body of a queue message, execution_id optional
get /api/executions/{id}: One execution
post /api/executions/{id}/cancel: Ask for an execution to end
get /api/executions/{id}/events: How an execution got where it is
get /api/executions/{id}/logs: The log of an execution; ?follow sends it live as server-sent events log, gap, status, progress and end
post /api/executions/{id}/retry: Run an execution again, as a new one with retry_of
get /api/executions/{id}/transcript: The frames of an execution that did not succeed, as lines of JSON; kept by the supervisor that ran it
get /api/openapi.json: This document
get /api/pool: What the pool and its workers are doing
post /api/pool/recycle: Replace workers, none before its replacement is ready
post /api/pool/reload: Read the settings again and roll the workers
post /api/pool/resize: Change the bounds of the pool
get /healthz: Whether the process is alive
get /metrics: Metrics for Prometheus
get /readyz: Whether it can take work (503 when not); with the token, part by part
get /ws: WebSocket: send {"subscribe": ["execution:ID", "executions", "pool"]}, get {"channel", "data"}
"#);
    }
}
