//! A user of the broker who may not configure anything: what is there is used, what is missing is named.

use super::connect::{QueueNames, connect, parse};
use super::test_broker::TestBroker;
use super::topology::declare;

#[tokio::test]
async fn what_our_user_may_not_make_is_used_when_it_is_there() {
    let broker = TestBroker::start().await;
    broker.control(&["add_user", "app", "secret"]);
    let allow = |write: &str| broker.control(&["set_permissions", "app", "^$", write, ".*"]);
    allow(".*");
    let administrator = connect(&parse(&(&broker.url()).into()).unwrap(), "test").await.unwrap();
    let url = broker.url().replace("guest:guest", "app:secret");
    let app = connect(&parse(&(&url).into()).unwrap(), "test").await.unwrap();
    let names = QueueNames::new("jobs").unwrap();

    let error = declare(&app, &names).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("exchange jobs.dead is not there and our user may not make it"), "{error}");
    assert!(error.contains("set_permissions"), "{error}");

    declare(&administrator, &names).await.unwrap();
    let found = declare(&app, &names).await.unwrap();
    assert!(found.is_empty(), "{:?}", found);

    allow("^$");
    let differences = declare(&app, &names).await.unwrap();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(differences[0].starts_with("our user may not bind queue jobs.dead"), "{differences:?}");
}
