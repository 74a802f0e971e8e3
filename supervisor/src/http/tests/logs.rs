//! A log that is followed while it grows.

use std::time::Duration;

use super::served::{line, serve};
use crate::api::LogView;

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_log_comes_live_once_and_complete() {
    let served = serve(None).await;
    let id = served.submit(r#"{"workflow":"w"}"#).await;
    let (claimant, attempt) = served.claim(id).await;
    served.bus.log_lines(attempt, &[line(1), line(2)], Duration::from_secs(60));
    let (heard, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let follower = served.ask(move |client| {
        let mut names = Vec::new();
        for event in client.follow(id, None).unwrap() {
            let event = event.unwrap();
            if event.event == "log" {
                heard.send(serde_json::from_str::<LogView>(&event.data).unwrap().sequence).unwrap();
            }
            names.push(event.event);
        }
        names
    });
    let script = async {
        for expected in 1..=2 {
            assert_eq!(lines.recv().await, Some(expected), "what was there before is shown first");
        }
        served.bus.log_lines(attempt, &[line(3)], Duration::from_secs(60));
        assert_eq!(lines.recv().await, Some(3), "what comes is shown as it comes");
        // The fourth line was never shown live: it is in the record.
        served.finish(claimant, attempt, (1..=4).map(line).collect()).await;
        assert_eq!(lines.recv().await, Some(4));
        assert_eq!(lines.recv().await, None);
    };
    let (names, ()) = tokio::join!(follower, script);
    assert_eq!(names.iter().filter(|name| *name == "log").count(), 4);
    assert_eq!(names.last().map(String::as_str), Some("end"));

    let resumed = served.ask(move |client| {
        let events = client.follow(id, Some("1-3")).unwrap();
        events.map(|event| event.unwrap()).map(|event| (event.event, event.id)).collect::<Vec<_>>()
    });
    assert_eq!(resumed.await, [("log".to_owned(), Some("1-4".to_owned())), ("end".to_owned(), None)]);
    let page = served.ask(move |client| client.logs(id, None).unwrap()).await;
    assert_eq!(page.logs.len(), 4);
    assert!(page.next_cursor.is_none());
}
