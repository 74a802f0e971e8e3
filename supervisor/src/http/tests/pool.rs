//! Commands to the pool.

use super::served::serve;
use crate::api;

#[tokio::test(flavor = "multi_thread")]
async fn commands_reach_the_pool() {
    let served = serve(None).await;
    let pool = served
        .ask(|client| {
            client.command("resize", &api::ResizeRequest { min_workers: 2, max_workers: 4 }).unwrap();
            client
                .command("recycle", &api::RecycleRequest { worker: Some("worker-3".into()), all: false })
                .unwrap();
            client.command("recycle", &api::RecycleRequest { worker: None, all: true }).unwrap();
            client.command("reload", &serde_json::json!({})).unwrap()
        })
        .await;
    assert_eq!(pool.workers.len(), 2);
    let commands = served.stand.commands.lock().unwrap().join(", ");
    assert_eq!(commands, "resize 2 4, recycle Worker(WorkerId(3)), recycle All, reload");
    let readiness = served.ask(|client| client.readiness().unwrap()).await;
    assert!(!readiness.ready && readiness.parts[0].detail == "none can start");
}
