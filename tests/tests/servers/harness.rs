//! The private servers of the tests: they come up, they can be broken, and each test has its own corner of them.

use std::time::Duration;

use muster_tests::{ServerKind, Services, eventually};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

async fn ping(url: &str) -> redis::RedisResult<String> {
    let client = redis::Client::open(url)?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("PING").query_async(&mut connection).await
}

#[test]
fn shared_servers_answer_and_every_test_has_its_own_names() {
    let services = Services::shared();
    let (one, other) = (services.fresh(), services.fresh());
    assert_ne!(one.database_url, other.database_url);
    assert_ne!(one.queue, other.queue);
    block_on(async {
        let options: sqlx::postgres::PgConnectOptions = one.database_url.parse().unwrap();
        sqlx::ConnectOptions::connect(&options).await.unwrap();
        let properties = lapin::ConnectionProperties::default();
        lapin::Connection::connect(&one.amqp_url, properties).await.unwrap();
        assert_eq!(ping(&one.redis_url).await.unwrap(), "PONG");
    });
}

#[test]
fn a_private_server_can_be_killed_and_comes_back() {
    let services = Services::private();
    let backends = services.fresh();
    services.kill(ServerKind::Redis);
    assert!(block_on(ping(&backends.redis_url)).is_err());
    services.start_again(ServerKind::Redis);
    eventually("Redis is back", Duration::from_secs(10), || block_on(ping(&backends.redis_url)).is_ok());
}
