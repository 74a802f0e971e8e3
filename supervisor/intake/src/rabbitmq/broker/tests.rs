//! The consumer, the publisher and the dead letters against a real broker.
//!
//! Starting a broker takes seconds, so the scenarios share one; each has a queue of its own.

mod stage;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use muster_bus::Bus;
use muster_core::execution::Status;
use serde_json::json;
use uuid::Uuid;

use super::rows::IntakeRows;
use super::test_broker::TestBroker;
use crate::rabbitmq::{
    DeadLetters, IntakeOptions, LetterChoice, LetterKey, QueuePublisher, RabbitIntake, inspect,
};
use stage::{Board, LIMIT, Scene, eventually, healthy, whole};

async fn every_message_is_claimed_once_and_acknowledged(broker: &TestBroker) {
    let scene = Scene::new(broker, "many", 50);
    scene.publish(5000).await;
    let intake = scene.consume();
    eventually("all run", async || scene.board.runs() == 5000).await;
    scene.queue_is_empty().await;
    intake.stop().await;
    let claims = scene.board.claims.load(Ordering::SeqCst);
    // How many wait for a claim depends on how fast a busy broker hands them out. Each in a claim of its own would be 5,000.
    assert!(claims < 2500, "claims are batched, but there were {claims}");
    assert_eq!(inspect(&scene.url, "many").await.unwrap().messages, 0);
}

async fn the_same_message_three_times_is_one_run(broker: &TestBroker) {
    let scene = Scene::new(broker, "twins", 10);
    let id = Uuid::now_v7();
    scene.publisher.publish(&[whole(id), whole(id), whole(id)]).await.unwrap();
    let intake = scene.consume();
    eventually("it runs", async || scene.board.runs() == 1).await;
    scene.publisher.publish(&[whole(id)]).await.unwrap();
    scene.queue_is_empty().await;
    healthy(&intake, |health| health.consuming).await;
    intake.stop().await;
    assert_eq!((scene.board.runs(), inspect(&scene.url, "twins").await.unwrap().messages), (1, 0));
}

async fn unusable_messages_are_dead_lettered_with_the_reason(broker: &TestBroker) {
    let scene = Scene::new(broker, "unusable", 10);
    let (bad, refused, good) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let bodies = [
        b"nonsense".to_vec(),
        json!({"execution_id": bad, "workflow": "w", "priority": 77}).to_string().into_bytes(),
        json!({"execution_id": refused, "workflow": "w", "parameters": "refuse me"}).to_string().into_bytes(),
        whole(good),
    ];
    scene.publisher.publish(&bodies).await.unwrap();
    let intake = scene.consume();
    healthy(&intake, |health| health.dead_lettered == 3).await;
    eventually("the good one runs", async || scene.board.runs() == 1).await;
    scene.queue_is_empty().await;
    intake.stop().await;
    let letters = scene.dead().await;
    let find = |id| letters.iter().find(|letter| letter.execution_id == id).unwrap();
    assert!(find(None).reason.starts_with("InvalidRequest: not a JSON object"), "{letters:?}");
    assert_eq!(
        find(Some(bad)).reason,
        "InvalidRequest: priority: must be a whole number from 0 to 9, not 77"
    );
    assert_eq!(find(Some(refused)).reason, "InvalidRequest: the database says no");
    assert_eq!(scene.board.failure(bad).as_deref(), Some("InvalidRequest"));
    assert_eq!(letters.len(), 3);

    let dead = DeadLetters::open(&scene.url, "unusable").await.unwrap();
    let key = find(None).key;
    assert_eq!(key, LetterKey::of(b"nonsense"));
    assert_eq!(dead.purge(LetterChoice::Key(LetterKey::of(b"other"))).await.unwrap(), 0);
    assert_eq!(dead.purge(LetterChoice::Key(key)).await.unwrap(), 1);
    let left = dead.list(10).await.unwrap();
    assert!(left.len() == 2 && left.iter().all(|letter| letter.key != key), "{left:?}");
    // Somebody else looks at them, and gives them back.
    let uri = super::connect::parse(&(&scene.url).into()).unwrap();
    let connection = super::connect::connect(&uri, "test").await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    for _ in 0..2 {
        let looked_at = channel.basic_get("unusable.dead".into(), lapin::options::BasicGetOptions::default());
        assert!(looked_at.await.unwrap().is_some());
    }
    let mut purged = Box::pin(dead.purge(LetterChoice::Execution(bad)));
    let answered = tokio::time::timeout(std::time::Duration::from_millis(200), &mut purged).await;
    assert!(answered.is_err(), "it is looked for until it is back: {answered:?}");
    channel.close(200, "seen".into()).await.unwrap();
    assert_eq!(purged.await.unwrap(), 1);
    assert_eq!(dead.purge(LetterChoice::All).await.unwrap(), 1);
    assert!(scene.dead().await.is_empty());
}

