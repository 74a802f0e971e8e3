//! Random messages of every kind, for the properties.

use muster_protocol::{
    BrokenFile, CallResult, CancelReason, CodeSource, DeclaredConcurrency, DeclaredRetry, ErrorInfo,
    JsonBytes, LogLevel, LogRecord, RunMetrics, RunOutcome, ToSupervisor, ToWorker, WorkflowDescription,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z.]{1,12}", ".{0,40}", any::<String>()]
}

/// JSON that survives both spellings: `null` is "none" in a line, so it is left out here.
fn json_bytes() -> impl Strategy<Value = JsonBytes> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        (-1e9..1e9).prop_map(serde_json::Value::from),
        text().prop_map(serde_json::Value::from),
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            vec((text(), inner), 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    });
    prop_oneof![1 => Just(JsonBytes::NONE), 4 => value.prop_map(|value| JsonBytes::of(&value))]
}

fn level() -> impl Strategy<Value = LogLevel> {
    prop_oneof![
        Just(LogLevel::Trace),
        Just(LogLevel::Debug),
        Just(LogLevel::Info),
        Just(LogLevel::Warn),
        Just(LogLevel::Error)
    ]
}

fn error_info() -> impl Strategy<Value = ErrorInfo> {
    (text(), text(), text(), option::of(any::<bool>()))
        .prop_map(|(kind, message, stack, retryable)| ErrorInfo { kind, message, stack, retryable })
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    (any::<u64>(), level(), text(), text(), json_bytes()).prop_map(
        |(timestamp_us, level, logger, message, fields)| LogRecord {
            timestamp_us,
            level,
            logger,
            message,
            fields,
        },
    )
}

fn metrics() -> impl Strategy<Value = RunMetrics> {
    any::<[u64; 4]>().prop_map(|[wall_us, cpu_user_us, cpu_system_us, peak_rss_bytes]| RunMetrics {
        wall_us,
        cpu_user_us,
        cpu_system_us,
        peak_rss_bytes,
    })
}

fn source() -> impl Strategy<Value = CodeSource> {
    prop_oneof![
        Just(CodeSource::Named),
        (text(), text()).prop_map(|(path, function)| CodeSource::Path { path, function }),
        (text(), text()).prop_map(|(language, code)| CodeSource::Inline { language, code: code.into() }),
    ]
}

fn outcome() -> impl Strategy<Value = RunOutcome> {
    prop_oneof![
        json_bytes().prop_map(|result| RunOutcome::Succeeded { result }),
        error_info().prop_map(|error| RunOutcome::Failed { error }),
        text().prop_map(|message| RunOutcome::Cancelled { message }),
        text().prop_map(|reason| RunOutcome::Rejected { reason }),
    ]
}

fn count() -> impl Strategy<Value = Option<u32>> {
    option::of(any::<u32>())
}

fn retry() -> impl Strategy<Value = DeclaredRetry> {
    (
        count(),
        option::of(any::<u64>()),
        count(),
        option::of(any::<u64>()),
        vec(text(), 0..3),
        vec(text(), 0..3),
    )
        .prop_map(
            |(max_attempts, backoff_ms, backoff_factor_percent, backoff_max_ms, retry_on, give_up_on)| {
                DeclaredRetry {
                    max_attempts,
                    backoff_ms,
                    backoff_factor_percent,
                    backoff_max_ms,
                    retry_on,
                    give_up_on,
                }
            },
        )
}

fn concurrency() -> impl Strategy<Value = DeclaredConcurrency> {
    (count(), count(), text(), text()).prop_map(|(total, per_key, key, on_full)| DeclaredConcurrency {
        total,
        per_key,
        key,
        on_full,
    })
}

fn description() -> impl Strategy<Value = WorkflowDescription> {
    let texts = (text(), text(), text(), text());
    (texts, option::of(any::<u64>()), retry(), concurrency(), vec(text(), 0..3), json_bytes(), json_bytes())
        .prop_map(
            |(
                (name, description, source_file, queue),
                timeout_ms,
                retry,
                concurrency,
                limits,
                parameters,
                more,
            )| {
                WorkflowDescription {
                    name,
                    description,
                    source_file,
                    timeout_ms,
                    retry,
                    concurrency,
                    limits,
                    queue,
                    parameters,
                    more,
                }
            },
        )
}

fn broken_file() -> impl Strategy<Value = BrokenFile> {
    (text(), error_info()).prop_map(|(file, error)| BrokenFile { file, error })
}

