//! JavaScript workflows in the real worker.

mod support;

use serde_json::json;
use support::{Start, examples};

#[test]
fn hello_greets() {
    let examples = examples();
    let mut peer = Start::in_folder(&examples).ready();
    assert!(peer.workflows.contains(&"hello".to_owned()), "{:?}", peer.workflows);
    let seen = peer.run("hello", &json!({ "name": "Ada" }));
    assert_eq!(seen.result(), json!({ "greeting": "Hello, Ada!" }));
    assert!(seen.started);
    assert_eq!(seen.messages(), ["greeting Ada"]);
}
