//! Variables and secrets.

use muster_store::{ConfigRecord, Definitions};

use super::super::{DefinitionEdit, plan};
use super::{problems, secret, variable, written};

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
