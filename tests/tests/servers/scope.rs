//! Whose state, configuration and children a run has: decided once, and the same for reading and for writing, on
//! both stores.

use muster_tests::{Installation, TestSupervisor};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{SOON, World};

const COUNTER: &str = "export default async (params, ctx) => {
  const runs = (await ctx.state.get('runs') ?? 0) + 1;
  await ctx.state.set('runs', runs);
  const child = await ctx.submit('own', {});
  return { runs, region: await ctx.config.get('region'), child: child.execution_id ?? child };
};\n";
const OWN: &str =
    "export default async (params, ctx) => [ctx.organization.id, await ctx.state.get('runs')];\n";
const PEEK: &str = "export default async (params, ctx) => await ctx.state.get('runs');\n";

fn with_workflows(installation: Installation) -> Installation {
    let files = [("acme/counter.js", COUNTER), ("acme/own.js", OWN), ("peek.js", PEEK)];
    files.into_iter().fold(installation, |installation, (file, text)| installation.workflow(file, text))
}

/// A workflow of organization A is run by callers of no organization and of another: the state, the configuration
/// and the children are A's, and nobody else's.
#[track_caller]
fn one_scope(supervisor: &TestSupervisor, sql: impl Fn(&str)) {
    let [acme, other, counter, own] = [(); 4].map(|()| Uuid::now_v7().to_string());
    sql(&format!(
        "INSERT INTO workflows (id, name, path, organization_id) VALUES
            ('{counter}', 'counter', 'acme/counter.js', '{acme}'), ('{own}', 'own', 'acme/own.js', '{acme}');
         INSERT INTO config_entries (organization_id, key, value) VALUES ('{acme}', 'region', '\"north\"')"
    ));
    let client = supervisor.client();
    let run = |request: Value| {
        let row = client.finished(&client.submit(&request), SOON);
        assert_eq!(row["status"], "SUCCESS", "{request}: {row}");
        row["result"].clone()
    };
    let callers = [json!(null), json!(other), json!(acme), json!(null)];
    for (runs, caller) in (1..).zip(&callers) {
        let mut request = json!({ "workflow_id": counter });
        if let Some(caller) = caller.as_str() {
            request["organization_id"] = caller.into();
        }
        let result = run(request);
        assert_eq!((&result["runs"], &result["region"]), (&json!(runs), &json!("north")), "of {caller}");
        let child = client.finished(result["child"].as_str().unwrap(), SOON);
        assert_eq!(child["result"], json!([acme, runs]), "the child of a run of {caller}: {child}");
    }
    let seen = |organization: &Value| run(json!({ "workflow": "peek", "organization_id": organization }));
    assert_eq!(seen(&json!(acme)), 4);
    assert_eq!(seen(&json!(other)), Value::Null, "another organization's");
    assert_eq!(run(json!({ "workflow": "peek" })), Value::Null, "the global scope, which is open to all");
}

#[test]
fn a_workflow_with_an_organization_has_its_scope_whoever_calls_it() {
    let mut world = World::shared();
    let installation = with_workflows(world.installation());
    let supervisor = installation.start();
    one_scope(&supervisor, |sql| world.record.execute(sql));
    let scopes = world.record.select("SELECT DISTINCT organization_id FROM state_entries");
    assert_eq!(scopes.len(), 1, "{scopes:?}");
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_workflow_with_an_organization_has_its_scope_on_the_embedded_store() {
    let installation = with_workflows(Installation::new());
    let supervisor = installation.start();
    one_scope(&supervisor, |sql| installation.embedded_sql(sql));
}
