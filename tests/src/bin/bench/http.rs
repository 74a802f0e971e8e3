//! A client that speaks HTTP over one connection, and costs as little as it can.

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The token of a supervisor that is measured.
pub(crate) const TOKEN: &str = "bench-token-of-the-measured-service";

/// One connection that stays open.
pub(crate) struct HttpConnection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl HttpConnection {
    pub(crate) async fn to(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Submits one execution of 1 KiB.
    pub(crate) async fn post(&mut self, path: &str, expected: u16) -> anyhow::Result<()> {
        let padding = "x".repeat(960);
        let body = format!(r#"{{"workflow":"bench.noop","parameters":{{"padding":"{padding}"}}}}"#);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {TOKEN}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await?;
        let (status, text) = self.answer().await?;
        anyhow::ensure!(status == expected, "POST {path}: {status} {text}");
        Ok(())
    }

    /// Reads one answer that says its length.
    async fn answer(&mut self) -> anyhow::Result<(u16, String)> {
        self.read.clear();
        loop {
            anyhow::ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the connection was closed");
            let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&self.read[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.context("an answer without its length")?.trim().parse()?;
            if self.read.len() >= end + 4 + length {
                let status = head.split_ascii_whitespace().nth(1).context("an answer without status")?;
                return Ok((status.parse()?, String::from_utf8_lossy(&self.read[end + 4..]).into_owned()));
            }
        }
    }
}
