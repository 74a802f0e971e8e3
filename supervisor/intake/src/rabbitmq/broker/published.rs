//! When a message was published and in which trace, as far as its properties say so.

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, LongString};

/// The header with milliseconds, which RabbitMQ itself sets where it is told to: by its plugin for timestamps, or by
/// `message_interceptors.incoming.set_header_timestamp`.
const MILLISECONDS_HEADER: &str = "timestamp_in_ms";

/// The header in which whatever is instrumented for OpenTelemetry says its trace.
const TRACEPARENT_HEADER: &str = "traceparent";

/// The year 2000: who says less has no clock.
const EARLIEST_SECONDS: i64 = 946_684_800;

/// When a message was published: by its header with milliseconds, else by its property, which has whole seconds.
pub(super) fn published_at(properties: &BasicProperties) -> Option<Timestamp> {
    let header = properties.headers().as_ref().and_then(|table| table.inner().get(MILLISECONDS_HEADER));
    let by_header = || Timestamp::from_millisecond(whole(header?)?).ok();
    let by_property = || Timestamp::from_second(i64::try_from((*properties.timestamp())?).ok()?).ok();
    let is_plausible = |at: &Timestamp| at.as_second() >= EARLIEST_SECONDS;
    by_header().filter(is_plausible).or_else(|| by_property().filter(is_plausible))
}

/// The trace that a message was published in, by its header.
pub(super) fn traceparent(properties: &BasicProperties) -> Option<&str> {
    let header = properties.headers().as_ref()?.inner().get(TRACEPARENT_HEADER)?;
    let text = header.as_long_string().map(LongString::as_bytes);
    std::str::from_utf8(text.or_else(|| header.as_short_string().map(|it| it.as_str().as_bytes()))?).ok()
}

/// A message's properties, in the trace of another: what is published again goes on in the trace in which it was asked for.
pub(super) fn in_trace_of(properties: BasicProperties, before: &BasicProperties) -> BasicProperties {
    let Some(traceparent) = traceparent(before) else { return properties };
    let mut headers = properties.headers().clone().unwrap_or_default();
    headers.insert(TRACEPARENT_HEADER.into(), AMQPValue::LongString(traceparent.into()));
    properties.with_headers(headers)
}

/// A message's properties, published now: in whole seconds and in milliseconds.
pub(super) fn published_now(properties: BasicProperties) -> BasicProperties {
    let now = Timestamp::now();
    let mut headers = properties.headers().clone().unwrap_or_default();
    headers.insert(MILLISECONDS_HEADER.into(), AMQPValue::LongLongInt(now.as_millisecond()));
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    properties.with_headers(headers).with_timestamp(seconds)
}

/// A number, in whichever type a publisher gave it.
fn whole(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::LongLongInt(number) => Some(*number),
        AMQPValue::Timestamp(number) => i64::try_from(*number).ok(),
        AMQPValue::LongInt(number) => Some((*number).into()),
        AMQPValue::LongUInt(number) => Some((*number).into()),
        AMQPValue::Void
        | AMQPValue::Boolean(_)
        | AMQPValue::ShortShortInt(_)
        | AMQPValue::ShortShortUInt(_)
        | AMQPValue::ShortInt(_)
        | AMQPValue::ShortUInt(_)
        | AMQPValue::Float(_)
        | AMQPValue::Double(_)
        | AMQPValue::DecimalValue(_)
        | AMQPValue::ShortString(_)
        | AMQPValue::LongString(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use lapin::types::FieldTable;

    use super::*;

    fn said(property: Option<u64>, header: Option<AMQPValue>) -> Option<i64> {
        let mut headers = FieldTable::default();
        if let Some(value) = header {
            headers.insert(MILLISECONDS_HEADER.into(), value);
        }
        let properties = BasicProperties::default().with_headers(headers);
        let properties = match property {
            Some(seconds) => properties.with_timestamp(seconds),
            None => properties,
        };
        published_at(&properties).map(Timestamp::as_millisecond)
    }

    #[test]
    fn the_header_is_more_exact_than_the_property() {
        assert_eq!(said(None, None), None);
        assert_eq!(published_at(&BasicProperties::default()), None);
        assert_eq!(said(Some(1_700_000_000), None), Some(1_700_000_000_000));
        let header = |number| Some(AMQPValue::LongLongInt(number));
        assert_eq!(said(Some(1_700_000_000), header(1_700_000_000_123)), Some(1_700_000_000_123));
        assert_eq!(said(None, Some(AMQPValue::Timestamp(1_700_000_000_123))), Some(1_700_000_000_123));
    }

    #[test]
    fn the_header_of_a_trace_is_read_if_it_is_text() {
        let said = |value| {
            let mut headers = FieldTable::default();
            headers.insert(TRACEPARENT_HEADER.into(), value);
            traceparent(&BasicProperties::default().with_headers(headers)).map(str::to_owned)
        };
        assert_eq!(traceparent(&BasicProperties::default()), None);
        assert_eq!(said(AMQPValue::LongString("00-ab-cd-01".into())).as_deref(), Some("00-ab-cd-01"));
        assert_eq!(said(AMQPValue::ShortString("00-ab-cd-01".into())).as_deref(), Some("00-ab-cd-01"));
        assert_eq!(said(AMQPValue::LongInt(7)), None);
        assert_eq!(said(AMQPValue::LongString(vec![0xff].into())), None);
    }

    #[test]
    fn what_we_publish_says_when() {
        let at = published_at(&published_now(BasicProperties::default())).unwrap();
        assert!(Timestamp::now().duration_since(at).as_secs() < 60, "{at}");
    }

    #[test]
    fn what_is_published_again_stays_in_its_trace() {
        let mut headers = FieldTable::default();
        headers.insert(TRACEPARENT_HEADER.into(), AMQPValue::ShortString("00-ab-cd-01".into()));
        headers.insert("x-muster-reason".into(), AMQPValue::LongString("of no use".into()));
        let before = BasicProperties::default().with_headers(headers);
        let again = published_now(in_trace_of(BasicProperties::default(), &before));
        assert_eq!(traceparent(&again), Some("00-ab-cd-01"));
        assert!(published_at(&again).is_some());
        let names: Vec<_> = again.headers().iter().flat_map(|table| table.inner().keys()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        let bare = published_now(in_trace_of(BasicProperties::default(), &BasicProperties::default()));
        assert_eq!(traceparent(&bare), None);
    }

    #[test]
    fn what_no_clock_says_is_passed_over() {
        let header = |number| Some(AMQPValue::LongLongInt(number));
        assert_eq!(said(Some(0), header(-1)), None, "before the year 2000");
        assert_eq!(said(Some(u64::MAX), header(i64::MAX)), None, "after all years there are");
        assert_eq!(said(Some(1_700_000_000), header(12)), Some(1_700_000_000_000));
        let text = Some(AMQPValue::LongString("1700000000123".into()));
        assert_eq!(said(Some(1_700_000_000), text), Some(1_700_000_000_000), "a header that is no number");
    }
}
