//! Who may do what: each endpoint with each role, and what is kept from whoever is bound to one organization.

use std::time::Duration;

use jiff::Timestamp;
use muster_core::access::{AccessRule, Reach, Role, RoleGrant, Touched, decide};
use muster_core::execution::Status;
use muster_store::{NewToken, PauseTarget, TokenStore};
use serde_json::{Value, json};
use utoipa::openapi::path::HttpMethod;
use uuid::Uuid;

use super::served::{TestServer, raw, serve};
use crate::access::{Caller, Credential, hash_of, make_token};
use crate::api::{ServiceError, VariableDefinition};
use crate::definitions::{DefinitionEdit, DefinitionWish, EditError, edit};
use crate::http::openapi::openapi;
use crate::http::routes::routes;
use crate::secret_keys::SecretKeys;

use secrecy::ExposeSecret as _;

/// The token of the settings.
const MAIN: &str = "s3cret";
/// What everything is called that is of another organization, or of none.
const THEIRS: &str = "theirs";
/// Stands in all that is said of it.
const MARK: &str = "not-of-acme";
/// The organizations.
pub(super) const ACME: Uuid = Uuid::from_u128(0xac3e);
pub(super) const OTHER: Uuid = Uuid::from_u128(0x07e3);

/// Makes a token that counts from now on.
pub(super) async fn token(served: &TestServer, name: &str, grant: RoleGrant) -> String {
    let secret = make_token();
    let RoleGrant { role, organization_id } = grant;
    let hash = hash_of(secret.expose_secret());
    let name = name.to_owned();
    let new = NewToken { id: Uuid::now_v7(), name, role, organization_id, hash, expires_at: None };
    served.store.create_token(&new, "the test").await.unwrap().unwrap();
    served.api.access.tokens.learn(&*served.store).await.unwrap();
    secret.expose_secret().to_owned()
}

/// What is answered to whoever shows this: the status and all of it.
async fn ask(served: &TestServer, token: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let answer = raw(served, method, path, body, &format!("authorization: Bearer {token}\r\n")).await;
    (answer[..3].parse().unwrap(), answer)
}

fn verb(method: &HttpMethod) -> String {
    let name = serde_json::to_value(method).unwrap();
    name.as_str().unwrap().to_uppercase()
}

/// A path that leads somewhere, or nowhere.
fn target(path: &str) -> String {
    path.replace("{id}", &Uuid::nil().to_string()).replace(['{', '}', '*'], "")
}

