//! Server-sent events, read line by line from a blocking body.

use std::io::{BufRead, BufReader, Read};

/// One event: its name, its data and the id to go on from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// Its name; `message` when the server gave none.
    pub event: String,
    /// The data of the event, its lines joined.
    pub data: String,
    /// Its id, when it has one.
    pub id: Option<String>,
}

/// The events of one answer, until the server or the connection ends it.
pub struct EventStream {
    lines: Box<dyn BufRead + Send>,
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream").finish_non_exhaustive()
    }
}

impl EventStream {
    pub(super) fn new(body: impl Read + Send + 'static) -> Self {
        Self { lines: Box::new(BufReader::new(body)) }
    }
}

impl Iterator for EventStream {
    type Item = std::io::Result<ServerEvent>;

    /// The next event. An event cut off by the end of the stream is dropped, as the standard says.
    fn next(&mut self) -> Option<Self::Item> {
        let mut event = ServerEvent::default();
        let mut data: Option<String> = None;
        let mut line = String::new();
        loop {
            line.clear();
            match self.lines.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            let text = line.trim_end_matches(['\r', '\n']);
            let (field, value) = text.split_once(':').unwrap_or((text, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if text.is_empty() => {
                    if let Some(data) = data.take() {
                        let name = if event.event.is_empty() { "message".to_owned() } else { event.event };
                        return Some(Ok(ServerEvent { event: name, data, id: event.id }));
                    }
                    event = ServerEvent::default();
                }
                "event" => event.event = value.to_owned(),
                "id" => event.id = Some(value.to_owned()),
                "data" => match &mut data {
                    Some(data) => {
                        data.push('\n');
                        data.push_str(value);
                    }
                    None => data = Some(value.to_owned()),
                },
                // A comment, which keeps the connection alive, or a field we have no use for.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EventStream, ServerEvent};

    fn events(text: &'static str) -> Vec<ServerEvent> {
        EventStream::new(text.as_bytes()).map(Result::unwrap).collect()
    }

    #[test]
    fn fields_comments_and_several_data_lines() {
        let text = ": hello\n\nid: 1-7\nevent: log\ndata: {\"a\":\ndata: 1}\n\ndata:x\r\n\r\nevent: lost\n\n";
        assert_eq!(
            events(text),
            [
                ServerEvent { event: "log".into(), data: "{\"a\":\n1}".into(), id: Some("1-7".into()) },
                ServerEvent { event: "message".into(), data: "x".into(), id: None },
            ]
        );
    }

    #[test]
    fn an_event_that_was_cut_off_is_dropped() {
        assert_eq!(
            events("data: whole\n\ndata: half"),
            [ServerEvent { event: "message".into(), data: "whole".into(), id: None }]
        );
    }
}
