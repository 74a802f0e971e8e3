//! What is refused, in which words, and what must never be.

use serde_json::value::RawValue;

use super::{Schema, check_schema};

#[track_caller]
fn problems(schema: &str, value: &str) -> Vec<String> {
    let schema = Schema::read(schema.as_bytes()).unwrap();
    check_schema(&schema, serde_json::from_str::<&RawValue>(value).unwrap(), "p")
}

#[track_caller]
fn takes(schema: &str, values: &[&str]) {
    for value in values {
        assert_eq!(problems(schema, value), Vec::<String>::new(), "{schema} and {value}");
    }
}

#[track_caller]
fn refuses(schema: &str, values: &[&str]) {
    for value in values {
        assert!(!problems(schema, value).is_empty(), "{schema} takes {value}");
    }
}

#[test]
fn all_problems_are_told_at_once_each_with_its_place() {
    let schema = r#"{"type":"object","required":["day","rows"],"additionalProperties":false,"properties":{
        "day":{"type":"string","maxLength":3},"rows":{"type":"array","items":{"type":"integer","minimum":1}},
        "mode":{"enum":["fast","exact"]}}}"#;
    assert_eq!(
        problems(schema, r#"{"rows":[1,"2",0,2.5],"mode":"slow","more":1,"two words":2}"#),
        [
            "p.day: is required",
            r#"p.mode: must be "fast", "exact", and is the text "slow""#,
            "p.more: is not known; known are: day, mode, rows",
            r#"p.rows[1]: must be a whole number, and is the text "2""#,
            "p.rows[2]: must be at least 1",
            "p.rows[3]: must be a whole number, and is 2.5",
            r#"p["two words"]: is not known; known are: day, mode, rows"#,
        ]
    );
    assert_eq!(problems(schema, "[]"), ["p: must be an object, and is a list"]);
    assert_eq!(
        problems(schema, r#"{"day":"日曜日x","rows":[]}"#),
        ["p.day: must have at most 3 characters, and has 4"]
    );
    let many = format!(r#"{{"day":"d","rows":[{}"x"]}}"#, r#""x","#.repeat(50));
    let told = problems(schema, &many);
    assert_eq!((told.len(), told.last().unwrap().as_str()), (21, "and 1 more"));
}

#[test]
fn numbers_are_judged_by_their_digits() {
    takes(
        r#"{"type":"integer"}"#,
        &["0", "-0.0", "3.0", "3e2", "12345678901234567890123", "1e400", "1.5e1", "100e-2"],
    );
    refuses(r#"{"type":"integer"}"#, &["0.5", "1e-1", "12345678901234567890123.5", "\"1\"", "true"]);
    let above = r#"{"exclusiveMinimum":12345678901234567890123}"#;
    takes(above, &["12345678901234567890124", "1e23"]);
    refuses(above, &["12345678901234567890123", "12345678901234567890123.0", "-1e23", "0"]);
    let within = r#"{"minimum":-0.1,"maximum":9007199254740993}"#;
    takes(within, &["-0.1", "-1e-1", "9007199254740993", "0", "-0"]);
    refuses(within, &["-0.10000000000000000001", "9007199254740994", "9007199254740993.00000001"]);
    takes(r#"{"enum":[12345678901234567890123,1.50]}"#, &["12345678901234567890123", "1.5", "15e-1"]);
    refuses(r#"{"enum":[12345678901234567890123]}"#, &["12345678901234567890124"]);
    takes(r#"{"const":{"a":[1.0,null]}}"#, &[r#"{"a":[1,null]}"#]);
    refuses(r#"{"const":null}"#, &["0", "false", "{}"]);
}

#[test]
fn alternatives_and_references() {
    let optional = r##"{"$defs":{"row/x":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},
        "next":{"$ref":"#/$defs/row~1x"}}}},"anyOf":[{"$ref":"#/$defs/row~1x"},{"type":"null"}]}"##;
    takes(optional, &["null", r#"{"n":1}"#, r#"{"n":1,"next":{"n":2}}"#]);
    assert_eq!(
        problems(optional, r#"{"n":1,"next":{"n":"x"}}"#),
        [r#"p.next.n: must be a whole number, and is the text "x""#]
    );
    assert_eq!(
        problems(r#"{"anyOf":[{"type":"integer"},{"type":"null"}]}"#, "\"x\""),
        [r#"p: must be a whole number or null, and is the text "x""#]
    );
    refuses(r#"{"oneOf":[{"maximum":1},{"minimum":5}]}"#, &["3"]);
    takes(r#"{"oneOf":[{"maximum":5},{"minimum":1}]}"#, &["3"]);
    refuses(r#"{"allOf":[{"maximum":5},{"minimum":1}]}"#, &["0", "6"]);
    refuses("false", &["1"]);
    takes("true", &["1"]);
    // A reference to itself ends.
    takes(r##"{"$ref":"#"}"##, &["1"]);
}

#[test]
fn what_is_not_judged_is_let_through() {
    for schema in [
        r#"{"not":{}}"#,
        r#"{"pattern":"^a$"}"#,
        r#"{"format":"date"}"#,
        r#"{"type":"decimal"}"#,
        r#"{"if":true,"then":false}"#,
        r#"{"multipleOf":7}"#,
        r#"{"$ref":"https://example.com/schema"}"#,
        r#"{"exclusiveMinimum":true}"#,
        r#"{"items":[{"type":"null"}]}"#,
    ] {
        takes(schema, &["\"x\"", "5", "[1]", "{}"]);
    }
    takes(r#"{"additionalProperties":false,"patternProperties":{"^x":{}}}"#, &[r#"{"y":1}"#]);
    takes(r#"{"prefixItems":[{"type":"string"}],"items":false}"#, &["[\"a\"]", "[]"]);
    refuses(r#"{"prefixItems":[{"type":"string"}],"items":false}"#, &["[\"a\",1]"]);
    assert!(Schema::read(b"{\"required\":true}").is_err());
    assert!(Schema::read(b"[").is_err());
}

#[test]
fn a_deep_value_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    takes(r##"{"type":"array","items":{"$ref":"#"}}"##, &[&deep]);
}