/// Its headers fill a frame as they are: with a reason beside them it breaks the connection of whoever publishes it.
async fn a_letter_whose_headers_fill_a_frame_goes_without_the_largest(broker: &TestBroker) {
    use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
    use lapin::types::{AMQPValue, FieldTable};
    let scene = Scene::new(broker, "poison", 10);
    scene.publish(1).await;
    let uri = super::connect::parse(&(&scene.url).into()).unwrap();
    let connection = super::connect::connect(&uri, "test").await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut headers = FieldTable::default();
    headers.insert("filling".into(), AMQPValue::LongString("x".repeat(131_000).into()));
    let properties = lapin::BasicProperties::default().with_headers(headers);
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), "poison".into(), options, b"nonsense", properties).await;
    assert!(sent.unwrap().await.unwrap().is_ack());
    scene.publisher.publish(&vec![b"more nonsense".to_vec(); 7]).await.unwrap();
    let intake = scene.consume();
    healthy(&intake, |health| health.dead_lettered == 8 && health.dead_letter_problem.is_none()).await;
    intake.stop().await;
    scene.queue_is_empty().await;
    let reasons: Vec<String> = scene.dead().await.into_iter().map(|letter| letter.reason).collect();
    let without: Vec<_> = reasons.iter().filter(|reason| reason.contains("left out: filling (131")).collect();
    assert!(reasons.len() == 8 && without.len() == 1, "{reasons:?}");
}

