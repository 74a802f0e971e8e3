//! The texts: JSON of every kind that somewhere, once, did not arrive as it was sent.

/// A text and what it is called in the table.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) name: String,
    pub(crate) json: String,
}

/// All of them.
pub(crate) fn all() -> Vec<Text> {
    let numbers = NUMBERS.iter().map(|json| text(&format!("number {json}"), json));
    let others = TEXTS.iter().map(|(name, json)| text(name, json));
    numbers.chain(others).chain(made()).collect()
}

fn text(name: &str, json: &str) -> Text {
    Text { name: name.to_owned(), json: json.to_owned() }
}

const NUMBERS: [&str; 56] = [
    "0",
    "-0",
    "0.0",
    "-0.0",
    "0e0",
    "-0e-0",
    "1",
    "-1",
    "1.0",
    "1.10",
    "100",
    "1e2",
    "1E2",
    "1e+2",
    "1e-2",
    "0.1",
    "0.30000000000000004",
    "106.18129360834155",
    "0.12345678901234568",
    "3.141592653589793",
    "0.1234567890123456789",
    "123456789012345678.0",
    "1234567890123456789.5",
    "5e-324",
    "2.2250738585072014e-308",
    "1e-400",
    "1e-401",
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "1.7976931348623159e308",
    "1e308",
    "1e309",
    "1e400",
    "1e401",
    "-1e400",
    "1e1000000",
    "1e22",
    "1e21",
    "1e23",
    "8.41e21",
    "2147483648",
    "4294967296",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "12345678901234567890123",
    "10000000000000000000000",
    "340282366920938463463374607431768211456",
    "01",
    "1.",
];

