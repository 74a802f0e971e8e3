//! What requests are accepted, and what people read when they are not.

use base64::Engine as _;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::{ExecutionRequest, InvalidRequest, RequestDraft, Target};

const ID: &str = "0190b8a0-0000-7000-8000-000000000001";
const OTHER: &str = "0190b8a0-0000-7000-8000-000000000002";

fn parse(value: &serde_json::Value) -> Result<ExecutionRequest, InvalidRequest> {
    ExecutionRequest::parse(value.to_string().as_bytes())
}

fn problems(value: &serde_json::Value) -> Vec<String> {
    parse(value).expect_err("must be refused").problems
}

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn every_field_of_the_message_is_read() {
    let request = parse(&json!({
        "execution_id": ID, "code": base64("print('hé')"), "script_name": "nightly.py", "language": "python",
        "parameters": {"a": [1, 2.50]}, "organization_id": OTHER,
        "caller": {"user_id": "u1", "name": "Ada", "email": "ada@example.com"}, "startup": {"s": 1},
        "form_id": "f1", "api_key_id": "k1", "timeout_seconds": 0.25, "max_attempts": 5,
        "retry_backoff_seconds": 0, "sync": true, "priority": 9, "traceparent": "00-ab-cd-01",
        "a field of the future": {"is": "fine"}
    }))
    .unwrap();
    let code = Target::Code {
        code: "print('hé')".to_owned(),
        script_name: "nightly.py".to_owned(),
        language: "python".to_owned(),
    };
    assert_eq!(request.target, code);
    assert_eq!(request.execution_id, ID.parse::<Uuid>().unwrap());
    assert_eq!(request.organization_id, Some(OTHER.parse().unwrap()));
    assert_eq!(request.caller.as_ref().unwrap().get().matches("Ada").count(), 1);
    assert_eq!(request.startup.as_ref().unwrap().get(), r#"{"s":1}"#);
    assert_eq!((request.timeout_seconds, request.max_attempts), (Some(0.25), Some(5)));
    assert_eq!((request.retry_backoff_seconds, request.sync, request.priority), (Some(0.0), true, 9));
    assert_eq!(request.form_id.as_deref(), Some("f1"));
    assert_eq!(request.api_key_id.as_deref(), Some("k1"));
    assert_eq!(request.traceparent.as_deref(), Some("00-ab-cd-01"));
}

#[test]
fn user_data_passes_unparsed() {
    // Key order, repeated keys, number spelling and spaces are the user's business.
    let raw = r#"{"b":1.50,"a":12345678901234567890123,"b": 2e3 }"#;
    let message = format!(r#"{{"execution_id":"{ID}","workflow":"w","parameters":{raw}}}"#);
    let request = ExecutionRequest::parse(message.as_bytes()).unwrap();
    assert_eq!(request.parameters.get(), raw);
    assert!(request.to_stored().contains(raw));
}

#[test]
fn left_out_fields_have_their_defaults() {
    let request =
        parse(&json!({"execution_id": ID, "workflow": "w", "priority": null, "caller": null})).unwrap();
    assert_eq!(request.parameters.get(), "{}");
    assert_eq!((request.sync, request.priority, request.timeout_seconds), (false, 0, None));
    assert_eq!(request.to_stored(), format!(r#"{{"execution_id":"{ID}","workflow":"w","parameters":{{}}}}"#));
}

#[test]
fn parameters_may_be_any_json_and_have_a_short_name() {
    for params in [json!(null), json!(7), json!("text"), json!([1, null])] {
        let request = parse(&json!({"execution_id": ID, "workflow": "w", "params": params})).unwrap();
        assert_eq!(request.parameters.get(), params.to_string());
    }
    let both = problems(&json!({"execution_id": ID, "workflow": "w", "params": 1, "parameters": 1}));
    assert_eq!(both, ["parameters, params: two names of one field; give one of them"]);
}

#[test]
fn all_problems_are_reported_at_once() {
    let refused = parse(&json!({
        "execution_id": ID, "workflow": "", "organization_id": "acme", "caller": [1], "timeout_seconds": 0,
        "max_attempts": 1.5, "retry_backoff_seconds": -1, "sync": "yes", "priority": 10, "form_id": 7
    }))
    .unwrap_err();
    assert_eq!(refused.execution_id, Some(ID.parse().unwrap()));
    insta::assert_snapshot!(refused.problems.join("\n"), @r#"
    workflow: must not be empty
    organization_id: must be a UUID, not "acme"
    caller: must be a JSON object, not [1]
    form_id: must be a string, not 7
    timeout_seconds: must be a number of seconds above 0 and at most 31536000, not 0
    max_attempts: must be a whole number from 1 to 1000, not 1.5
    retry_backoff_seconds: must be a number of seconds from 0 to 86400, not -1
    sync: must be true or false, not "yes"
    priority: must be a whole number from 0 to 9, not 10
    "#);
}

#[test]
fn exactly_one_thing_to_run() {
    assert_eq!(
        problems(&json!({"execution_id": ID})),
        ["workflow_id, workflow, code: all missing; give exactly one of them"]
    );
    assert_eq!(
        problems(&json!({"execution_id": ID, "workflow": "w", "workflow_id": OTHER})),
        ["workflow_id, workflow, code: more than one given; give exactly one of them"]
    );
    assert_eq!(
        problems(&json!({"execution_id": ID, "workflow": "w", "language": "python"})),
        ["script_name, language: only go with code"]
    );
}

#[test]
fn the_id_is_required_unless_the_caller_has_one() {
    let message = br#"{"workflow":"w"}"#;
    let refused = ExecutionRequest::parse(message).unwrap_err();
    assert_eq!(refused.problems, ["execution_id: is missing; give a UUID"]);
    let id = Uuid::now_v7();
    let request = RequestDraft::parse(message).unwrap().with_default_id(id).into_request().unwrap();
    assert_eq!(request.execution_id, id);
}

#[test]
fn what_is_no_object_is_refused() {
    for bytes in [&b""[..], b"7", b"[]", b"{", b"\xff{}", br#"{"execution_id":"#] {
        let refused = ExecutionRequest::parse(bytes).unwrap_err();
        assert!(refused.to_string().starts_with("invalid request: not a JSON object"), "{refused}");
    }
}

#[test]
fn code_must_be_base64_of_text() {
    for (code, problem) in [
        ("%%%".to_owned(), "code: must be base64: "),
        (base64("  \n"), "code: must not be empty"),
        ("/w==".to_owned(), "code: must be UTF-8 source text under the base64"),
    ] {
        let found = problems(&json!({"execution_id": ID, "code": code}));
        assert!(found.len() == 1 && found[0].starts_with(problem), "{found:?}");
    }
}

#[test]
fn identifiers_and_the_whole_have_a_limit() {
    let long = "w".repeat(1025);
    assert_eq!(
        problems(&json!({"execution_id": ID, "workflow": long})),
        ["workflow: is 1025 bytes long; at most 1024 are allowed"]
    );
    let control = problems(&json!({"execution_id": ID, "workflow": "a\u{0}b"}));
    assert!(control[0].starts_with("workflow: must not hold control characters"), "{control:?}");
    let huge = problems(&json!({"execution_id": ID, "workflow": "w", "parameters": "x".repeat(16 << 20)}));
    assert!(huge[0].contains("fit in a frame"), "{huge:?}");
}

#[test]
fn a_minimal_message_takes_what_it_lacks_from_the_pending_record() {
    let minimal =
        RequestDraft::parse(format!(r#"{{"execution_id":"{ID}","priority":3}}"#).as_bytes()).unwrap();
    assert!(minimal.is_minimal());
    let record = json!({"workflow": "w", "parameters": {"a": 1}, "priority": 1, "sync": true}).to_string();
    let request = minimal.or(RequestDraft::parse(record.as_bytes()).unwrap()).into_request().unwrap();
    assert_eq!(request.target, Target::Name { workflow: "w".to_owned() });
    assert_eq!((request.parameters.get(), request.priority, request.sync), (r#"{"a":1}"#, 3, true));

    let whole =
        RequestDraft::parse(format!(r#"{{"execution_id":"{ID}","workflow":"mine"}}"#).as_bytes()).unwrap();
    assert!(!whole.is_minimal());
    let request = whole.or(RequestDraft::parse(record.as_bytes()).unwrap()).into_request().unwrap();
    assert_eq!(request.target, Target::Name { workflow: "mine".to_owned() });
}

#[test]
fn a_trace_that_comes_beside_the_body_stands_below_what_is_said_in_it() {
    let (said, beside) = ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-ab-cd-01");
    let trace_of = |body: &str, record: &str| {
        let mut draft = RequestDraft::parse(body.as_bytes()).unwrap();
        draft.take_traceparent(beside);
        draft.take_traceparent("");
        draft.take_traceparent("\u{7}");
        draft.or(RequestDraft::parse(record.as_bytes()).unwrap()).into_request().unwrap().traceparent
    };
    let minimal = format!(r#"{{"execution_id":"{ID}"}}"#);
    let whole = format!(r#"{{"execution_id":"{ID}","workflow":"w","traceparent":"{said}"}}"#);
    assert_eq!(trace_of(&minimal, r#"{"workflow":"w"}"#).as_deref(), Some(beside));
    assert_eq!(
        trace_of(&minimal, &format!(r#"{{"workflow":"w","traceparent":"{said}"}}"#)).as_deref(),
        Some(said)
    );
    assert_eq!(trace_of(&whole, "{}").as_deref(), Some(said));
}

#[test]
fn problems_of_the_pending_record_say_where_they_are() {
    let minimal = RequestDraft::of(ID.parse().unwrap());
    let record = RequestDraft::parse(br#"{"workflow":"w","priority":77}"#).unwrap();
    let refused = minimal.or(record).into_request().unwrap_err();
    assert_eq!(refused.problems, ["pending record: priority: must be a whole number from 0 to 9, not 77"]);
}

#[test]
fn user_data_out_of_bounds_is_refused_with_its_path() {
    let with = |name: &str, json: &str| {
        let message = format!(r#"{{"execution_id":"{ID}","workflow":"w","{name}":{json}}}"#);
        ExecutionRequest::parse(message.as_bytes()).unwrap_err().problems.join("; ")
    };
    for (name, json, problem) in [
        (
            "parameters",
            r#"{"items":[0,1,2,{"price":1e100000}]}"#,
            "parameters.items[3].price: is a number with an exponent",
        ),
        ("params", r#"{"name":"a\u0000b"}"#, "params.name: holds the character U+0000"),
        ("caller", r#"{"name":"\ud83d"}"#, "caller.name: holds half of a surrogate pair"),
        ("startup", "[1e-401]", "startup[0]: is a number with an exponent beyond 400"),
    ] {
        let problems = with(name, json);
        assert!(problems.starts_with(problem) && !problems.contains("; caller"), "{problems}");
    }
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(with("parameters", &nested(999)).contains("…: is nested more than 512 deep"));
    let deepest = format!(r#"{{"execution_id":"{ID}","workflow":"w","parameters":{}}}"#, nested(512));
    let request = ExecutionRequest::parse(deepest.as_bytes()).unwrap();
    assert_eq!(request.parameters.get(), nested(512));
    assert_eq!(
        ExecutionRequest::parse(request.to_stored().as_bytes()).unwrap().parameters.get(),
        nested(512)
    );
}

fn any_request() -> impl Strategy<Value = serde_json::Value> {
    let target = prop_oneof![
        any::<u128>().prop_map(|id| json!({"workflow_id": Uuid::from_u128(id)})),
        "[^\\p{Cc}]{1,40}".prop_map(|name| json!({"workflow": name})),
        ("[^ \n\t\r\x0c].{0,40}", "[a-z]{1,9}").prop_map(|(code, language)| {
            json!({"code": base64(&code), "script_name": "s.py", "language": language})
        }),
    ];
    let limits = (0.001..1e6_f64, 1..1000_u32, 0.0..86_400.0_f64, any::<bool>(), 0..10_u8);
    (target, any::<u128>(), "[^\\x00]{0,40}", limits, any::<Option<u128>>()).prop_map(
        |(mut value, id, text, (timeout, attempts, backoff, sync, priority), organization)| {
            value["execution_id"] = json!(Uuid::from_u128(id));
            value["parameters"] = json!({"text": text, "list": [timeout, null]});
            value["timeout_seconds"] = json!(timeout);
            value["max_attempts"] = json!(attempts);
            value["retry_backoff_seconds"] = json!(backoff);
            value["sync"] = json!(sync);
            value["priority"] = json!(priority);
            value["organization_id"] = json!(organization.map(Uuid::from_u128));
            value
        },
    )
}

proptest! {
    #[test]
    fn what_is_stored_reads_back_the_same(value in any_request()) {
        let stored = parse(&value).unwrap().to_stored();
        let again = ExecutionRequest::parse(stored.as_bytes()).unwrap();
        prop_assert_eq!(again.to_stored(), stored);
        prop_assert_eq!(again.target, parse(&value).unwrap().target);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ExecutionRequest::parse(&bytes);
    }
}

#[test]
fn when_it_may_start_is_kept_as_it_was_asked_for() {
    let message = json!({"execution_id": ID, "workflow": "w", "queue": "python", "run_at": "2027-03-28T02:30:00+02:00",
        "expires_seconds": 60});
    let request = ExecutionRequest::parse(message.to_string().as_bytes()).unwrap();
    assert_eq!(request.window.run_at.unwrap().to_string(), "2027-03-28T00:30:00Z");
    assert_eq!((request.window.delay_seconds, request.window.expires_seconds), (None, Some(60.0)));
    assert_eq!(request.queue.as_deref(), Some("python"));
    let again = ExecutionRequest::parse(request.to_stored().as_bytes()).unwrap();
    assert_eq!((again.window, again.queue), (request.window, request.queue));

    let minimal =
        RequestDraft::parse(format!(r#"{{"execution_id":"{ID}","delay_seconds":5}}"#).as_bytes()).unwrap();
    let record =
        json!({"workflow": "w", "run_at": "2027-03-28T02:30:00Z", "expires_at": "2027-03-29T00:00:00Z"});
    let record = RequestDraft::parse(record.to_string().as_bytes()).unwrap();
    let window = minimal.or(record).into_request().unwrap().window;
    assert_eq!((window.delay_seconds, window.run_at), (Some(5.0), None), "the message's own word stands");
    assert!(window.expires_at.is_some(), "what it does not say is the record's");
}

#[test]
fn a_window_that_makes_no_sense_says_what_would() {
    let of = |fields: serde_json::Value| {
        let mut message = json!({"execution_id": ID, "workflow": "w"});
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        problems(&message)
    };
    let offset = of(json!({"run_at": "2027-03-28T02:30:00"}));
    assert!(offset[0].starts_with("run_at: must be a time with its offset from UTC"), "{offset:?}");
    let twice = of(json!({"run_at": "2027-03-28T02:30:00Z", "delay_seconds": 1}));
    assert_eq!(twice, ["run_at, delay_seconds: two ways to say one thing; give one of them"]);
    let never = of(json!({"delay_seconds": 60, "expires_seconds": 30}));
    assert!(never[0].contains("expire before it may start"), "{never:?}");
    let negative = of(json!({"delay_seconds": -1, "expires_seconds": 0, "queue": "a b"}));
    assert_eq!(negative.len(), 3, "{negative:?}");
}
