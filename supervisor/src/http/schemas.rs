//! The shapes of bodies and answers, for the OpenAPI document.

use serde_json::{Value, json};

/// Fields that may be null, as OpenAPI 3.1 writes it.
fn nullable(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

fn time() -> Value {
    json!({"type": ["string", "null"], "format": "date-time"})
}

fn list(schema: &str, field: &str) -> Value {
    json!({
        "type": "object",
        "required": [field],
        "properties": {
            field: {"type": "array", "items": {"$ref": format!("#/components/schemas/{schema}")}},
            "next_cursor": nullable("string"),
        }
    })
}

pub(super) fn schemas() -> Value {
    json!({
        "Status": {"type": "string", "enum": ["PENDING", "RUNNING", "SUCCESS", "FAILED", "TIMEOUT", "CANCELLED"]},
        "Request": request(),
        "Accepted": {
            "type": "object",
            "required": ["execution_id"],
            "properties": {
                "execution_id": uuid(),
                "status": {"$ref": "#/components/schemas/Status"},
                "retry_of": uuid(),
            }
        },
        "Execution": execution(),
        "ExecutionPage": list("Execution", "executions"),
        "LogLine": {
            "type": "object",
            "required": ["attempt", "sequence", "at", "level", "stream", "message"],
            "properties": {
                "attempt": {"type": "integer"},
                "sequence": {"type": "integer", "description": "from 1 in each attempt"},
                "at": {"type": "string", "format": "date-time"},
                "level": {"type": "string", "enum": ["trace", "debug", "info", "warn", "error"]},
                "stream": {"type": "string", "enum": ["log", "stderr"]},
                "logger": {"type": "string"},
                "message": {"type": "string"},
                "fields": {"type": "object"},
            }
        },
        "LogPage": list("LogLine", "logs"),
        "Event": {
            "type": "object",
            "required": ["at", "event", "attempt"],
            "properties": {
                "at": {"type": "string", "format": "date-time"},
                "event": {"type": "string"},
                "attempt": {"type": "integer"},
                "supervisor": nullable("string"),
                "detail": nullable("object"),
            }
        },
        "EventPage": list("Event", "events"),
        "Cancelled": {
            "type": "object",
            "required": ["execution_id", "outcome", "status"],
            "properties": {
                "execution_id": uuid(),
                "outcome": {"type": "string", "enum": ["cancelled", "requested", "already_finished", "unknown"]},
                "status": {"$ref": "#/components/schemas/Status"},
            }
        },
        "Pool": pool(),
        "Worker": worker(),
        "Wall": {
            "type": "object",
            "description": "something that keeps workers away from the supervisor's secrets",
            "properties": {
                "wall": {"type": "string", "enum": ["memory", "cores"]},
                "stands": {"type": "boolean"},
                "detail": {"type": "string"},
            }
        },
        "Resize": {
            "type": "object",
            "required": ["min_workers", "max_workers"],
            "properties": {
                "min_workers": {"type": "integer", "minimum": 1},
                "max_workers": {"type": "integer", "maximum": 10_000},
            }
        },
        "Recycle": {
            "type": "object",
            "properties": {
                "worker": {"type": "string", "description": "such as worker-3"},
                "all": {"type": "boolean"},
            }
        },
        "Readiness": {
            "type": "object",
            "description": "without a token, or with a wrong one: only ready",
            "required": ["ready"],
            "properties": {
                "ready": {"type": "boolean"},
                "parts": {"type": "array", "items": {
                    "type": "object",
                    "properties": {
                        "part": {"type": "string"},
                        "ready": {"type": "boolean"},
                        "detail": {"type": "string"},
                    }
                }},
            }
        },
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
            }
        },
    })
}

fn request() -> Value {
    json!({
        "type": "object",
        "description": "One of workflow_id, workflow and code says what to run.",
        "properties": {
            "execution_id": uuid(),
            "workflow_id": uuid(),
            "workflow": {"type": "string"},
            "code": {"type": "string", "contentEncoding": "base64"},
            "script_name": {"type": "string"},
            "language": {"type": "string"},
            "parameters": {"description": "any JSON"},
            "organization_id": uuid(),
            "caller": {"type": "object"},
            "startup": {"description": "any JSON"},
            "form_id": {"type": "string"},
            "api_key_id": {"type": "string"},
            "timeout_seconds": {"type": "number", "exclusiveMinimum": 0},
            "max_attempts": {"type": "integer", "minimum": 1},
            "retry_backoff_seconds": {"type": "number", "minimum": 0},
            "sync": {"type": "boolean"},
            "priority": {"type": "integer", "minimum": 0, "maximum": 9},
            "traceparent": {"type": "string"},
        }
    })
}

fn execution() -> Value {
    json!({
        "type": "object",
        "required": ["execution_id", "status", "attempt"],
        "properties": {
            "execution_id": uuid(),
            "workflow_id": nullable("string"),
            "workflow": nullable("string"),
            "organization_id": nullable("string"),
            "caller": nullable("object"),
            "parameters": {"description": "any JSON; not part of lists"},
            "status": {"$ref": "#/components/schemas/Status"},
            "execution_model": {"const": "process"},
            "result": {"description": "any JSON; not part of lists"},
            "error_type": nullable("string"),
            "error_message": nullable("string"),
            "error_stack": nullable("string"),
            "duration_ms": nullable("integer"),
            "metrics": nullable("object"),
            "attempt": {"type": "integer"},
            "attempts_charged": {"type": "integer"},
            "max_attempts": {"type": "integer"},
            "timeout_seconds": nullable("number"),
            "priority": {"type": "integer"},
            "retry_of": nullable("string"),
            "lease_owner": nullable("string"),
            "lease_expires_at": time(),
            "notified_at": time(),
            "cancel_requested_at": time(),
            "run_after": time(),
            "created_at": time(),
            "started_at": time(),
            "completed_at": time(),
        }
    })
}

fn pool() -> Value {
    json!({
        "type": "object",
        "properties": {
            "supervisor": uuid(),
            "version": {"type": "string"},
            "started_at": {"type": "string", "format": "date-time"},
            "draining": {"type": "boolean"},
            "min_workers": {"type": "integer"},
            "max_workers": {"type": "integer"},
            "generation": {"type": "integer"},
            "running": {"type": "integer"},
            "waiting": {"type": "integer", "description": "claimed and waiting for a worker"},
            "oldest_wait_seconds": {"type": "number"},
            "pending": nullable("integer"),
            "problem": nullable("string"),
            "reload": {"type": "string", "enum": ["settled", "canary", "rolling", "failed"]},
            "walls": {"type": "array", "items": {"$ref": "#/components/schemas/Wall"}},
            "workers": {"type": "array", "items": {"$ref": "#/components/schemas/Worker"}},
        }
    })
}

fn worker() -> Value {
    json!({
        "type": "object",
        "properties": {
            "worker": {"type": "string"},
            "pid": nullable("integer"),
            "state": {"type": "string"},
            "state_seconds": {"type": "number"},
            "age_seconds": {"type": "number"},
            "generation": {"type": "integer"},
            "executions": {"type": "integer"},
            "rss_bytes": nullable("integer"),
            "execution_id": nullable("string"),
            "attempt": nullable("integer"),
            "due": nullable("string"),
        }
    })
}
