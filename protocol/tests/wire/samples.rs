//! One named example of every message and of every variant inside one: what the golden vectors hold.

use muster_protocol::{
    BrokenFile, CallResult, CancelReason, CodeSource, DeclaredConcurrency, DeclaredRetry, ErrorInfo,
    JsonBytes, LogLevel, LogRecord, RunMetrics, RunOutcome, ToSupervisor, ToWorker, WorkflowDescription,
    feature, method,
};
use serde_json::json;

const EXECUTION_ID: &str = "018f4e9c-7d3a-7c10-9b1e-2f6a5d0c4b3a";

const WORKER_ID: &str = "5f0e8a3c9b7d4e21a6c4d2f1b0e98765";

fn bytes(value: &serde_json::Value) -> JsonBytes {
    JsonBytes::of(value)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(crate) fn to_supervisor() -> Vec<(String, ToSupervisor)> {
    let mut samples: Vec<(&str, ToSupervisor)> = vec![
        (
            "Hello",
            ToSupervisor::Hello {
                protocol_min: 1,
                protocol_max: 1,
                implementation: "example".into(),
                implementation_version: "0.1.0".into(),
                language: "python".into(),
                pid: 4711,
                features: names(&[feature::LOG, feature::CANCEL]),
            },
        ),
        (
            "Hello.minimal",
            ToSupervisor::Hello {
                protocol_min: 1,
                protocol_max: 1,
                implementation: String::new(),
                implementation_version: String::new(),
                language: String::new(),
                pid: 0,
                features: Vec::new(),
            },
        ),
        ("Ready", ToSupervisor::Ready { workflows: names(&["greet", "daily/report"]) }),
        ("Ready.any", ToSupervisor::Ready { workflows: Vec::new() }),
        (
            "InitFailed",
            ToSupervisor::InitFailed { error: ErrorInfo::new("ImportError", "no module named 'requests'") },
        ),
        ("Started", ToSupervisor::Started { run: 7 }),
        ("Log", ToSupervisor::Log { run: 7, records: vec![full_record()] }),
        ("Log.every_level", ToSupervisor::Log { run: 7, records: records() }),
        ("Log.empty", ToSupervisor::Log { run: 7, records: Vec::new() }),
        (
            "Progress",
            ToSupervisor::Progress { run: 7, current: 3, total: 10, message: "page 3 of 10".into() },
        ),
        (
            "Call",
            ToSupervisor::Call {
                run: 7,
                call: 1,
                method: method::CONFIG_GET.into(),
                params: bytes(&json!({ "key": "region" })),
            },
        ),
    ];
    samples.extend(outcomes().into_iter().map(|(name, outcome)| {
        let metrics =
            RunMetrics { wall_us: 1500, cpu_user_us: 900, cpu_system_us: 40, peak_rss_bytes: 52_428_800 };
        (name, ToSupervisor::Finished { run: 7, outcome, metrics, log_records: 2 })
    }));
    samples.extend([
        ("Idle", ToSupervisor::Idle { run: 7, rss_bytes: 50_331_648, recycle: false }),
        ("Idle.recycle", ToSupervisor::Idle { run: 7, rss_bytes: 0, recycle: true }),
        ("Pong", ToSupervisor::Pong { nonce: 42 }),
        // The largest integer that JSON carries safely into every language.
        ("Pong.largest", ToSupervisor::Pong { nonce: (1 << 53) - 1 }),
        ("Goodbye", ToSupervisor::Goodbye { reason: "drained".into() }),
        ("Stacks", ToSupervisor::Stacks { run: 7, text: "main\n  sleep (greet.py:12)".into() }),
        ("Forked", ToSupervisor::Forked { worker_id: WORKER_ID.into(), pid: 4712, recycle: false }),
        ("Forked.recycle", ToSupervisor::Forked { worker_id: WORKER_ID.into(), pid: 4712, recycle: true }),
        ("Exited", ToSupervisor::Exited { pid: 4712, status: 0 }),
        ("Exited.signal", ToSupervisor::Exited { pid: 4712, status: 9 }),
        ("ForkFailed", ToSupervisor::ForkFailed { worker_id: WORKER_ID.into(), message: "2 threads".into() }),
    ]);
    samples.extend(descriptions());
    samples.into_iter().map(|(name, message)| (name.to_owned(), message)).collect()
}

fn descriptions() -> [(&'static str, ToSupervisor); 4] {
    let describe = |replaces, workflows, broken| ToSupervisor::Describe { replaces, workflows, broken };
    let bare = WorkflowDescription { name: "greet".into(), ..WorkflowDescription::default() };
    let broken = BrokenFile {
        file: "billing/pay.py".into(),
        error: ErrorInfo::new("SyntaxError", "invalid syntax (pay.py, line 3)"),
    };
    [
        ("Describe", describe(true, vec![full_description()], vec![broken])),
        ("Describe.bare", describe(false, vec![bare], Vec::new())),
        ("Describe.many", describe(false, vec![full_description(), full_description()], Vec::new())),
        ("Describe.nothing", describe(true, Vec::new(), Vec::new())),
    ]
}

fn full_description() -> WorkflowDescription {
    WorkflowDescription {
        name: "daily/report".into(),
        description: "Writes the report.".into(),
        source_file: "daily/report.py".into(),
        timeout_ms: Some(30_000),
        retry: DeclaredRetry {
            max_attempts: Some(3),
            backoff_ms: Some(5000),
            backoff_factor_percent: Some(200),
            backoff_max_ms: Some(60_000),
            retry_on: names(&["Unreachable"]),
            give_up_on: names(&["NoSuchReport"]),
        },
        concurrency: DeclaredConcurrency {
            total: Some(20),
            per_key: Some(2),
            key: "organization".into(),
            on_full: "wait".into(),
        },
        limits: names(&["crm"]),
        queue: "reports".into(),
        parameters: bytes(&json!({ "type": "object", "required": ["day"] })),
        more: bytes(&json!({ "later": true })),
    }
}

fn records() -> Vec<LogRecord> {
    let levels = [LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];
    let plain = levels.map(|level| LogRecord {
        timestamp_us: 1_700_000_000_000_000,
        level,
        logger: String::new(),
        message: level.as_str().to_owned(),
        fields: JsonBytes::NONE,
    });
    plain.into_iter().chain([full_record()]).collect()
}

fn full_record() -> LogRecord {
    LogRecord {
        timestamp_us: 1_700_000_000_000_001,
        level: LogLevel::Warn,
        logger: "app.orders".into(),
        message: "größer als 10 €".into(),
        fields: bytes(&json!({ "order": 12 })),
    }
}

fn outcomes() -> [(&'static str, RunOutcome); 8] {
    let error = |retryable| ErrorInfo {
        kind: "ValueError".into(),
        message: "amount must be positive".into(),
        stack: "pay.py:3".into(),
        retryable,
    };
    [
        ("Finished.Succeeded", RunOutcome::Succeeded { result: bytes(&json!({ "greeting": "hello" })) }),
        ("Finished.Succeeded.none", RunOutcome::Succeeded { result: JsonBytes::NONE }),
        ("Finished.Failed", RunOutcome::Failed { error: error(None) }),
        ("Finished.Failed.permanent", RunOutcome::Failed { error: error(Some(false)) }),
        ("Finished.Failed.retryable", RunOutcome::Failed { error: error(Some(true)) }),
        ("Finished.Failed.bare", RunOutcome::Failed { error: ErrorInfo::default() }),
        ("Finished.Cancelled", RunOutcome::Cancelled { message: "stopped at page 3".into() }),
        ("Finished.Rejected", RunOutcome::Rejected { reason: "no workflow named 'gret'".into() }),
    ]
}

pub(crate) fn to_worker() -> Vec<(String, ToWorker)> {
    let mut samples: Vec<(&str, ToWorker)> = vec![
        (
            "Welcome",
            ToWorker::Welcome {
                protocol: 1,
                worker_id: "w-3".into(),
                features: names(&[feature::LOG, feature::CANCEL]),
                max_frame_bytes: 16_777_215,
                log_level: LogLevel::Info,
                config: bytes(&json!({ "memory_limit_mb": 0, "workflows_dir": "/srv/workflows" })),
            },
        ),
        ("Reply.Ok", reply(CallResult::Ok { value: bytes(&json!("eu-1")) })),
        ("Reply.Ok.none", reply(CallResult::Ok { value: JsonBytes::NONE })),
        (
            "Reply.Err",
            reply(CallResult::Err { error: ErrorInfo::new("UnknownMethod", "no method named 'config.got'") }),
        ),
        ("Ping", ToWorker::Ping { nonce: 42 }),
        ("Drain", ToWorker::Drain { reason: "recycled after 1000 executions".into(), grace_ms: 5000 }),
        ("Dump", ToWorker::Dump { run: 7 }),
        ("Fork", ToWorker::Fork { worker_id: WORKER_ID.into() }),
    ];
    samples.extend(sources().map(|(name, source)| (name, execute(source))));
    samples.extend(
        [
            ("Cancel.User", CancelReason::User),
            ("Cancel.Timeout", CancelReason::Timeout),
            ("Cancel.Shutdown", CancelReason::Shutdown),
            ("Cancel.LeaseLost", CancelReason::LeaseLost),
        ]
        .map(|(name, reason)| {
            (name, ToWorker::Cancel { run: 7, reason, message: "over its time".into(), grace_ms: 1000 })
        }),
    );
    samples.into_iter().map(|(name, message)| (name.to_owned(), message)).collect()
}

fn reply(result: CallResult) -> ToWorker {
    ToWorker::Reply { run: 7, call: 1, result }
}

fn sources() -> [(&'static str, CodeSource); 3] {
    [
        ("Execute.Named", CodeSource::Named),
        ("Execute.Path", CodeSource::Path { path: "billing/pay.py".into(), function: "pay".into() }),
        (
            "Execute.Inline",
            CodeSource::Inline {
                language: "javascript".into(),
                code: b"export default () => 'h\xc3\xa9'".to_vec().into(),
            },
        ),
    ]
}

fn execute(source: CodeSource) -> ToWorker {
    ToWorker::Execute {
        run: 7,
        execution_id: EXECUTION_ID.into(),
        attempt: 1,
        workflow: "greet".into(),
        source,
        params: bytes(&json!({ "name": "Ada" })),
        context: bytes(&json!({ "organization": null })),
        timeout_ms: 300_000,
        grace_ms: 1000,
    }
}