fn hello() -> impl Strategy<Value = ToSupervisor> {
    (any::<(u16, u16, u32)>(), text(), text(), text(), vec(text(), 0..5)).prop_map(
        |((protocol_min, protocol_max, pid), implementation, implementation_version, language, features)| {
            ToSupervisor::Hello {
                protocol_min,
                protocol_max,
                implementation,
                implementation_version,
                language,
                pid,
                features,
            }
        },
    )
}

pub(crate) fn to_supervisor() -> impl Strategy<Value = ToSupervisor> {
    prop_oneof![
        hello(),
        vec(text(), 0..5).prop_map(|workflows| ToSupervisor::Ready { workflows }),
        error_info().prop_map(|error| ToSupervisor::InitFailed { error }),
        any::<u32>().prop_map(|run| ToSupervisor::Started { run }),
        (any::<u32>(), vec(log_record(), 0..5)).prop_map(|(run, records)| ToSupervisor::Log { run, records }),
        (any::<(u32, u64, u64)>(), text()).prop_map(|((run, current, total), message)| {
            ToSupervisor::Progress { run, current, total, message }
        }),
        (any::<(u32, u32)>(), text(), json_bytes())
            .prop_map(|((run, call), method, params)| { ToSupervisor::Call { run, call, method, params } }),
        (any::<(u32, u64)>(), outcome(), metrics()).prop_map(|((run, log_records), outcome, metrics)| {
            ToSupervisor::Finished { run, outcome, metrics, log_records }
        }),
        any::<(u32, u64, bool)>().prop_map(|(run, rss_bytes, recycle)| ToSupervisor::Idle {
            run,
            rss_bytes,
            recycle
        }),
        any::<u64>().prop_map(|nonce| ToSupervisor::Pong { nonce }),
        text().prop_map(|reason| ToSupervisor::Goodbye { reason }),
        (any::<u32>(), text()).prop_map(|(run, text)| ToSupervisor::Stacks { run, text }),
        (any::<bool>(), vec(description(), 0..3), vec(broken_file(), 0..3))
            .prop_map(|(replaces, workflows, broken)| ToSupervisor::Describe { replaces, workflows, broken }),
        (text(), any::<u32>(), any::<bool>()).prop_map(|(worker_id, pid, recycle)| ToSupervisor::Forked {
            worker_id,
            pid,
            recycle
        }),
        (any::<u32>(), any::<u32>()).prop_map(|(pid, status)| ToSupervisor::Exited { pid, status }),
        (text(), text()).prop_map(|(worker_id, message)| ToSupervisor::ForkFailed { worker_id, message }),
    ]
}

fn welcome() -> impl Strategy<Value = ToWorker> {
    (any::<(u16, u32)>(), text(), vec(text(), 0..5), level(), json_bytes()).prop_map(
        |((protocol, max_frame_bytes), worker_id, features, log_level, config)| ToWorker::Welcome {
            protocol,
            worker_id,
            features,
            max_frame_bytes,
            log_level,
            config,
        },
    )
}

fn execute() -> impl Strategy<Value = ToWorker> {
    (any::<(u32, u32, u64, u32)>(), text(), text(), source(), json_bytes(), json_bytes()).prop_map(
        |((run, attempt, timeout_ms, grace_ms), execution_id, workflow, source, params, context)| {
            ToWorker::Execute {
                run,
                execution_id,
                attempt,
                workflow,
                source,
                params,
                context,
                timeout_ms,
                grace_ms,
            }
        },
    )
}

fn cancel_reason() -> impl Strategy<Value = CancelReason> {
    prop_oneof![
        Just(CancelReason::User),
        Just(CancelReason::Timeout),
        Just(CancelReason::Shutdown),
        Just(CancelReason::LeaseLost)
    ]
}

pub(crate) fn to_worker() -> impl Strategy<Value = ToWorker> {
    let result = prop_oneof![
        json_bytes().prop_map(|value| CallResult::Ok { value }),
        error_info().prop_map(|error| CallResult::Err { error }),
    ];
    prop_oneof![
        welcome(),
        execute(),
        (any::<(u32, u32)>(), cancel_reason(), text()).prop_map(|((run, grace_ms), reason, message)| {
            ToWorker::Cancel { run, reason, message, grace_ms }
        }),
        (any::<(u32, u32)>(), result).prop_map(|((run, call), result)| ToWorker::Reply { run, call, result }),
        any::<u64>().prop_map(|nonce| ToWorker::Ping { nonce }),
        (any::<u32>(), text()).prop_map(|(grace_ms, reason)| ToWorker::Drain { reason, grace_ms }),
        any::<u32>().prop_map(|run| ToWorker::Dump { run }),
        text().prop_map(|worker_id| ToWorker::Fork { worker_id }),
    ]
}
