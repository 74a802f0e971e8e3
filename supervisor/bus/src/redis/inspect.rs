//! A look at a Redis server: what it is, and whether it does what the bus needs. For `doctor`.

use std::time::{Duration, Instant};

use muster_system::certificates::ServerAddress;
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use uuid::Uuid;

use super::super::{BusError, RedisFacts};
use super::{RESPONSE_TIMEOUT, client, connect};

/// How long the probe keys would live if nobody deleted them.
const PROBE_LIFE: Duration = Duration::from_secs(10);

/// Connects, asks, and tries what the bus does on two probe keys, which expire by themselves if they are not
/// deleted.
///
/// # Errors
/// When the server is out of reach, or refuses something the bus does.
pub async fn inspect(address: &ServerAddress, prefix: &str) -> Result<RedisFacts, BusError> {
    let client = client(address)?;
    let asked = async {
        let mut connection = connect(&client, RESPONSE_TIMEOUT).await?;
        let before = Instant::now();
        redis::cmd("PING").exec_async(&mut connection).await?;
        let round_trip = before.elapsed();
        // A user who may not ask this may still do all the rest.
        let info: String = redis::cmd("INFO").query_async(&mut connection).await.unwrap_or_default();
        let expires = probe(&mut connection, prefix).await?;
        Ok::<_, RedisError>((round_trip, info, expires))
    };
    let (round_trip, info, expires) = asked.await.map_err(|error| BusError::of(&error))?;
    if !expires {
        return Err(BusError::Refused("a key that was to expire has no expiry".to_owned()));
    }
    Ok(RedisFacts {
        version: field(&info, "redis_version").to_owned(),
        eviction: field(&info, "maxmemory_policy").to_owned(),
        memory_max_bytes: field(&info, "maxmemory").parse().unwrap_or(0),
        round_trip,
    })
}

/// Writes, reads, publishes and deletes as the bus does; true when what was written would have expired.
async fn probe(connection: &mut MultiplexedConnection, prefix: &str) -> Result<bool, RedisError> {
    let key = format!("{prefix}:doctor:{}", Uuid::new_v4());
    let stream = format!("{key}:log");
    let life_ms = u64::try_from(PROBE_LIFE.as_millis()).unwrap_or(u64::MAX);
    redis::cmd("SET").arg(&key).arg("probe").arg("PX").arg(life_ms).exec_async(connection).await?;
    let (value, left_ms): (Option<String>, i64) =
        redis::pipe().cmd("GET").arg(&key).cmd("PTTL").arg(&key).query_async(connection).await?;
    redis::pipe()
        .atomic()
        .cmd("XADD")
        .arg(&stream)
        .arg("*")
        .arg("probe")
        .arg(1)
        .cmd("PEXPIRE")
        .arg(&stream)
        .arg(life_ms)
        .cmd("PUBLISH")
        .arg(format!("{prefix}:doctor"))
        .arg("probe")
        .cmd("DEL")
        .arg(&key)
        .arg(&stream)
        .exec_async(connection)
        .await?;
    Ok(value.as_deref() == Some("probe") && left_ms > 0)
}

/// One line of the answer to INFO.
fn field<'a>(info: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    info.lines().find_map(value).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let info = "# Memory\r\nmaxmemory_human:1K\r\nmaxmemory:1024\r\nmaxmemory_policy:noeviction\r\n";
        assert_eq!(field(info, "maxmemory"), "1024");
        assert_eq!(field(info, "maxmemory_policy"), "noeviction");
        assert_eq!(field(info, "redis_version"), "");
    }
}
