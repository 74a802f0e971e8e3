//! How many bytes headers take in a frame, as AMQP 0-9-1 writes them.

use lapin::types::{AMQPValue, FieldTable, ShortString};

/// The size of a table with its length.
pub(super) fn of_table(table: &FieldTable) -> usize {
    4 + table.inner().iter().map(|(name, value)| of_entry(name, value)).sum::<usize>()
}

/// The size of one header in its table.
pub(super) fn of_entry(name: &ShortString, value: &AMQPValue) -> usize {
    1 + name.as_str().len() + of_value(value)
}

/// The size of a value with the byte that tells its type.
fn of_value(value: &AMQPValue) -> usize {
    1 + match value {
        AMQPValue::Void => 0,
        AMQPValue::Boolean(_) | AMQPValue::ShortShortInt(_) | AMQPValue::ShortShortUInt(_) => 1,
        AMQPValue::ShortInt(_) | AMQPValue::ShortUInt(_) => 2,
        AMQPValue::LongInt(_) | AMQPValue::LongUInt(_) | AMQPValue::Float(_) => 4,
        AMQPValue::DecimalValue(_) => 5,
        AMQPValue::LongLongInt(_) | AMQPValue::Double(_) | AMQPValue::Timestamp(_) => 8,
        AMQPValue::ShortString(text) => 1 + text.as_str().len(),
        AMQPValue::LongString(text) => 4 + text.as_bytes().len(),
        AMQPValue::ByteArray(bytes) => 4 + bytes.as_slice().len(),
        AMQPValue::FieldArray(values) => 4 + values.as_slice().iter().map(of_value).sum::<usize>(),
        AMQPValue::FieldTable(table) => of_table(table),
    }
}
