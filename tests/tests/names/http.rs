//! Endpoints with their parameters, bodies, fields and enums, from the OpenAPI document; and metrics with their labels.

use std::time::Duration;

use muster_tests::{Installation, Services, eventually};
use serde_json::{Value, json};

use crate::{Names, compare};

const SOON: Duration = Duration::from_secs(60);
const METHODS: [&str; 4] = ["delete", "get", "post", "put"];

#[test]
fn the_endpoints_and_their_fields() {
    let installation = Installation::new();
    let supervisor = installation.start();
    let document = supervisor.client().get("/api/openapi.json").body;
    let mut names = Names::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(METHODS.contains(&method.as_str()), "{method} {path}");
            endpoint(&format!("{} {path}", method.to_uppercase()), operation, &mut names);
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        fields(name, schema, &mut names);
    }
    compare("http.txt", &names);
}

fn endpoint(name: &str, operation: &Value, names: &mut Names) {
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let [place, parameter] = ["in", "name"].map(|field| parameter[field].as_str().unwrap());
        names.insert(format!("{name} {place} {parameter}"));
    }
    for (kind, body) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        names.insert(format!("{name} takes {kind}{}", schema_name(&body["schema"])));
    }
    for (status, response) in operation["responses"].as_object().unwrap() {
        names.insert(format!("{name} answers {status}"));
        for (kind, body) in response["content"].as_object().into_iter().flatten() {
            names.insert(format!("{name} answers {status} {kind}{}", schema_name(&body["schema"])));
        }
    }
}

/// The name of a schema that is referred to, after a blank.
fn schema_name(schema: &Value) -> String {
    let name = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    name.map(|name| format!(" {name}")).unwrap_or_default()
}

/// The fields of a schema and of what is in them, and the values of its enums.
fn fields(name: &str, schema: &Value, names: &mut Names) {
    if !schema_name(schema).is_empty() {
        names.insert(format!("{name} is{}", schema_name(schema)));
    }
    let values = schema["enum"].as_array().into_iter().flatten().chain(schema.get("const"));
    names.extend(values.filter_map(Value::as_str).map(|value| format!("{name} = {value}")));
    for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
        let name = format!("{name}.{field}");
        names.insert(name.clone());
        fields(&name, schema, names);
    }
    if let Some(items) = schema.get("items") {
        fields(&format!("{name}[]"), items, names);
    }
    for schema in ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|of| schema[of].as_array()).flatten() {
        fields(name, schema, names);
    }
}

#[test]
fn the_metrics() {
    let backends = Services::shared().fresh();
    let installation =
        Installation::new().backends(&backends).workflow("done.js", "export default async () => 1;\n");
    let supervisor = installation.start();
    let client = supervisor.client();
    assert_eq!(client.put("/api/limits/crm", &json!({ "total": 2 })).status, 200);
    client.finished(&client.submit(&json!({ "workflow": "done", "limits": ["crm"] })), SOON);
    let seen = ["muster_broker_messages{", "muster_limit_running{", "muster_share_worker_seconds_total{"];
    let text = eventually("each kind of series is there", SOON, || {
        let text = client.get("/metrics").body;
        seen.iter().all(|series| text.as_str().unwrap().contains(series)).then_some(text)
    });
    let mut names = Names::new();
    for line in text.as_str().unwrap().lines() {
        match line.strip_prefix("# ") {
            Some(comment) => names.extend(comment.strip_prefix("TYPE ").map(ToOwned::to_owned)),
            None => drop(names.insert(series(line))),
        }
    }
    compare("metrics.txt", &names);
}

/// `muster_ready{part="store"} 1` is `muster_ready{part}`.
fn series(line: &str) -> String {
    let Some((name, labels)) = line.split_once('{') else {
        return line.split(' ').next().unwrap_or_default().to_owned();
    };
    let (labels, _) = labels.rsplit_once('}').unwrap();
    let keys: Vec<_> = labels.split("\",").filter_map(|label| label.split('=').next()).collect();
    format!("{name}{{{}}}", keys.join(","))
}
