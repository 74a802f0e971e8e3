//! What the decoders are given: golden vectors, and what chance makes of them.

use serde_json::Value;

use crate::chance::Chance;

/// Whose message it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToSupervisor,
    ToWorker,
}

/// One body of a frame, or one line.
pub(crate) struct Input {
    pub(crate) direction: Direction,
    pub(crate) is_line: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Input {
    /// As `line` wrote it.
    pub(crate) fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let [direction, spelling, digits] = words[..] else { panic!("not three words: {line}") };
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        Self {
            direction: if direction == "to_worker" { Direction::ToWorker } else { Direction::ToSupervisor },
            is_line: spelling == "line",
            bytes: (0..digits.len()).step_by(2).map(byte).collect(),
        }
    }

    /// Direction, spelling and bytes in hexadecimal digits: how the other languages get it.
    pub(crate) fn line(&self) -> String {
        use std::fmt::Write;
        let direction = if self.direction == Direction::ToWorker { "to_worker" } else { "to_supervisor" };
        let mut line = format!("{direction} {} ", if self.is_line { "line" } else { "body" });
        for byte in &self.bytes {
            write!(line, "{byte:02x}").unwrap();
        }
        line
    }
}

struct Vector {
    direction: Direction,
    body: Vec<u8>,
    line: String,
}

/// The golden vectors.
pub(crate) struct Vectors(Vec<Vector>);

const NUMBERS: [u64; 12] =
    [0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 0x1_0000_0000, 1 << 53, u64::MAX];
const BYTES: [&[u8]; 12] = [
    &[0xff],
    &[0x80],
    &[0xc3, 0x28],
    &[0xc0, 0x80],
    &[0xed, 0xa0, 0x80],
    &[0xf4, 0x90, 0x80, 0x80],
    &[0xf0, 0x9f, 0x98, 0x80],
    &[0xef, 0xbb, 0xbf],
    &[0xef, 0xbf, 0xbd],
    &[0],
    b"\n",
    b"\"",
];
const TOKENS: [&str; 46] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-0.0",
    "1",
    "-1",
    "1.0",
    "1.5",
    "1e2",
    "1E+2",
    "1e400",
    "-1e-400",
    "255",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "1e19",
    "01",
    "+1",
    ".5",
    "NaN",
    "Infinity",
    "\"\"",
    "\"a\"",
    "\"Info\"",
    "\"Named\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\"\\x\"",
    "\"\u{feff}\"",
    "[]",
    "{}",
    "[1,2]",
    "{\"a\":1}",
    "{\"Ok\":{\"value\":1}}",
    "[[[[[[[[[[]]]]]]]]]]",
    "{\"a\":1,\"a\":2}",
];

impl Vectors {
    pub(crate) fn read() -> Self {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
        let mut vectors = Vec::new();
        for (file, direction) in
            [("to_supervisor.json", Direction::ToSupervisor), ("to_worker.json", Direction::ToWorker)]
        {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            let parsed: Vec<Value> = serde_json::from_str(&text).unwrap();
            vectors.extend(parsed.iter().map(|vector| {
                let frame =
                    Input::parse(&format!("to_worker body {}", vector["hex"].as_str().unwrap())).bytes;
                Vector { direction, body: frame[4..].to_vec(), line: vector["json"].to_string() }
            }));
        }
        Self(vectors)
    }

    /// All of them as they are, in both spellings.
    pub(crate) fn whole(&self) -> Vec<Input> {
        let both = |vector: &Vector| {
            let line = vector.line.clone().into_bytes();
            [(false, vector.body.clone()), (true, line)].map(|(is_line, bytes)| Input {
                direction: vector.direction,
                is_line,
                bytes,
            })
        };
        self.0.iter().flat_map(both).collect()
    }

    /// One of them, broken a few times, or not at all.
    pub(crate) fn broken(&self, chance: &mut Chance) -> Input {
        let vector = chance.one_of(&self.0);
        let is_line = chance.one_in(2);
        let mut bytes = if is_line { vector.line.clone().into_bytes() } else { vector.body.clone() };
        for _ in 0..chance.below(4) {
            let other = &chance.one_of(&self.0).body;
            match is_line && !chance.one_in(4) {
                true => break_line(&mut bytes, chance),
                false => break_bytes(&mut bytes, other, chance),
            }
        }
        Input { direction: vector.direction, is_line, bytes }
    }
}

fn break_bytes(bytes: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    match chance.below(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
        1 => bytes.truncate(at),
        2 => drop(bytes.splice(at..at, chance.one_of(&BYTES).iter().copied())),
        3 => overwrite(bytes, at, &chance.one_of(&NUMBERS).to_le_bytes()),
        4 => overwrite(bytes, at, chance.one_of::<&[u8]>(&BYTES)),
        5 => drop(bytes.splice(at.., other[chance.below(other.len())..].iter().copied())),
        _ => {
            let end = (at + chance.below(9)).min(bytes.len());
            bytes.drain(at..end);
        }
    }
}

fn overwrite(bytes: &mut [u8], at: usize, by: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(by) {
        *byte = *new;
    }
}

/// Where a value, a name or a sign of punctuation begins and ends.
fn tokens(line: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let start = at;
        match line[at] {
            b'"' => {
                at += 1;
                while at < line.len() && line[at] != b'"' {
                    at += if line[at] == b'\\' { 2 } else { 1 };
                }
                at = (at + 1).min(line.len());
            }
            byte if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => {
                while at < line.len() && (line[at].is_ascii_alphanumeric() || b"+-.".contains(&line[at])) {
                    at += 1;
                }
            }
            _ => at += 1,
        }
        found.push(start..at);
    }
    found
}

fn break_line(line: &mut Vec<u8>, chance: &mut Chance) {
    let tokens = tokens(line);
    if tokens.is_empty() {
        return;
    }
    let token = chance.one_of(&tokens).clone();
    let other = line[chance.one_of(&tokens).clone()].to_vec();
    match chance.below(6) {
        0 | 1 => drop(line.splice(token, chance.one_of(&TOKENS).bytes())),
        2 => drop(line.splice(token, other)),
        3 => drop(line.drain(token)),
        4 => drop(line.splice(
            token.start..token.start,
            chance.one_of(&[" ", "\t", "\r", "\n", "\u{c}", "\u{a0}"]).bytes(),
        )),
        _ => drop(
            line.splice(token.end..token.end, chance.one_of(&[",", "}", "]", ",\"more\":1", " "]).bytes()),
        ),
    }
}
