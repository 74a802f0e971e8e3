//! Prewarming, with a directory that counts who asks and can be held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use muster_bus::{Bus, CacheKey};
use muster_core::execution::{ExecutionRequest, RetryOptions};
use muster_protocol::CodeSource;
use muster_store::{
    ConfigEntry, DefinitionStore, OrganizationRecord, Result, StoreError, WorkflowRecord, WorkflowTerms,
};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{PrewarmError, ResolvedWorkflow, Subject, load::Prewarm, prepare};

const ACME: Uuid = Uuid::from_u128(1);
const CLOSED: Uuid = Uuid::from_u128(2);
const GLOBAL_WORKFLOW: Uuid = Uuid::from_u128(3);
const ACME_WORKFLOW: Uuid = Uuid::from_u128(4);

#[derive(Debug)]
struct FakeDefinitions {
    loads: AtomicUsize,
    away: AtomicBool,
    gate: Semaphore,
    /// What was open before is a secret now.
    is_region_secret: AtomicBool,
}

impl FakeDefinitions {
    fn open() -> Arc<Self> {
        Self::with_gate(Semaphore::MAX_PERMITS)
    }

    fn with_gate(permits: usize) -> Arc<Self> {
        let (loads, away) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self {
            loads,
            away,
            gate: Semaphore::new(permits),
            is_region_secret: AtomicBool::new(false),
        })
    }

    async fn visit(&self) -> Result<()> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let _open = self.gate.acquire().await.unwrap();
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unreachable { backend: "test", message: "away".to_owned() });
        }
        Ok(())
    }
}

fn workflow(id: Uuid, organization_id: Option<Uuid>) -> WorkflowRecord {
    WorkflowRecord {
        id,
        name: "report".to_owned(),
        path: Some("reports/daily.js".to_owned()),
        function_name: Some("run".to_owned()),
        language: None,
        organization_id,
        timeout_seconds: Some(7.5),
        max_attempts: Some(4),
        is_active: true,
        admission: WorkflowTerms::default(),
        retry: RetryOptions { backoff_factor: Some(3.0), ..RetryOptions::default() },
        webhook: None,
        retention: Default::default(),
    }
}

fn entry(key: &str, value: &Value, is_secret: bool) -> ConfigEntry {
    ConfigEntry {
        organization_id: None,
        key: key.to_owned(),
        value: to_raw_value(value).unwrap(),
        is_secret,
        key_id: None,
    }
}

#[async_trait]
impl DefinitionStore for FakeDefinitions {
    async fn workflow(&self, id: Uuid) -> Result<Option<WorkflowRecord>> {
        self.visit().await?;
        Ok(match id {
            GLOBAL_WORKFLOW => Some(workflow(id, None)),
            ACME_WORKFLOW => Some(workflow(id, Some(ACME))),
            _ => None,
        })
    }

    async fn workflow_named(&self, name: &str, _: Option<Uuid>) -> Result<Option<WorkflowRecord>> {
        self.visit().await?;
        Ok((name == "report").then(|| workflow(GLOBAL_WORKFLOW, None)))
    }

    async fn organization(&self, id: Uuid) -> Result<Option<OrganizationRecord>> {
        self.visit().await?;
        let name = if id == ACME { "Acme" } else { "Closed" }.to_owned();
        Ok((id == ACME || id == CLOSED).then(|| OrganizationRecord {
            id,
            key: None,
            name,
            weight: None,
            is_active: id == ACME,
        }))
    }