async fn minimal_messages_use_their_row_or_their_pending_record(broker: &TestBroker) {
    let scene = Scene::new(broker, "minimal", 10);
    let minimal = |id: Uuid| json!({ "execution_id": id }).to_string().into_bytes();
    let (row, record, late, never) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    scene.board.rows.lock().unwrap().insert(row, (Status::Pending, None));
    scene.bus.put_pending(record, Bytes::from_static(br#"{"workflow":"w"}"#)).await.unwrap();
    let intake = scene.consume();
    let bodies: Vec<Vec<u8>> = [row, record, late, never].into_iter().map(minimal).collect();
    scene.publisher.publish(&bodies).await.unwrap();
    eventually("two run", async || scene.board.runs() == 2).await;
    scene.bus.put_pending(late, Bytes::from_static(br#"{"workflow":"w"}"#)).await.unwrap();
    eventually("the late one runs", async || scene.board.runs() == 3).await;
    // Others are not held up by one that waits for its record.
    scene.publish(20).await;
    eventually("the others run", async || scene.board.runs() == 23).await;
    assert_eq!(scene.board.failure(never), None, "it is given some seconds");
    eventually("it is given up", async || scene.board.failure(never).is_some()).await;
    assert_eq!(scene.board.failure(never).as_deref(), Some("PendingNotFound"));
    healthy(&intake, |health| health.dead_lettered == 1).await;
    scene.queue_is_empty().await;
    intake.stop().await;
    assert!(scene.dead().await[0].reason.starts_with("PendingNotFound"));
}

async fn without_slots_deliveries_stop_and_what_is_held_becomes_rows(broker: &TestBroker) {
    let scene = Scene::new(broker, "slots", 4);
    scene.board.keep_slots.store(true, Ordering::SeqCst);
    scene.publish(30).await;
    let intake = scene.consume();
    eventually("as many run as there are slots", async || scene.board.runs() == 4).await;
    healthy(&intake, |health| !health.consuming).await;
    // The queue keeps the rest for others; only what was on its way is held, and then kept as rows.
    let waiting = inspect(&scene.url, "slots").await.unwrap().messages;
    assert!(waiting >= 15, "only {waiting} left in the queue");
    let held = 26 - waiting as usize;
    eventually("what is held becomes rows", async || scene.board.count(Status::Pending) == held).await;
    // A slot becomes free: the next message comes.
    scene.board.slots.add_permits(1);
    eventually("one more runs", async || scene.board.runs() == 5).await;
    intake.stop().await;
    // What was neither claimed nor kept went back.
    let kept = scene.board.rows.lock().unwrap().len();
    assert_eq!(inspect(&scene.url, "slots").await.unwrap().messages as usize, 30 - kept);
}

async fn without_the_store_messages_wait_and_nothing_is_lost(broker: &TestBroker) {
    let scene = Scene::new(broker, "away", 10);
    scene.board.away.store(true, Ordering::SeqCst);
    scene.publish(100).await;
    scene
        .publisher
        .publish(&[json!({"execution_id": Uuid::now_v7(), "sync": 3}).to_string().into_bytes()])
        .await
        .unwrap();
    let intake = scene.consume();
    healthy(&intake, |health| health.consuming).await;
    healthy(&intake, |health| !health.consuming).await;
    assert_eq!(scene.board.runs(), 0);
    scene.board.away.store(false, Ordering::SeqCst);
    eventually("all run", async || scene.board.runs() == 100).await;
    scene.queue_is_empty().await;
    intake.stop().await;
    assert_eq!((scene.board.count(Status::Failed), scene.dead().await.len()), (1, 1));
}

async fn a_queue_with_other_arguments_is_used_and_reported(broker: &TestBroker) {
    use lapin::options::QueueDeclareOptions;
    let scene = Scene::new(broker, "classic", 10);
    let uri = super::connect::parse(&(&scene.url).into()).unwrap();
    let connection = super::connect::connect(&uri, "test").await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare("classic".into(), durable, lapin::types::FieldTable::default()).await.unwrap();
    scene.publish(3).await;
    let intake = scene.consume();
    eventually("all run", async || scene.board.runs() == 3).await;
    let differences = intake.health().borrow().differences.clone();
    assert!(differences[0].contains("queue classic exists with other arguments"), "{differences:?}");
    intake.stop().await;
    assert_eq!(inspect(&scene.url, "classic").await.unwrap().differences.len(), 1);
}

/// Of a quorum queue without a delivery limit too, which puts at its end what is nacked.
async fn leaving_gives_messages_back_in_their_place(broker: &TestBroker) {
    use lapin::options::{BasicGetOptions, QueueDeclareOptions};
    use lapin::types::{AMQPValue, FieldTable};
    let scene = Scene::new(broker, "order", 4);
    scene.board.keep_slots.store(true, Ordering::SeqCst);
    let uri = super::connect::parse(&(&scene.url).into()).unwrap();
    let connection = super::connect::connect(&uri, "test").await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let mut quorum = FieldTable::default();
    quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare("order".into(), durable, quorum).await.unwrap();
    let ids = scene.publish(30).await;
    let intake = scene.consume();
    eventually("as many run as there are slots", async || scene.board.runs() == 4).await;
    healthy(&intake, |health| !health.consuming).await;
    let waiting = inspect(&scene.url, "order").await.unwrap().messages;
    assert!(waiting < 26, "none is held");
    intake.stop().await;
    // The broker puts back what a consumer held after it has answered the end of its connection.
    eventually("all that was held is back", async || {
        inspect(&scene.url, "order").await.unwrap().messages == 26
    })
    .await;
    let mut left = Vec::new();
    while left.len() < 26 {
        let Some(message) = channel.basic_get("order".into(), BasicGetOptions::default()).await.unwrap()
        else {
            continue;
        };
        let draft = muster_core::execution::RequestDraft::parse(&message.delivery.data).unwrap();
        left.push(draft.execution_id.unwrap());
    }
    assert_eq!(left, ids[4..], "{waiting} were not held");
}

async fn a_blocked_broker_is_reported_and_survived(broker: &TestBroker) {
    let scene = Scene::new(broker, "blocked", 10);
    // More than may be on their way at first.
    scene.publisher.publish(&vec![b"nonsense".to_vec(); 25]).await.unwrap();
    scene.publish(5).await;
    broker.control(&["set_vm_memory_high_watermark", "0.000001"]);
    let intake = scene.consume();
    // Nothing can be published, so nothing can be dead-lettered; consuming goes on.
    eventually("all run", async || scene.board.runs() == 5).await;
    healthy(&intake, |health| health.dead_letter_problem.is_some()).await;
    let error = scene.publisher.publish(&[b"more nonsense".to_vec()]).await.unwrap_err();
    assert!(error.to_string().contains("is it short of memory or disk?"), "{error}");
    broker.control(&["set_vm_memory_high_watermark", "0.4"]);
    healthy(&intake, |health| health.dead_lettered >= 25 && health.dead_letter_problem.is_none()).await;
    scene.queue_is_empty().await;
    intake.stop().await;
}

#[tokio::test]
async fn on_a_real_broker() {
    let broker = TestBroker::start().await;
    every_message_is_claimed_once_and_acknowledged(&broker).await;
    the_same_message_three_times_is_one_run(&broker).await;
    unusable_messages_are_dead_lettered_with_the_reason(&broker).await;
    a_letter_whose_headers_fill_a_frame_goes_without_the_largest(&broker).await;
    minimal_messages_use_their_row_or_their_pending_record(&broker).await;
    without_slots_deliveries_stop_and_what_is_held_becomes_rows(&broker).await;
    without_the_store_messages_wait_and_nothing_is_lost(&broker).await;
    a_queue_with_other_arguments_is_used_and_reported(&broker).await;
    leaving_gives_messages_back_in_their_place(&broker).await;
    a_blocked_broker_is_reported_and_survived(&broker).await;
}

#[tokio::test]
async fn a_restart_of_the_broker_loses_nothing() {
    let mut broker = TestBroker::start().await;
    let scene = Scene::new(&broker, "restart", 20);
    let intake = scene.consume();
    healthy(&intake, |health| health.consuming).await;
    for (round, end) in [(1, TestBroker::stop as fn(&mut TestBroker)), (2, TestBroker::kill)] {
        scene.publish(500).await;
        // It ends in the midst of deliveries and acknowledgements.
        eventually("some run", async || scene.board.runs() > round * 500 - 500).await;
        end(&mut broker);
        healthy(&intake, |health| health.problem.is_some()).await;
        broker.start_again().await;
        eventually("all run", async || scene.board.runs() == round * 500).await;
        scene.queue_is_empty().await;
    }
    intake.stop().await;
    assert_eq!(scene.board.runs(), 1000);
    assert_eq!(inspect(&broker.url(), "restart").await.unwrap().messages, 0);
}

#[tokio::test]
async fn it_stops_also_while_the_broker_is_away() {
    let board = Board::new(1);
    let options = IntakeOptions {
        broker: "amqp://127.0.0.1:1/%2f".into(),
        queue: "q".to_owned(),
        default_max_attempts: 3,
        idempotency: std::time::Duration::from_secs(60),
    };
    let rows = Arc::clone(&board) as Arc<dyn IntakeRows>;
    let intake = RabbitIntake::start_on(&options, board, rows, Bus::in_process("test")).unwrap();
    healthy(&intake, |health| health.problem.as_deref().is_some_and(|problem| problem != "connecting")).await;
    tokio::time::timeout(LIMIT, intake.stop()).await.expect("it stops");
}

#[test]
fn wrong_settings_are_refused_at_once() {
    assert!(
        QueuePublisher::new("redis://x", "q").unwrap_err().to_string().starts_with("amqp_url cannot be used")
    );
    assert!(QueuePublisher::new("amqp://x", &"q".repeat(300)).unwrap_err().to_string().contains("too long"));
}
