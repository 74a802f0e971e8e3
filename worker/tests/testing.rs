//! Workflows in unit tests, as their authors write them.

use std::time::Duration;

use muster_worker::testing::{SubmittedExecution, TestContext};
use muster_worker::{Context, LogLevel, WorkflowError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Order {
    item: String,
    count: u32,
}

#[derive(Serialize)]
struct Receipt {
    total: u32,
    region: String,
}

async fn order(params: Order, ctx: Context) -> Result<Receipt, WorkflowError> {
    if params.count == 0 {
        return Err(WorkflowError::new("NothingOrdered", "count must be at least 1").retryable(false));
    }
    let before = ctx.state().get::<u32>(&params.item).await?.unwrap_or(0);
    let total = before + params.count;
    ctx.state().set(&params.item, &total).await?;
    ctx.progress(1, 2, "counted");
    ctx.submit("ship", &json!({ "item": params.item })).await?;
    ctx.log().write(LogLevel::Info, "ordered", &json!({ "total": total }));
    let region = ctx.config().get::<String>("region").await?.unwrap_or_default();
    Ok(Receipt { total, region })
}

#[test]
fn what_a_workflow_is_given_and_what_it_does() {
    let test = TestContext::new().config("region", "eu").state("pen", 4);
    let receipt = test.run(order, &json!({ "item": "pen", "count": 2 })).unwrap();
    assert_eq!(receipt, json!({ "total": 6, "region": "eu" }));
    assert_eq!(test.states()["pen"], 6);
    assert_eq!(
        test.submitted(),
        [SubmittedExecution { workflow: "ship".into(), params: json!({ "item": "pen" }) }]
    );
    assert_eq!(
        (test.logs()[0].message.as_str(), &test.logs()[0].fields),
        ("ordered", &json!({ "total": 6 }))
    );
    assert_eq!(test.progresses()[0].message, "counted");
    let methods: Vec<_> = test.calls().into_iter().map(|call| call.method).collect();
    assert_eq!(methods, ["state.get", "state.set", "execution.submit"]);

    let again = test.run(order, &json!({ "item": "pen", "count": 1 })).unwrap();
    assert_eq!(again["total"], 7, "state goes on");
}

#[test]
fn a_workflow_fails_as_it_would_in_a_worker() {
    let test = TestContext::new();
    let kind = |params: Value| test.run(order, &params).unwrap_err().kind().to_owned();
    assert_eq!(kind(json!({ "item": "pen", "count": 0 })), "NothingOrdered");
    assert_eq!(kind(json!({ "item": "pen" })), "InvalidParameters");

    let away = TestContext::new()
        .answer("state.get", |_| Err(WorkflowError::new("StateUnavailable", "no database")));
    let error = away.run(order, &json!({ "item": "pen", "count": 1 })).unwrap_err();
    assert_eq!((error.kind(), error.message()), ("StateUnavailable", "no database"));

    let panicked = test.run_blocking(|_: Value, _| -> Result<(), _> { panic!("no such thing") }, &json!({}));
    assert_eq!(panicked.unwrap_err().message(), "no such thing");
}

#[test]
#[should_panic(
    expected = "there is no call \"state.gete\" to be answered, and nothing made it; did you mean state.get?"
)]
fn an_answer_to_a_call_there_is_not_is_a_mistake_of_the_test() {
    let test = TestContext::new().answer("state.gete", |_| Ok(json!(7)));
    let _ = test.run(order, &json!({ "item": "pen", "count": 1 }));
}

#[test]
fn an_answer_to_a_call_of_ones_own_counts() {
    let test = TestContext::new().answer("odd.method", |_| Ok(json!(7)));
    let asks = |_: Value, ctx: Context| async move { ctx.call::<u32>("odd.method", &json!({})).await };
    assert_eq!(test.run(asks, &Value::Null).unwrap(), 7);
}

#[test]
fn time_and_cancels_end_a_workflow() {
    let test = TestContext::new().timeout(Duration::from_millis(20));
    let waits = |_: Value, ctx: Context| async move { ctx.sleep(Duration::from_secs(60)).await };
    assert_eq!(test.run(waits, &Value::Null).unwrap_err().kind(), "Cancelled");

    let ctx = TestContext::new();
    let context = ctx.context();
    assert!(context.check().is_ok());
    ctx.cancel("enough");
    assert!(context.check().unwrap_err().message().contains("enough"));
}

/// What a workflow gave that JSON does not have.
#[test]
fn a_number_that_json_does_not_have_is_refused() {
    #[derive(Serialize)]
    struct Ratio {
        of: Option<u32>,
        ratio: f64,
    }
    let ratio = || Ratio { of: None, ratio: f64::NAN };
    let test = TestContext::new();
    let told = |error: WorkflowError| (error.kind().to_owned(), error.message().to_owned());
    let words = "ratio is NaN; JSON has no such number, write null or a string instead";

    let error = test.run_blocking(move |_: Value, _| Ok(vec![ratio()]), &Value::Null).unwrap_err();
    assert_eq!(told(error), ("InvalidResult".into(), format!("the result is refused: result[0].{words}")));

    let ctx = test.context();
    let error = ctx.wait(ctx.state().set("k", &ratio())).unwrap_err();
    assert_eq!(told(error), ("InvalidValue".into(), format!("state.set is refused: value.{words}")));
    let error = ctx.wait(ctx.submit("w", &ratio())).unwrap_err();
    assert_eq!(told(error), ("InvalidValue".into(), format!("execution.submit is refused: params.{words}")));
    assert!(test.calls().is_empty());

    let error = test.run_blocking(|_: Value, _| Ok(1), &ratio()).unwrap_err();
    assert_eq!(
        told(error),
        ("InvalidParameters".into(), format!("the parameters are refused: params.{words}"))
    );

    ctx.log().write(LogLevel::Info, "m", &ratio());
    assert_eq!(test.logs()[0].fields, json!({ "of": null, "ratio": null, "fields_dropped": words }));
}

#[test]
fn an_error_is_shown_and_goes_with_other_errors() {
    fn local() -> Result<(), Box<dyn std::error::Error>> {
        let params = serde_json::from_str::<Value>("{}")?;
        TestContext::new().run(order, &params)?;
        Ok(())
    }
    fn shared() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err(WorkflowError::new("", "without a kind"))?
    }
    let error = local().unwrap_err();
    let words = "InvalidParameters: the parameters do not fit: missing field `item` at line 1 column 2";
    assert_eq!((error.to_string().as_str(), format!("{error:#}").as_str()), (words, words));
    assert_eq!(shared().unwrap_err().to_string(), "without a kind");
}