    async fn config(&self, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>> {
        self.visit().await?;
        let is_secret = self.is_region_secret.load(Ordering::SeqCst);
        let mut entries = vec![entry("region", &json!("eu"), is_secret)];
        if organization_id == Some(ACME) {
            entries.push(entry("token", &json!("s3cret"), true));
        }
        Ok(entries)
    }
}

fn prewarm(shelf: &Arc<FakeDefinitions>, bus: &Bus) -> Prewarm {
    let prewarm = Prewarm::new(shelf.clone(), bus.clone());
    prewarm.follow(Some(1));
    prewarm
}

fn bus() -> Bus {
    Bus::in_process("test")
}

fn config(warm: &ResolvedWorkflow) -> Value {
    serde_json::from_str(warm.config_json.get()).unwrap()
}

#[tokio::test]
async fn a_workflow_of_an_organization_brings_its_own_scope() {
    let prewarm = prewarm(&FakeDefinitions::open(), &bus());
    let own = prewarm.prewarm_sdk_cache(Subject::Id(ACME_WORKFLOW), None).await.unwrap();
    assert_eq!(own.organization.as_ref().unwrap().name, "Acme");
    assert_eq!(config(&own), json!({"region": "eu", "token": "s3cret"}));
    let callers = prewarm.prewarm_sdk_cache(Subject::Id(GLOBAL_WORKFLOW), Some(ACME)).await.unwrap();
    assert_eq!(callers.organization.as_ref().unwrap().id, ACME);
    let global = prewarm.prewarm_sdk_cache(Subject::Name("report".to_owned()), None).await.unwrap();
    assert_eq!((global.organization.as_ref(), config(&global)), (None, json!({"region": "eu"})));
    let unknown = prewarm.prewarm_sdk_cache(Subject::Name("unknown".to_owned()), None).await.unwrap();
    assert!(unknown.workflow.is_none());
}

#[tokio::test]
async fn what_can_never_run_is_refused_by_name() {
    let prewarm = prewarm(&FakeDefinitions::open(), &bus());
    for (subject, organization, error_type) in [
        (Subject::Id(Uuid::from_u128(99)), None, "WorkflowNotFound"),
        (Subject::Code, Some(CLOSED), "InvalidRequest"),
    ] {
        match prewarm.prewarm_sdk_cache(subject, organization).await {
            Err(PrewarmError::Refused(failure)) => assert_eq!(failure.error_type, error_type),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn everybody_who_asks_at_once_shares_one_load() {
    let shelf = FakeDefinitions::with_gate(0);
    let prewarm = Arc::new(prewarm(&shelf, &bus()));
    let ask = |prewarm: &Arc<Prewarm>| {
        let prewarm = Arc::clone(prewarm);
        tokio::spawn(async move { prewarm.prewarm_sdk_cache(Subject::Code, Some(ACME)).await })
    };
    let leader = ask(&prewarm);
    while shelf.loads.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..20).map(|_| ask(&prewarm)).collect();
    tokio::task::yield_now().await;
    // The one who asked first goes away; the load goes on for the others.
    leader.abort();
    let _ = leader.await;
    shelf.gate.add_permits(100);
    for other in others {
        other.await.unwrap().unwrap();
    }
    // One organization, one configuration.
    assert_eq!(shelf.loads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_failed_load_is_not_remembered() {
    let shelf = FakeDefinitions::open();
    let prewarm = prewarm(&shelf, &bus());
    shelf.away.store(true, Ordering::SeqCst);
    let error = prewarm.prewarm_sdk_cache(Subject::Code, None).await.unwrap_err();
    assert!(matches!(error, PrewarmError::Unavailable(_)), "{error}");
    shelf.away.store(false, Ordering::SeqCst);
    prewarm.prewarm_sdk_cache(Subject::Code, None).await.unwrap();
}

#[tokio::test]
async fn supervisors_share_through_the_bus_and_secrets_stay_out_of_it() {
    let (shelf, bus) = (FakeDefinitions::open(), bus());
    prewarm(&shelf, &bus).prewarm_sdk_cache(Subject::Id(GLOBAL_WORKFLOW), Some(ACME)).await.unwrap();
    let loads = shelf.loads.load(Ordering::SeqCst);
    let keys = [CacheKey::Workflow { id: GLOBAL_WORKFLOW }, CacheKey::Config { organization_id: Some(ACME) }];
    for value in bus.cached(&keys).await.unwrap() {
        let text = String::from_utf8(value.expect("is cached").to_vec()).unwrap();
        assert!(!text.contains("s3cret") && !text.contains("token"), "{text}");
    }
    // Another supervisor only fetches the secrets.
    let warm =
        prewarm(&shelf, &bus).prewarm_sdk_cache(Subject::Id(GLOBAL_WORKFLOW), Some(ACME)).await.unwrap();
    assert_eq!(shelf.loads.load(Ordering::SeqCst), loads + 1);
    assert_eq!(config(&warm), json!({"region": "eu", "token": "s3cret"}));
    assert_eq!(warm.organization.as_ref().unwrap().name, "Acme");
}

#[tokio::test]
async fn what_changed_is_fetched_again_at_once_whatever_others_shared() {
    let (shelf, bus) = (FakeDefinitions::open(), bus());
    let (here, there) = (prewarm(&shelf, &bus), prewarm(&shelf, &bus));
    let ask = async |prewarm: &Prewarm| {
        let before = shelf.loads.load(Ordering::SeqCst);
        prewarm.prewarm_sdk_cache(Subject::Id(GLOBAL_WORKFLOW), Some(ACME)).await.unwrap();
        shelf.loads.load(Ordering::SeqCst) - before
    };
    let all = ask(&here).await;
    assert_eq!((ask(&here).await, ask(&there).await), (0, 1));
    here.follow(Some(2));
    assert_eq!(ask(&here).await, all, "neither its own memory nor what was shared counts any more");
    assert_eq!(ask(&there).await, 0, "it has not heard");
    there.follow(Some(2));
    assert_eq!(ask(&there).await, 1, "what was shared since is good");
    // While nobody knows, what is shared is neither read nor written.
    there.follow(None);
    assert_eq!(ask(&there).await, all);
    there.follow(Some(2));
    assert_eq!(ask(&there).await, 1);
}

#[tokio::test]
async fn what_became_a_secret_is_one_whatever_the_cache_says() {
    let (shelf, bus) = (FakeDefinitions::open(), bus());
    prewarm(&shelf, &bus).prewarm_sdk_cache(Subject::Code, None).await.unwrap();
    shelf.is_region_secret.store(true, Ordering::SeqCst);
    let warm = prewarm(&shelf, &bus).prewarm_sdk_cache(Subject::Code, None).await.unwrap();
    assert_eq!(config(&warm), json!({"region": "eu"}));
    assert!(warm.secrets.has_key("region"), "the run is given it, so it is masked");
    assert_eq!(warm.shown_config_json.as_ref().map(|shown| shown.get()), Some("{}"));
}

#[tokio::test]
async fn without_redis_the_store_will_do() {
    let bus = Bus::redis("redis://127.0.0.1:1/", "test").unwrap();
    let warm = prewarm(&FakeDefinitions::open(), &bus)
        .prewarm_sdk_cache(Subject::Id(ACME_WORKFLOW), None)
        .await
        .unwrap();
    assert_eq!(config(&warm)["token"], "s3cret");
}

fn request(fields: &Value) -> ExecutionRequest {
    let mut message = json!({"execution_id": Uuid::nil()});
    message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    ExecutionRequest::parse(message.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn the_worker_is_told_everything_and_watchers_no_secrets() {
    let warm = prewarm(&FakeDefinitions::open(), &bus())
        .prewarm_sdk_cache(Subject::Id(ACME_WORKFLOW), None)
        .await
        .unwrap();
    let fields = json!({"workflow_id": ACME_WORKFLOW, "parameters": {"day": 1}, "caller": {"name": "Ada"},
        "startup": [1], "form_id": "f", "api_key_id": "k", "traceparent": "t", "retry_backoff_seconds": 2});
    let prepared = prepare(request(&fields), &warm).unwrap();
    assert_eq!(prepared.workflow, "report");
    let path = CodeSource::Path { path: "reports/daily.js".to_owned(), function: "run".to_owned() };
    assert_eq!(prepared.source, path);
    assert_eq!(&prepared.params.0[..], br#"{"day":1}"#);
    let mut context = json!({
        "organization": {"id": ACME, "name": "Acme"}, "workflow": {"id": ACME_WORKFLOW, "name": "report"},
        "caller": {"name": "Ada"}, "startup": [1], "form_id": "f", "api_key_id": "k", "traceparent": "t",
        "config": {"region": "eu", "token": "s3cret"}
    });
    assert_eq!(prepared.context.parse::<Value>().unwrap(), context);
    context["config"].as_object_mut().unwrap().remove("token");
    assert_eq!(serde_json::from_slice::<Value>(&prepared.shown_context).unwrap(), context);
    assert_eq!(prepared.config["token"].get(), "\"s3cret\"");
    assert_eq!(prepared.timeout, Some(Duration::from_millis(7500)));
    assert_eq!((prepared.retry.max_attempts, prepared.retry.backoff_seconds), (Some(4), Some(2.0)));
    assert_eq!(prepared.retry.backoff_factor, Some(3.0), "what the request does not say the row says");
    assert_eq!(prepared.organization_id, Some(ACME));
}

#[tokio::test]
async fn the_request_overrides_the_workflow() {
    let prewarm = prewarm(&FakeDefinitions::open(), &bus());
    let warm = prewarm.prewarm_sdk_cache(Subject::Id(GLOBAL_WORKFLOW), None).await.unwrap();
    let fields = json!({"workflow_id": GLOBAL_WORKFLOW, "timeout_seconds": 0.5, "max_attempts": 2});
    let prepared = prepare(request(&fields), &warm).unwrap();
    assert_eq!((prepared.timeout, prepared.retry.max_attempts), (Some(Duration::from_millis(500)), Some(2)));

    let none = prewarm.prewarm_sdk_cache(Subject::Name("plain".to_owned()), None).await.unwrap();
    let prepared = prepare(request(&json!({"workflow": "plain"})), &none).unwrap();
    assert_eq!((prepared.timeout, prepared.retry.max_attempts), (None, None));
    assert_eq!((prepared.source, prepared.workflow.as_str()), (CodeSource::Named, "plain"));
    let context: Value = prepared.context.parse().unwrap();
    assert_eq!(context["workflow"], json!({"id": null, "name": "plain"}));

    let code = json!({"code": "cnVu", "script_name": "a.js", "language": "js"});
    let prepared = prepare(request(&code), &none).unwrap();
    let inline = CodeSource::Inline { language: "js".to_owned(), code: b"run".to_vec().into() };
    assert_eq!((prepared.source, prepared.workflow.as_str()), (inline, "a.js"));
}

#[tokio::test]
async fn what_does_not_fit_in_a_frame_is_an_invalid_request() {
    let mut warm = ResolvedWorkflow {
        workflow: None,
        organization: None,
        config: Arc::default(),
        secrets: Arc::default(),
        config_json: RawValue::NULL.to_owned(),
        shown_config_json: None,
    };
    warm.config_json = to_raw_value(&"x".repeat(16_777_215)).unwrap();
    match prepare(request(&json!({"workflow": "w"})), &warm) {
        Err(PrewarmError::Refused(failure)) => {
            assert_eq!(failure.error_type, "InvalidRequest");
            assert!(failure.message.contains("fit in a frame"), "{}", failure.message);
        }
        other => panic!("{:?}", other.map(|prepared| prepared.workflow)),
    }
}
