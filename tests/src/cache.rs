//! Redis as `redis-cli` sees it: the keys and channels of a test.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use redis::{Connection, RedisResult};
use serde_json::Value;

use crate::{Backends, eventually};

/// The keys and channels under the prefix of a test.
#[derive(Clone, Debug)]
pub struct Cache {
    client: redis::Client,
    prefix: String,
}

impl Cache {
    /// Of these backends. Connects for every command.
    pub fn of(backends: &Backends) -> Self {
        let client = redis::Client::open(backends.redis_url.as_str());
        let client = client.unwrap_or_else(|error| panic!("{}: {error}", backends.redis_url));
        Self { client, prefix: backends.key_prefix.clone() }
    }

    #[track_caller]
    fn ask<T>(&self, ask: impl FnOnce(&mut Connection) -> RedisResult<T>) -> T {
        let answer = self.client.get_connection().and_then(|mut connection| ask(&mut connection));
        answer.unwrap_or_else(|error| panic!("redis: {error}"))
    }

    /// The names of the keys there are, without the prefix, sorted.
    #[track_caller]
    pub fn keys(&self) -> Vec<String> {
        let pattern = format!("{}:*", self.prefix);
        let keys: Vec<String> = self.ask(|redis| redis::cmd("KEYS").arg(pattern).query(redis));
        let mut names: Vec<_> = keys.iter().map(|key| key[self.prefix.len() + 1..].to_owned()).collect();
        names.sort();
        names
    }

    /// The keys that hold something of this execution.
    #[track_caller]
    pub fn keys_of(&self, id: &str) -> Vec<String> {
        self.keys().into_iter().filter(|key| key.contains(id)).collect()
    }

    /// The keys that would stay for ever.
    #[track_caller]
    pub fn keys_without_expiry(&self) -> Vec<String> {
        let for_ever = |key: &String| {
            let key = format!("{}:{key}", self.prefix);
            self.ask(|redis| redis::cmd("TTL").arg(key).query::<i64>(redis)) == -1
        };
        self.keys().into_iter().filter(for_ever).collect()
    }

    /// A key's text, if there is one.
    #[track_caller]
    pub fn get(&self, key: &str) -> Option<String> {
        self.ask(|redis| redis::cmd("GET").arg(format!("{}:{key}", self.prefix)).query(redis))
    }

    /// The elements of a list, as JSON.
    #[track_caller]
    pub fn list(&self, key: &str) -> Vec<Value> {
        let key = format!("{}:{key}", self.prefix);
        let texts: Vec<String> = self.ask(|redis| redis::cmd("LRANGE").arg(key).arg(0).arg(-1).query(redis));
        texts
            .iter()
            .map(|text| serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}")))
            .collect()
    }

    /// Writes a key that stays for a minute.
    #[track_caller]
    pub fn set(&self, key: &str, value: &str) {
        let key = format!("{}:{key}", self.prefix);
        self.ask(|redis| redis::cmd("SET").arg(key).arg(value).arg("EX").arg(60).exec(redis));
    }

    /// Waits for an element of a list, takes it, and reads it as JSON.
    #[track_caller]
    pub fn take(&self, key: &str, within: Duration) -> Value {
        let command = redis::cmd("BLPOP").arg(format!("{}:{key}", self.prefix)).arg(within.as_secs()).clone();
        let taken: Option<(String, String)> = self.ask(|redis| command.query(redis));
        let (_, text) = taken.unwrap_or_else(|| panic!("nothing in {key} within {within:?}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// Publishes a message on a channel, which is named without the prefix.
    #[track_caller]
    pub fn publish(&self, channel: &str, message: &Value) {
        let channel = format!("{}:{channel}", self.prefix);
        self.ask(|redis| redis::cmd("PUBLISH").arg(channel).arg(message.to_string()).exec(redis));
    }

    /// Forgets everything, of all tests on this server.
    #[track_caller]
    pub fn flush(&self) {
        self.ask(|redis| redis::cmd("FLUSHALL").exec(redis));
    }

    /// Hears the messages of a channel from now on. Whoever listens may be asked `at_each` what else is true at
    /// the moment a message arrives.
    #[track_caller]
    pub fn listen<T: Send + 'static>(
        &self,
        channel_name: &str,
        at_each: impl Fn(&Value) -> T + Send + 'static,
    ) -> ChannelEvent<T> {
        let (sender, messages) = channel();
        let (ready, listening) = channel();
        let (client, name) = (self.client.clone(), format!("{}:{channel_name}", self.prefix));
        std::thread::spawn(move || {
            let mut connection = client.get_connection()?;
            let mut pubsub = connection.as_pubsub();
            pubsub.subscribe(name)?;
            let _ = ready.send(());
            loop {
                let text: String = pubsub.get_message()?.get_payload()?;
                let message = serde_json::from_str(&text).unwrap_or(Value::String(text));
                let then = at_each(&message);
                if sender.send((message, then)).is_err() {
                    return RedisResult::Ok(());
                }
            }
        });
        let heard = listening.recv_timeout(Duration::from_secs(10));
        heard.unwrap_or_else(|_| panic!("cannot listen to {channel_name}"));
        ChannelEvent { messages }
    }

    /// Waits until nothing of this execution is left.
    #[track_caller]
    pub fn forgets(&self, id: &str, within: Duration) {
        eventually(&format!("redis forgets {id}"), within, || self.keys_of(id).is_empty());
    }
}

/// What is heard of a channel.
#[derive(Debug)]
pub struct ChannelEvent<T> {
    messages: Receiver<(Value, T)>,
}

impl<T> ChannelEvent<T> {
    /// Waits for a message that is like this, passing over others.
    #[track_caller]
    pub fn wait_for(&self, within: Duration, like: impl Fn(&Value) -> bool) -> (Value, T) {
        let deadline = std::time::Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            match self.messages.recv_timeout(left) {
                Ok(heard) if like(&heard.0) => return heard,
                Ok(_) => {}
                Err(error) => panic!("no such message within {within:?}: {error}"),
            }
        }
    }

    /// What has arrived so far and was not waited for.
    pub fn so_far(&self) -> Vec<Value> {
        self.messages.try_iter().map(|(message, _)| message).collect()
    }
}
