//! The version a broker gives when it is greeted. The AMQP library reads it and keeps it to itself.

use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a client of AMQP 0-9-1 says first.
const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";
/// How long the broker may take. Without an answer there is no version, which is no error.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// The greeting is one frame: its header is a type, a channel and a length.
const FRAME_HEADER_BYTES: usize = 7;
/// The greetings there are have less than a kilobyte.
const GREETING_MAX_BYTES: usize = 64 * 1024;
/// The property as the greeting's table holds it: a short string, then the mark of a long one.
const VERSION_PROPERTY: &[u8] = b"\x07versionS";

/// The broker's version, if it says so on a connection without TLS.
pub(super) async fn version(uri: &AMQPUri) -> Option<String> {
    if uri.scheme != AMQPScheme::AMQP {
        return None;
    }
    let greeting = tokio::time::timeout(ANSWER_TIMEOUT, greeting(uri)).await.ok()?.ok()?;
    version_in(&greeting)
}

/// The body of the first frame the broker sends.
async fn greeting(uri: &AMQPUri) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((uri.authority.host.as_str(), uri.authority.port)).await?;
    stream.write_all(PROTOCOL_HEADER).await?;
    let mut header = [0; FRAME_HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    let [_, _, _, length @ ..] = header;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let mut body = vec![0; length.min(GREETING_MAX_BYTES)];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

fn version_in(greeting: &[u8]) -> Option<String> {
    let at = greeting.windows(VERSION_PROPERTY.len()).position(|window| window == VERSION_PROPERTY)?;
    let (length, rest) = greeting[at + VERSION_PROPERTY.len()..].split_first_chunk::<4>()?;
    let text = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_in_the_greeting() {
        let greeting = b"\x00\x0a\x00\x0a\x00\x09\x00\x00\x00\x2a\x07productS\x00\x00\x00\x08RabbitMQ\x07versionS\x00\x00\x00\x063.10.8";
        assert_eq!(version_in(greeting).as_deref(), Some("3.10.8"));
        assert_eq!(version_in(&greeting[..greeting.len() - 1]), None, "cut off");
        assert_eq!(version_in(b"HTTP/1.1 400 Bad Request"), None);
    }
}
