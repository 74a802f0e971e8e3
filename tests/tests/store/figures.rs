//! What supervisors note of stretches of time.

use jiff::{SignedDuration, Timestamp};
use muster_store::FiguresRecord;
use uuid::Uuid;

use crate::fixture::{Fixture, raw};

pub(crate) async fn what_is_noted_again_takes_the_place_of_what_was_and_old_stretches_are_forgotten(
    fixture: Fixture,
) {
    let now = Timestamp::from_second(1_700_000_100).unwrap();
    let before = |minutes: i64| now - SignedDuration::from_mins(minutes);
    let [one, other] = [(); 2].map(|()| Uuid::now_v7());
    let note = async |supervisor: Uuid, minutes: u32, begins_at: Timestamp, figures: &str| {
        let figures = FiguresRecord { supervisor, minutes, begins_at, figures: raw(figures) };
        fixture.store.put_figures(&figures, before(30)).await.unwrap();
    };
    let shown = async |minutes: u32, since: Timestamp| {
        let found = fixture.store.figures(minutes, since).await.unwrap();
        found.iter().map(|record| (record.begins_at, record.figures.get().to_owned())).collect::<Vec<_>>()
    };
    note(one, 1, before(60), r#"{"n":1}"#).await;
    note(one, 15, before(60), r#"{"n":2}"#).await;
    assert_eq!(shown(1, before(90)).await.len(), 1, "what is written is not what is forgotten before it");
    note(other, 1, before(20), r#"{"n":3}"#).await;
    note(one, 1, before(20), r#"{"n":4}"#).await;
    note(one, 1, before(20), r#"{"n":5}"#).await;
    note(one, 1, before(10), r#"{"n":6}"#).await;
    let mut found = shown(1, before(90)).await;
    found.sort();
    let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, [r#"{"n":3}"#, r#"{"n":5}"#, r#"{"n":6}"#]);
    assert_eq!(shown(1, before(10)).await.len(), 1, "from then on");
    assert_eq!(shown(15, before(90)).await.len(), 1, "stretches of another length are their own");
}
