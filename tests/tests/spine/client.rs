//! The client for Rust, on the real supervisor.

use std::time::Duration;

use muster_client::{MusterClient, MusterError, NewExecution, RowStatus};
use muster_tests::{Installation, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

const LONG: Option<Duration> = Some(Duration::from_secs(60));
const GREET: &str =
    "export default async ({ name }, ctx) => { ctx.log.info('greeting'); return `Hello, ${name}!`; };\n";

fn installation() -> Installation {
    Installation::new()
        .workflow("greet.js", GREET)
        .workflow("broken.js", "export default () => { throw new RangeError('no'); };\n")
        .workflow("slow.js", "export default (_, ctx) => ctx.sleep(60_000);\n")
}

fn client(installation: &Installation) -> MusterClient {
    MusterClient::new(&format!("{}/api/", installation.url())).unwrap()
}

fn greet(name: &str) -> NewExecution {
    NewExecution::of("greet", &json!({ "name": name })).unwrap()
}

#[test]
fn results_and_errors() {
    let installation = installation();
    let _supervisor = installation.start();
    let client = client(&installation);
    let first = client.submit(&greet("Ada").priority(9).timeout(Duration::from_secs(20))).unwrap();
    assert_eq!(client.result::<String>(first, LONG).unwrap(), "Hello, Ada!");
    assert_eq!(client.logs(first).unwrap()[0].message, "greeting");
    assert!(!client.explain(first).unwrap()[0].message.is_empty());
    let again = client.retry(first).unwrap();
    assert_eq!(client.wait(again, LONG).unwrap().retry_of, Some(first));

    let broken = client.submit(&NewExecution::of("broken", &json!({})).unwrap()).unwrap();
    let Err(MusterError::Failed(row)) = client.result::<Value>(broken, LONG) else {
        panic!("it has a result")
    };
    assert_eq!((row.status, row.error_type.as_deref()), (RowStatus::Failed, Some("RangeError")));

    let slow = client.submit(&NewExecution::of("slow", &json!({})).unwrap()).unwrap();
    let waited = client.result::<Value>(slow, Some(Duration::from_millis(200)));
    assert!(matches!(waited, Err(MusterError::NotFinished(id)) if id == slow), "{waited:?}");
    client.cancel(slow).unwrap();
    assert_eq!(client.wait(slow, LONG).unwrap().status, RowStatus::Cancelled);

    // The command takes such an address, too.
    let shown =
        installation.run(&["show", &first.to_string(), "--url", &format!("{}/api", installation.url())]);
    assert!(shown.status.success(), "{shown:?}");
    let missing = client.get(Uuid::now_v7());
    assert!(matches!(missing, Err(MusterError::Refused { status: 404, .. })), "{missing:?}");
    let refused = client.submit(&greet("Ada").priority(10));
    let Err(MusterError::Refused { status: 400, problems, .. }) = refused else { panic!("{refused:?}") };
    assert!(problems[0].contains("priority"), "{problems:?}");
}

#[test]
fn a_submission_says_which_pauses_keep_it() {
    let installation = installation();
    let _supervisor = installation.start();
    let client = client(&installation);
    assert!(client.submission(&greet("Ada")).unwrap().paused_by.is_empty());
    let paused = installation.run(&["pause", "workflow:greet", "--why", "a deploy"]);
    assert!(paused.status.success(), "{paused:?}");
    let submission = client.submission(&greet("Grace").idempotency_key("grace")).unwrap();
    let [pause] = submission.paused_by.as_slice() else { panic!("{submission:?}") };
    assert_eq!((pause.target.as_str(), pause.why.as_deref()), ("workflow:greet", Some("a deploy")));
    assert!(!submission.existing && !pause.since.is_empty(), "{submission:?}");
    assert!(client.submission(&greet("Grace").idempotency_key("grace")).unwrap().existing);
}

#[test]
fn who_a_submission_names_is_told_of_it() {
    let installation = installation();
    let _supervisor = installation.start();
    let client = client(&installation);
    let every = greet("Ada").webhook("https://receiver.invalid/every", &[]);
    let failures = greet("Ada").webhook("https://receiver.invalid/failures", &["FAILED"]);
    for asked in [&every, &failures] {
        client.submit(asked).unwrap();
        client.result::<String>(asked.id(), LONG).unwrap();
    }
    let shown = installation.run(&["webhook", "deliveries", "--webhook", "request", "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let told: Vec<_> = shown["deliveries"].as_array().unwrap().iter().map(|one| &one["url"]).collect();
    assert_eq!(told, ["https://receiver.invalid/every"]);
    let wrong = client.submit(&greet("Ada").webhook("nowhere", &[]));
    assert!(matches!(wrong, Err(MusterError::Refused { status: 400, .. })), "{wrong:?}");
}

#[test]
fn many_in_pages_and_once() {
    let installation = installation();
    let _supervisor = installation.start();
    let client = client(&installation);
    let mut asked: Vec<_> = (0..130).map(|number| greet(&number.to_string())).collect();
    asked[7] = asked[7].clone().priority(10);
    let made = client.submit_many(&asked).unwrap();
    assert_eq!(made.iter().filter(|one| one.is_err()).count(), 1);
    assert!(made[7].is_err());
    for (number, id) in made.iter().enumerate().filter_map(|(number, id)| Some((number, id.as_ref().ok()?))) {
        assert_eq!(client.result::<String>(*id, LONG).unwrap(), format!("Hello, {number}!"));
    }
    let pages: Vec<_> = client.list(&[("workflow", "greet")]).collect::<Result<_, _>>().unwrap();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [100, 29]);

    let once = greet("Ada").idempotency_key("order 17");
    let first = client.submit(&once).unwrap();
    assert_eq!(client.submit(&greet("Ada").idempotency_key("order 17")).unwrap(), first);
    assert_eq!(client.submit(&once).unwrap(), once.id());
}

#[test]
fn a_body_that_is_too_large_is_refused_and_no_supervisor_that_is_away() {
    let installation = installation();
    let _supervisor = installation.start();
    let large = json!({ "name": "x".repeat(40 * 1024 * 1024) });
    let told = client(&installation).submit(&NewExecution::of("greet", &large).unwrap());
    assert!(matches!(&told, Err(MusterError::Refused { status: 413, .. })), "{told:?}");
}

#[test]
fn a_supervisor_that_goes_away() {
    let installation = installation();
    let supervisor = installation.start();
    let client = client(&installation);
    let slow = client.submit(&NewExecution::of("slow", &json!({})).unwrap()).unwrap();
    eventually("it runs", Duration::from_secs(60), || {
        client.get(slow).is_ok_and(|row| row.status == RowStatus::Running)
    });
    supervisor.kill();
    let impatient = MusterClient::new(&installation.url()).unwrap().with_patience(Duration::ZERO);
    assert!(matches!(impatient.get(slow), Err(MusterError::Unavailable { .. })));
    std::thread::scope(|scope| {
        let submitted = scope.spawn(|| client.submit(&greet("Bo")).unwrap());
        let _supervisor = installation.start();
        let id = submitted.join().unwrap();
        assert_eq!(client.result::<String>(id, LONG).unwrap(), "Hello, Bo!");
    });
}