#[test]
fn what_each_endpoint_asks_for() {
    let line = |method: &HttpMethod, path: &str, rule: AccessRule| match rule {
        AccessRule::Open => format!("{:6} {path}: open", verb(method)),
        AccessRule::Needs(role, Reach::Organization) => format!("{:6} {path}: {role}", verb(method)),
        AccessRule::Needs(role, Reach::Fleet) => format!("{:6} {path}: {role} of everything", verb(method)),
    };
    let lines: Vec<String> =
        routes().iter().map(|route| line(&route.method, &route.documented_path(), route.rule)).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
POST   /api/executions: operate
POST   /api/executions/batch: operate
POST   /api/executions/cancel: operate
POST   /api/executions/retry: operate
GET    /api/executions: view
GET    /api/statistics: view
GET    /api/executions/{id}: view
GET    /api/executions/{id}/logs: view
GET    /api/executions/{id}/events: view
GET    /api/executions/{id}/explain: view
GET    /api/executions/{id}/transcript: view
POST   /api/executions/{id}/cancel: operate
POST   /api/executions/{id}/retry: operate
GET    /api/fleet: view of everything
GET    /api/report: view of everything
GET    /api/history: view of everything
GET    /api/dead-letters: view of everything
POST   /api/dead-letters/replay: operate of everything
POST   /api/dead-letters/purge: admin of everything
GET    /api/pool: view of everything
POST   /api/pool/resize: operate of everything
POST   /api/pool/recycle: operate of everything
POST   /api/pool/reload: operate of everything
GET    /api/workflows: view
GET    /api/workflows/{name}: view
PUT    /api/workflows/{name}: admin
DELETE /api/workflows/{name}: admin
GET    /api/organizations: view
GET    /api/organizations/{key}: view
PUT    /api/organizations/{key}: admin of everything
DELETE /api/organizations/{key}: admin of everything
GET    /api/variables: view
GET    /api/variables/{key}: view
PUT    /api/variables/{key}: admin
DELETE /api/variables/{key}: admin
GET    /api/secrets: view of everything
POST   /api/secrets: admin of everything
GET    /api/secrets/{key}: view of everything
PUT    /api/secrets/{key}: admin of everything
DELETE /api/secrets/{key}: admin of everything
GET    /api/schedules: view
GET    /api/schedules/{key}: view
GET    /api/schedules/{key}/next: view
POST   /api/schedules/{key}/run: operate
PUT    /api/schedules/{key}: admin
DELETE /api/schedules/{key}: admin
POST   /api/schedules/{key}/pause: operate
POST   /api/schedules/{key}/resume: operate
GET    /api/webhooks: view of everything
GET    /api/webhooks/{key}: view of everything
PUT    /api/webhooks/{key}: admin of everything
DELETE /api/webhooks/{key}: admin of everything
GET    /api/deliveries: view of everything
POST   /api/webhooks/{key}/deliveries/{id}/retry: operate of everything
POST   /api/prune: admin of everything
GET    /api/definitions: view of everything
POST   /api/definitions: admin of everything
GET    /api/changes: view of everything
GET    /api/limits: view of everything
GET    /api/limits/{name}: view of everything
PUT    /api/limits/{name}: admin of everything
DELETE /api/limits/{name}: admin of everything
GET    /api/pauses: view
PUT    /api/pauses/{target}: operate
DELETE /api/pauses/{target}: operate
GET    /api/access: view
GET    /api/tokens: admin of everything
POST   /api/tokens: admin of everything
POST   /api/tokens/{key}/rotate: admin of everything
DELETE /api/tokens/{key}: admin of everything
GET    /ws: view
GET    /healthz: open
GET    /readyz: open
GET    /metrics: view of everything
GET    /api/openapi.json: view
GET    /: open
"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_endpoint_lets_in_whom_its_rule_says_and_nobody_else() {
    let served = serve(Some(MAIN)).await;
    let mut holders = vec![(MAIN.to_owned(), Some(RoleGrant::ADMIN)), ("none".to_owned(), None)];
    for role in Role::ALL {
        for organization_id in [None, Some(ACME)] {
            let grant = RoleGrant { role, organization_id };
            let name = format!("{role}-{}", organization_id.is_some());
            holders.push((token(&served, &name, grant).await, Some(grant)));
        }
    }
    let document = serde_json::to_value(openapi(routes())).unwrap();
    let (mut asked, mut refused) = (0, 0);
    for route in routes() {
        let (method, path) = (verb(&route.method), target(&route.documented_path()));
        let documented = &document["paths"][route.documented_path()][method.to_lowercase()];
        assert!(documented["x-muster-role"].is_string(), "{method} {path}");
        for (secret, grant) in &holders {
            let (status, answer) = ask(&served, secret, &method, &path, "{}").await;
            let expected = decide(*grant, route.rule, Touched::Unknown);
            let status = (status == 401 || status == 403).then_some(status);
            let wanted = match (&expected, grant) {
                (Ok(()), _) => None,
                (Err(_), None) => Some(401),
                (Err(_), Some(_)) => Some(403),
            };
            assert_eq!(status, wanted, "{method} {path} as {grant:?}: {answer}");
            if let (Err(refusal), Some(_)) = (expected, grant) {
                assert!(answer.contains(&refusal.to_string()), "{method} {path}: {answer}");
            }
            asked += 1;
            refused += u32::from(wanted.is_some());
        }
    }
    assert!(asked > 400 && refused > 150 && refused < asked, "{refused} of {asked}");
    // And what is no endpoint.
    for (method, path) in [("GET", "/api/nothing"), ("DELETE", "/api/executions"), ("POST", "/healthz")] {
        assert_eq!(ask(&served, "none", method, path, "").await.0, 401, "{method} {path}");
    }
}