const TEXTS: [(&str, &str); 76] = [
    ("null", "null"),
    ("true", "true"),
    ("false", "false"),
    ("empty text", r#""""#),
    ("empty list", "[]"),
    ("empty object", "{}"),
    ("blank", " [ 1 ,\t{ \"a\" : 2 } ] "),
    ("lines", "[\n  1,\r\n  2\n]"),
    ("escapes", r#""\"\\\/\b\f\n\r\t""#),
    ("escape of a letter", r#""\u0041\u00e4""#),
    ("pair as escapes", r#""\ud83d\ude00""#),
    ("pair as escapes, capitals", r#""\uD83D\uDE00""#),
    ("pair as it is", "\"\u{1f600}\""),
    ("high half", r#""a\ud83db""#),
    ("low half", r#""a\ude00b""#),
    ("halves in the wrong order", r#""\ude00\ud83d""#),
    ("two high halves", r#""\ud83d\ud83d\ude00""#),
    ("half in a key", r#"{"a\ud83d":1}"#),
    ("half deep inside", r#"{"a":[{"b":"\ud83d"}]}"#),
    ("escaped backslash before ud83d", r#""\\ud83d""#),
    ("U+0000", r#""a\u0000b""#),
    ("U+0000 in a key", r#"{"a\u0000":1}"#),
    ("escaped backslash before u0000", r#""\\u0000""#),
    ("U+0001", r#""\u0001\u001f""#),
    ("U+007F", "\"\u{7f}\""),
    ("U+2028 as it is", "\"\u{2028}\u{2029}\""),
    ("U+2028 as escape", r#""\u2028\u2029""#),
    ("U+FFFD", "\"\u{fffd}\""),
    ("U+FEFF inside", "\"\u{feff}a\""),
    ("U+FFFF", "\"\u{ffff}\u{10ffff}\""),
    ("combining", "\"e\u{301} \u{e9}\""),
    ("right to left", "\"\u{202e}abc\u{200f}\""),
    ("terminal escape", r#""\u001b[31mred""#),
    ("text of a number", r#""9007199254740993""#),
    ("text of null", r#""null""#),
    ("text of a frame", r#""{\"Finished\":{\"run\":1}}""#),
    ("text of a mask", r#""***""#),
    ("quotes", r#""'`$(x)%s%d{}""#),
    ("key order", r#"{"zz":1,"aa":2,"mm":3}"#),
    ("keys that are numbers", r#"{"b":1,"10":2,"9":3,"a":4}"#),
    ("the same key twice", r#"{"a":1,"b":2,"a":3}"#),
    ("the same key twice, deep", r#"{"x":[{"a":{},"a":[1]}]}"#),
    ("empty key", r#"{"":1,"a":{"":{}}}"#),
    ("key of blanks", r#"{" ":1,"\t":2}"#),
    ("key with a dot", r#"{"a.b":1,"$c":2,"d[0]":3}"#),
    ("key in Unicode", "{\"gr\u{f6}\u{df}e\":1,\"\u{1f600}\":2}"),
    ("key as escapes", r#"{"\u0061":1}"#),
    ("__proto__", r#"{"__proto__":{"x":1},"a":2}"#),
    ("constructor", r#"{"constructor":1,"toString":2,"hasOwnProperty":3}"#),
    ("toJSON", r#"{"toJSON":"x","valueOf":1}"#),
    ("params within", r#"{"params":{"params":[1]},"context":{"params":2}}"#),
    ("names of the request", r#"{"workflow":"x","execution_id":"y","code":"z"}"#),
    ("$serde_json", r#"{"$serde_json::private::Number":"1","$serde_json::private::RawValue":"2"}"#),
    ("mixed list", r#"[null,true,0,-1.5,"x",[],{},[[]],{"a":{}}]"#),
    ("numbers in a list", "[9007199254740993,1e22,-0.0,0.1,106.18129360834155]"),
    ("children's parameters", r#"{"zz":12345678901234567890123,"aa":106.18129360834155}"#),
    ("number and its text", r#"{"a":1,"b":"1","c":1.0}"#),
    ("a date", r#"{"at":"2026-02-30T25:61:61Z","date":"0000-00-00"}"#),
    ("base64", r#""aGVsbG8=""#),
    ("HTML", r#""<script>alert(1)</script>&amp;""#),
    ("SQL", r#""'; DROP TABLE executions; --""#),
    ("long number in a text", r#"{"12345678901234567890":"12345678901234567890"}"#),
    ("Bytes as numbers", "[0,255,256,65535]"),
    ("no JSON: nothing", ""),
    ("no JSON: comma at the end", "[1,]"),
    ("no JSON: comma in an object", r#"{"a":1,}"#),
    ("no JSON: single quotes", "{'a':1}"),
    ("no JSON: key without quotes", "{a:1}"),
    ("no JSON: comment", "[1/*x*/]"),
    ("no JSON: NaN", "NaN"),
    ("no JSON: Infinity", "[Infinity]"),
    ("no JSON: plus", "+1"),
    ("no JSON: hexadecimal", "0x10"),
    ("no JSON: bad escape", r#""\x41""#),
    ("no JSON: open", r#"{"a":[1"#),
    ("no JSON: byte order mark", "\u{feff}{}"),
];

/// Those that are too long to be written down.
fn made() -> Vec<Text> {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let objects = |depth: usize| "{\"a\":".repeat(depth - 1) + "{}" + &"}".repeat(depth - 1);
    let many =
        |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(",");
    let mut texts = Vec::new();
    for depth in [100, 125, 126, 127, 128, 129, 200, 510, 511, 512, 513, 999, 1500] {
        texts.push(text(&format!("{depth} lists deep"), &nested(depth)));
    }
    for depth in [128, 512, 513] {
        texts.push(text(&format!("{depth} objects deep"), &objects(depth)));
    }
    texts.extend([
        text("1 and 308 zeros", &format!("1{}", "0".repeat(308))),
        text("1 and 309 zeros", &format!("1{}", "0".repeat(309))),
        text("1 and 400 zeros", &format!("1{}", "0".repeat(400))),
        text("1 and 5000 zeros", &format!("1{}", "0".repeat(5000))),
        text("0.1 with 400 digits", &format!("0.1{}", "3".repeat(400))),
        text("text of 1 MiB", &format!("\"{}\"", "x".repeat(1 << 20))),
        text("text of 300 KiB in three bytes a letter", &format!("\"{}\"", "\u{20ac}".repeat(100 * 1024))),
        text("200 KiB of escapes", &format!("\"{}\"", "\\n\\\"".repeat(50 * 1024))),
        text("key of 100 KiB", &format!("{{\"{}\":1}}", "k".repeat(100 * 1024))),
        text("10,000 keys", &format!("{{{}}}", many(10_000, &|n| format!("\"k{n}\":{n}")))),
        text("20,000 numbers", &format!("[{}]", many(20_000, &|n| format!("{n}.25")))),
        text("2,000 lists in a list", &format!("[{}]", many(2_000, &|_| "[[]]".to_owned()))),
    ]);
    texts
}
