//! Variables and secrets.

use muster_store::{ConfigRecord, Definitions};

use super::super::{DefinitionEdit, plan};
use super::{problems, secret, variable, written};

#[test]
fn a_number_of_another_digit_is_another_value() {
    for (kept, given) in [
        ("12345678901234567890123", "12345678901234567890124"),
        ("18446744073709551617", "18446744073709551616"),
        ("[18446744073709551617]", "[18446744073709551616]"),
        (r#"{"n": -18446744073709551617}"#, r#"{"n": -18446744073709551616}"#),
        ("0.1", "0.1000000000000000055511151231257827"),
    ] {
        let rows = written(Definitions::default(), &[variable("big", None, kept)]);
        let rows = written(rows, &[variable("big", None, given)]);
        assert_eq!(rows.config[0].value.get(), given);
        assert!(plan(&rows, &[variable("big", None, given)]).unwrap().is_empty());
    }
}

#[test]
fn what_a_database_spelled_in_its_own_way_is_no_change() {
    for (kept, given) in [("10000000000000000000000", "1e22"), (r#"{"a": 1, "b": 2}"#, r#"{"b":2,"a":1}"#)] {
        let rows = written(Definitions::default(), &[variable("big", None, kept)]);
        assert!(plan(&rows, &[variable("big", None, given)]).unwrap().is_empty(), "{given}");
    }
}

#[test]
fn of_a_secret_nothing_is_told() {
    let rows = written(Definitions::default(), &[variable("key", None, "\"open\"")]);
    let change = &plan(&rows, &[secret("key")]).unwrap()[0];
    assert_eq!(change.after.as_deref(), Some("\"(secret)\""));
    let rows = written(rows, &[secret("key")]);
    assert!(matches!(rows.config.as_slice(), [ConfigRecord { is_secret: true, .. }]));
    // What became a secret does not become a variable by mistake.
    let told = problems(&rows, variable("key", None, "1"));
    assert!(told.contains("is a secret") && !told.contains("hush"), "{told}");
    let remove = DefinitionEdit::RemoveVariable { key: "key".into(), organization: None };
    assert!(problems(&rows, remove).contains("there is no such variable"));
    assert!(!format!("{:?}", secret("key")).contains("hush"));
}