/// What one organization has, and the other.
pub(super) struct World {
    pub(super) served: TestServer,
    /// An execution of each.
    pub(super) ours: Uuid,
    pub(super) theirs: Uuid,
    /// An execution of nobody in particular.
    pub(super) nobodys: Uuid,
    /// What the row of a workflow of theirs is called by.
    their_workflow: Uuid,
}

pub(super) async fn admin(served: &TestServer, method: &str, path: &str, body: Value) -> String {
    let (status, answer) = ask(served, MAIN, method, path, &body.to_string()).await;
    assert!((200..300).contains(&status), "{method} {path}: {answer}");
    answer
}

fn id_in(answer: &str) -> Uuid {
    let answer: Value =
        serde_json::from_str(answer.split_once('{').map(|(_, rest)| format!("{{{rest}")).unwrap().as_str())
            .unwrap();
    answer["execution_id"].as_str().unwrap().parse().unwrap()
}

pub(super) async fn world() -> World {
    let served = serve(Some(MAIN)).await;
    for (key, id, name) in [("acme", ACME, "Acme"), (THEIRS, OTHER, MARK)] {
        admin(&served, "PUT", &format!("/api/organizations/{key}"), json!({ "id": id, "name": name })).await;
    }
    let submit = async |workflow: &str, organization: Option<Uuid>| {
        let of = json!({ "of": workflow });
        let request = json!({ "workflow": workflow, "organization_id": organization, "parameters": of });
        id_in(&admin(&served, "POST", "/api/executions", request).await)
    };
    let (ours, theirs, nobodys) =
        (submit("ours", Some(ACME)).await, submit(MARK, Some(OTHER)).await, submit(MARK, None).await);
    let of = format!("?organization={THEIRS}");
    admin(&served, "PUT", &format!("/api/variables/{THEIRS}{of}"), json!({ "value": MARK })).await;
    admin(&served, "PUT", "/api/variables/everybodys", json!({ "value": MARK })).await;
    admin(&served, "PUT", &format!("/api/workflows/{THEIRS}{of}"), json!({ "queue": MARK })).await;
    let schedule = json!({ "workflow": MARK, "cron": "0 4 * * *", "organization": THEIRS });
    admin(&served, "PUT", &format!("/api/schedules/{THEIRS}"), schedule).await;
    admin(&served, "PUT", &format!("/api/limits/{MARK}"), json!({ "total": 1 })).await;
    let pause = format!("/api/pauses/organization:{THEIRS}");
    admin(&served, "PUT", &pause, json!({ "why": MARK })).await;
    let webhook = json!({ "url": format!("https://{MARK}.example/") });
    admin(&served, "PUT", &format!("/api/webhooks/{THEIRS}"), webhook).await;
    let definitions = served.store.definitions().await.unwrap();
    let their_workflow = definitions.workflows.iter().find(|row| row.name == THEIRS).unwrap().id;
    World { served, ours, theirs, nobodys, their_workflow }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_organization_is_shown_or_done_by_any_endpoint() {
    let world = world().await;
    let served = &world.served;
    let mut asked = 0;
    for role in Role::ALL {
        let grant = RoleGrant { role, organization_id: Some(ACME) };
        let secret = token(served, &format!("bound-{role}"), grant).await;
        for route in routes() {
            let (method, path) = (verb(&route.method), route.documented_path());
            let ids = [
                world.theirs.to_string(),
                world.nobodys.to_string(),
                world.theirs.to_string()[..13].to_owned(),
            ];
            for id in ids {
                for name in [THEIRS, "acme"] {
                    let path = path.replace("{id}", &id);
                    let path = path.replace("{target}", &format!("organization:{name}"));
                    let path = path.split('/').map(|part| if part.starts_with('{') { name } else { part });
                    let path = path.collect::<Vec<_>>().join("/");
                    for query in ["", "?organization=theirs", "?id=000000"] {
                        if query.contains('?') && !method.eq("GET") {
                            continue;
                        }
                        let (status, answer) =
                            ask(served, &secret, &method, &format!("{path}{query}"), "{}").await;
                        asked += 1;
                        // What was asked for may be said to be not there, or not allowed; all else is a leak.
                        let is_refusal = (400..500).contains(&status);
                        assert!(
                            is_refusal
                                || !answer.contains(MARK) && !answer.contains(&world.theirs.to_string()),
                            "{method} {path}{query} as {role}: {answer}"
                        );
                        assert!(!answer.contains("\"of\""), "{method} {path}{query}: {answer}");
                    }
                }
            }
        }
    }
    assert!(asked > 1000, "{asked}");
    for id in [world.theirs, world.nobodys] {
        let row = served.store.execution(id).await.unwrap().unwrap();
        assert_eq!((row.status, row.cancel_requested_at), (Status::Pending, None));
    }
    let definitions = served.store.definitions().await.unwrap();
    assert!(definitions.schedules.iter().any(|one| one.name == THEIRS && !one.is_paused));
    assert!(definitions.workflows.iter().any(|one| one.organization_id == Some(OTHER)));
    assert!(definitions.organizations.iter().any(|one| one.id == OTHER));
    assert_eq!(definitions.config.iter().filter(|one| one.value.get().contains(MARK)).count(), 2);
    let pauses = served.store.pauses().await.unwrap();
    assert!(pauses.iter().any(|pause| pause.target == PauseTarget::Organization(OTHER)));
    // A selection that says nothing is passed on as it is, and refused where it would be carried out.
    let told = served.stand.commands.lock().unwrap().clone();
    assert!(
        told.iter().all(|told| told.starts_with("cancel Sel") || told.starts_with("retry Sel")),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_their_organization_they_see_and_do() {
    let World { served, ours, .. } = world().await;
    let grant = RoleGrant { role: Role::Admin, organization_id: Some(ACME) };
    let secret = token(&served, "acme-admin", grant).await;
    let own = async |method: &str, path: &str, body: Value| {
        let (status, answer) = ask(&served, &secret, method, path, &body.to_string()).await;
        assert!((200..300).contains(&status), "{method} {path}: {answer}");
        answer
    };
    assert!(own("GET", "/api/executions", json!({})).await.contains(&ours.to_string()));
    assert!(own("GET", &format!("/api/executions/{ours}"), json!({})).await.contains("\"of\""));
    own("GET", &format!("/api/executions/{ours}/events"), json!({})).await;
    let made = id_in(&own("POST", "/api/executions", json!({ "workflow": "w" })).await);
    let row = served.store.execution(made).await.unwrap().unwrap();
    assert_eq!(row.organization_id, Some(ACME), "what says nothing is theirs");
    own("PUT", "/api/variables/color", json!({ "value": "red" })).await;
    own("PUT", "/api/schedules/nightly", json!({ "workflow": "w", "cron": "0 4 * * *" })).await;
    own("POST", "/api/schedules/nightly/pause", json!({})).await;
    own("PUT", "/api/pauses/organization:acme", json!({})).await;
    let definitions = served.store.definitions().await.unwrap();
    let variable = definitions.config.iter().find(|row| row.key == "color").unwrap();
    let schedule = definitions.schedules.iter().find(|row| row.name == "nightly").unwrap();
    assert_eq!((variable.organization_id, schedule.organization_id), (Some(ACME), Some(ACME)));
    own("POST", "/api/executions/cancel", json!({ "workflow": "w" })).await;
    let told = served.stand.commands.lock().unwrap().join("\n");
    assert!(told.contains(&format!("organization: Some(\"{ACME}\")")), "{told}");
    let who = own("GET", "/api/access", json!({})).await;
    assert!(who.contains("\"role\":\"admin\",\"organization\":\"acme\""), "{who}");
    let changes = admin(&served, "GET", "/api/changes", json!({})).await;
    assert!(changes.contains("token acme-admin from 127.0.0.1"), "{changes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_submits_in_the_name_of_another_organization() {
    let World { served, theirs, their_workflow, .. } = world().await;
    let grant = RoleGrant { role: Role::Operate, organization_id: Some(ACME) };
    let secret = token(&served, "acme-ci", grant).await;
    let refused = [
        (403, json!({ "workflow": "w", "organization_id": OTHER })),
        (403, json!({ "workflow_id": their_workflow })),
        (409, json!({ "workflow": MARK, "execution_id": theirs })),
    ];
    for (expected, request) in &refused {
        let (status, answer) = ask(&served, &secret, "POST", "/api/executions", &request.to_string()).await;
        assert_eq!(status, *expected, "{answer}");
    }
    let mut items: Vec<Value> = refused.iter().map(|(_, request)| request.clone()).collect();
    items.insert(1, json!({ "workflow": "w" }));
    items.push(json!({ "workflow": "w", "priority": 12 }));
    let (_, answer) =
        ask(&served, &secret, "POST", "/api/executions/batch", &Value::Array(items).to_string()).await;
    let answer: Value = serde_json::from_str(answer.splitn(3, ' ').nth(2).unwrap()).unwrap();
    let statuses: Vec<Option<u64>> = answer["executions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["problem"]["status"].as_u64())
        .collect();
    assert_eq!(statuses, [Some(403), None, Some(403), Some(409), Some(400)]);
    let own =
        served.store.execution(answer["executions"][1]["execution_id"].as_str().unwrap().parse().unwrap());
    assert_eq!(own.await.unwrap().unwrap().organization_id, Some(ACME));
}

/// Is not there, and as long as [`THEIRS`].
const NOT_THERE: &str = "nobody";

/// What is answered to a question that names [`THEIRS`], and to the same about what is not there, both without the name.
async fn both(world: &World, secret: &str, method: &str, path: &str, body: &Value) -> [(u16, String); 2] {
    let their_workflow = world.their_workflow.to_string();
    let nowhere = Uuid::from_u128(1).to_string();
    let mut answers = Vec::new();
    for (name, workflow) in [(THEIRS, &their_workflow), (NOT_THERE, &nowhere)] {
        let body = body.to_string().replace("NAME", name).replace("WORKFLOW", workflow);
        let (status, answer) = ask(&world.served, secret, method, &path.replace("NAME", name), &body).await;
        answers.push((status, answer.replace(name, "NAME").replace(workflow, "WORKFLOW")));
    }
    answers.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_what_is_there_of_other_organizations() {
    let world = world().await;
    let grant = RoleGrant { role: Role::Admin, organization_id: Some(ACME) };
    let secret = token(&world.served, "acme-admin", grant).await;
    let of_them = json!({ "organization": "NAME" });
    let schedule = json!({ "workflow": "w", "cron": "0 4 * * *", "organization": "NAME" });
    let (none, mut told) = (json!({}), Vec::new());
    for (expected, method, path, body) in [
        (403, "GET", "/api/executions?organization=NAME", &none),
        (403, "GET", "/api/statistics?organization=NAME", &none),
        (403, "POST", "/api/executions/cancel", &of_them),
        (403, "POST", "/api/executions/retry", &of_them),
        (403, "POST", "/api/executions", &json!({ "workflow_id": "WORKFLOW" })),
        (403, "PUT", "/api/pauses/organization:NAME", &none),
        (403, "DELETE", "/api/pauses/organization:NAME", &none),
        (403, "PUT", "/api/schedules/ours", &schedule),
        (403, "PUT", "/api/workflows/ours?organization=NAME", &none),
        (403, "DELETE", "/api/workflows/ours?organization=NAME", &none),
        (403, "PUT", "/api/variables/ours?organization=NAME", &json!({ "value": 1 })),
        (403, "DELETE", "/api/variables/ours?organization=NAME", &none),
        (404, "GET", "/api/workflows/NAME?organization=NAME", &none),
        (404, "DELETE", "/api/workflows/NAME", &none),
        (404, "GET", "/api/variables/NAME?organization=NAME", &none),
        (404, "DELETE", "/api/variables/NAME", &none),
        (404, "GET", "/api/organizations/NAME", &none),
        (404, "GET", "/api/schedules/NAME", &none),
        (404, "GET", "/api/schedules/NAME/next", &none),
        (404, "POST", "/api/schedules/NAME/run", &none),
        (404, "POST", "/api/schedules/NAME/pause", &none),
        (404, "POST", "/api/schedules/NAME/resume", &none),
        (404, "DELETE", "/api/schedules/NAME", &none),
        (404, "DELETE", "/api/schedules/NAMEs", &none),
    ] {
        let [theirs, nobodys] = both(&world, &secret, method, path, body).await;
        let is_hinted = theirs.1.contains("did you mean");
        if theirs != nobodys || theirs.0 != expected || is_hinted {
            told.push(format!(
                "{expected} {method} {path}: {theirs:?}, and of what is not there {nobodys:?}"
            ));
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_or_an_id_that_another_organization_has_is_taken_and_no_more_is_said() {
    let world = world().await;
    let served = &world.served;
    let grant = RoleGrant { role: Role::Admin, organization_id: Some(ACME) };
    let secret = token(served, "acme-admin", grant).await;
    let definitions = served.store.definitions().await.unwrap();
    let their_schedule = definitions.schedules.iter().find(|one| one.name == THEIRS).unwrap().id;
    let schedule = |id: Option<Uuid>| json!({ "workflow": "w", "cron": "0 4 * * *", "id": id });
    for (path, body) in [
        ("/api/schedules/theirs", schedule(None)),
        ("/api/schedules/theirs?dry_run", schedule(None)),
        ("/api/schedules/ours", schedule(Some(their_schedule))),
        ("/api/workflows/ours", json!({ "id": world.their_workflow })),
    ] {
        let (status, answer) = ask(served, &secret, "PUT", path, &body.to_string()).await;
        assert!(status == 409 && answer.contains("is taken: "), "{path}: {answer}");
        let said = answer.replace("/api/schedules/theirs", "").replace("the name \\\"theirs\\\"", "");
        assert!(!said.contains(THEIRS) && !said.contains(MARK), "{path}: {answer}");
    }
    assert_eq!(served.store.definitions().await.unwrap().version, definitions.version);
    // And what they call their own they may call so, whatever others are called.
    admin(served, "PUT", "/api/organizations/second", json!({ "name": "Acme" })).await;
    for path in ["/api/executions?organization=Acme", "/api/statistics?organization=acme"] {
        assert_eq!(ask(served, &secret, "GET", path, "").await.0, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn which_execution_a_limit_is_full_of_is_told_to_whoever_may_see_it() {
    let World { served, ours, theirs, .. } = world().await;
    let grant = RoleGrant { role: Role::Operate, organization_id: Some(ACME) };
    let (everybody, bound) =
        (Caller::admin(Credential::Setting), Caller { credential: Credential::Setting, grant });
    for (caller, holder, is_told) in [
        (&everybody, theirs, true),
        (&bound, ours, true),
        (&bound, theirs, false),
        (&bound, Uuid::nil(), false),
    ] {
        let full = ServiceError::LimitReached { limit: "licenses".to_owned(), holder: Some(holder) };
        let problem = served.api.told_of_submits(caller, vec![Err(full)]).await.remove(0).unwrap_err();
        let who = if is_told {
            format!("execution {holder}")
        } else {
            "an execution of another organization".into()
        };
        assert_eq!(problem.detail(), format!("limit \"licenses\" is full: {who} is in it"));
        assert_eq!(problem.execution_id(), is_told.then_some(holder));
    }
}

/// The secret in an answer that has one.
fn secret_in(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer.splitn(3, ' ').nth(2).unwrap()).unwrap();
    answer["secret"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_rotated_and_removed_and_counts_accordingly() {
    let served = serve(Some(MAIN)).await;
    let made = admin(&served, "POST", "/api/tokens", json!({ "name": "ci", "role": "view" })).await;
    let first = secret_in(&made);
    let counts = async |secret: &str| ask(&served, secret, "GET", "/api/access", "").await.0;
    assert_eq!(counts(&first).await, 200);
    let twice = ask(&served, MAIN, "POST", "/api/tokens", r#"{"name":"ci","role":"view"}"#).await;
    assert!(twice.0 == 409 && twice.1.contains("token rotate ci"), "{twice:?}");

    let rotated = admin(&served, "POST", "/api/tokens/ci/rotate", json!({ "overlap_seconds": 600 })).await;
    let second = secret_in(&rotated);
    assert_eq!((counts(&first).await, counts(&second).await), (200, 200), "for the overlap");
    let third = secret_in(&admin(&served, "POST", "/api/tokens/ci/rotate", json!({})).await);
    assert_eq!((counts(&first).await, counts(&second).await, counts(&third).await), (401, 401, 200));

    let listed = admin(&served, "GET", "/api/tokens", json!({})).await;
    assert!(!listed.contains(&third) && !listed.contains(&hash_of(&third)), "{listed}");
    let changes = admin(&served, "GET", "/api/changes", json!({})).await;
    assert!(changes.contains("\"kind\":\"token\"") && !changes.contains(&hash_of(&third)), "{changes}");

    admin(&served, "DELETE", "/api/tokens/ci", json!({})).await;
    assert_eq!(counts(&third).await, 401);
    let gone = ask(&served, MAIN, "DELETE", "/api/tokens/ci", "").await;
    assert_eq!(gone.0, 404, "{gone:?}");
    for name in ["", "two words", "http_token", "-x"] {
        let body = json!({ "name": name, "role": "view" }).to_string();
        assert_eq!(ask(&served, MAIN, "POST", "/api/tokens", &body).await.0, 400, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_expired_says_so() {
    let served = serve(Some(MAIN)).await;
    let secret = make_token();
    let new = NewToken {
        id: Uuid::now_v7(),
        name: "old".to_owned(),
        role: Role::Admin,
        organization_id: None,
        hash: hash_of(secret.expose_secret()),
        expires_at: Some(Timestamp::now() - jiff::SignedDuration::from_secs(1)),
    };
    TokenStore::create_token(&*served.store, &new, "the test").await.unwrap();
    served.api.access.tokens.learn(&*served.store).await.unwrap();
    let (status, answer) = ask(&served, secret.expose_secret(), "GET", "/api/pool", "").await;
    assert!(status == 401 && answer.contains("the token old counts no more since"), "{answer}");
    assert!(answer.contains("`supervisor token rotate old --expires 90d`"), "{answer}");

    // Another secret that has expired as well would help nobody.
    let (status, answer) = ask(&served, MAIN, "POST", "/api/tokens/old/rotate", "{}").await;
    assert!(status == 409 && answer.contains("`supervisor token rotate old --expires 90d`"), "{answer}");
    let until = json!({ "expires_seconds": 60 });
    let rotated = secret_in(&admin(&served, "POST", "/api/tokens/old/rotate", until).await);
    assert_eq!(ask(&served, &rotated, "GET", "/api/pool", "").await.0, 200);
}

/// What was found to be theirs may be another's by the time it is written.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_allowed_by_definitions_that_changed_since_is_not_done() {
    let served = serve(None).await;
    let variable = || {
        let value = serde_json::value::RawValue::from_string("1".to_owned()).unwrap();
        DefinitionEdit::SetVariable(VariableDefinition { key: "n".to_owned(), organization: None, value })
    };
    let set = async |wish| edit(&*served.store, &SecretKeys::default(), &wish, "the test", false).await;
    let version = served.store.definition_version().await.unwrap();
    let before = DefinitionWish::AllowedAt { version: version - 1, edit: variable() };
    assert!(matches!(set(before).await, Err(EditError::Contended)));
    assert_eq!(served.store.definition_version().await.unwrap(), version, "nothing was written");
    let now = DefinitionWish::AllowedAt { version, edit: variable() };
    assert!(set(now).await.unwrap().is_applied);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_or_listens_with_a_token_that_is_removed_is_let_go() {
    let World { served, ours, .. } = world().await;
    let grant = RoleGrant { role: Role::View, organization_id: Some(ACME) };
    let secret = token(&served, "watcher", grant).await;
    let tokens = &served.api.access.tokens;
    // One that was seen to show its token is let go by whatever happens to it from then on.
    let seen = async || {
        while tokens.take_uses().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let (wait, follow) =
        (format!("/api/executions/{ours}?wait=60"), format!("/api/executions/{ours}/logs?follow"));
    let follows_and_is_removed = async {
        seen().await;
        let removes = async {
            seen().await;
            admin(&served, "DELETE", "/api/tokens/watcher", json!({})).await
        };
        tokio::join!(ask(&served, &secret, "GET", &follow, ""), removes).0
    };
    let both = async { tokio::join!(ask(&served, &secret, "GET", &wait, ""), follows_and_is_removed) };
    let (waited, followed) =
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("both are let go");
    assert_eq!(waited.0, 401, "{}", waited.1);
    assert_eq!(followed.0, 200, "it began in good time");
}
