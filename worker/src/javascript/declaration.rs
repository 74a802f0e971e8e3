//! `export const muster = { timeout: 30, … }`, or a variable that is exported by that name: what a JavaScript workflow declares.
//!
//! It is read when the worker starts, long before an execution may enter user code, so the file is not run for it: the
//! text of the literal is cut out and evaluated alone, in a bare interpreter with a limit of time and memory. It sees
//! nothing of the file and of us. What is no plain literal there is named and not declared.

use std::time::{Duration, Instant};

use rquickjs::{CatchResultExt, Context, Runtime};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::sdk::WorkflowPolicy;

const EXPORT: &str = "export";
const NAME: &str = "muster";
const KINDS: [&str; 3] = ["const", "let", "var"];
/// A literal longer than this is no declaration.
const LITERAL_MAX_BYTES: usize = 64 * 1024;
const EVALUATED_WITHIN: Duration = Duration::from_millis(200);
const MEMORY_MAX_BYTES: usize = 16 * 1024 * 1024;
const STACK_BYTES: usize = 256 * 1024;
/// A hundred years: more seconds are a mistake.
const SECONDS_MAX: f64 = 3_155_760_000.0;

/// The keys of a declaration.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Declaration {
    description: String,
    timeout: Option<f64>,
    retries: Option<u32>,
    backoff: Option<f64>,
    backoff_factor: Option<f64>,
    backoff_max: Option<f64>,
    retry_on: Vec<String>,
    give_up_on: Vec<String>,
    max_concurrent: Option<u32>,
    key: String,
    limits: Vec<String>,
    queue: String,
    parameters: Option<Box<RawValue>>,
}

/// What to write in place of an export that is no literal.
pub(crate) const NOT_CUT_OUT: &str = "it must stand in the text as `export const muster = { … }`, a plain literal of \
                                      at most 64 KiB: it is read before the file is run";

/// The literal a file declares itself with, if it has one: from the first brace to the one that closes it.
pub(crate) fn literal_in(source: &str) -> Option<&str> {
    let exported = exports(source).find_map(|(place, behind)| {
        let rest = object(variable(behind, NAME)?)?;
        (is_in_first_column(source, place) || is_code(source, place)).then_some(rest)
    });
    let rest = exported.or_else(|| object_of_list(source))?;
    let end = closing_brace(rest)?;
    rest.get(..=end).filter(|literal| literal.len() <= LITERAL_MAX_BYTES)
}

/// True when the text seems to export `muster`.
pub(crate) fn seems_to_declare(source: &str) -> bool {
    exports(source).any(|(place, behind)| {
        (variable(behind, NAME).is_some() || listed(behind).is_some()) && is_code(source, place)
    })
}

/// The object that a variable is given, from its brace on, frozen or not.
fn object(behind: &str) -> Option<&str> {
    let value = behind.trim_start().strip_prefix('=')?.trim_start();
    let value = value.strip_prefix("Object.freeze(").map_or(value, str::trim_start);
    value.starts_with('{').then_some(value)
}

/// That of `const policy = { … }` in the first column, where it is listed by `export { policy as muster }`.
fn object_of_list(source: &str) -> Option<&str> {
    exports(source).find_map(|(place, behind)| {
        let (name, rest) = listed(behind)?;
        let is_of_another =
            rest.trim_start().strip_prefix("from").is_some_and(|rest| !rest.starts_with(is_of_a_name));
        if is_of_another || !is_code(source, place) {
            return None;
        }
        let mut lines = std::iter::once(0).chain(source.match_indices('\n').map(|(end, _)| end + 1));
        lines.find_map(|begin| {
            let value = object(variable_of_line(source.get(begin..)?, name)?)?;
            is_code(source, begin).then_some(value)
        })
    })
}

/// The lines that begin with `export`, however far to the right: where the word is, and all that is behind it.
fn exports(source: &str) -> impl Iterator<Item = (usize, &str)> {
    source.match_indices(EXPORT).filter_map(|(place, _)| {
        let line = source.get(..place)?.trim_end_matches([' ', '\t']);
        let begins = line.is_empty() || line.ends_with('\n');
        Some((place, source.get(place + EXPORT.len()..)?)).filter(|_| begins)
    })
}

/// There neither a comment nor a text that speaks of it is taken for a declaration.
fn is_in_first_column(source: &str, place: usize) -> bool {
    place == 0 || source.as_bytes().get(place - 1) == Some(&b'\n')
}

/// What is behind ` const muster`, or `let` or `var`.
fn variable<'a>(behind: &'a str, name: &str) -> Option<&'a str> {
    KINDS.iter().find_map(|kind| word(behind, kind)).and_then(|rest| word(rest, name))
}

/// The same of a line that begins so.
fn variable_of_line<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    KINDS.iter().find_map(|kind| line.strip_prefix(kind)).and_then(|rest| word(rest, name))
}

/// What is behind a word, if the text begins with that.
fn word<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    let rest = text.trim_start();
    let is_apart = rest.len() < text.len();
    rest.strip_prefix(wanted).filter(|rest| is_apart && !rest.starts_with(is_of_a_name))
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '$')
}

/// Of `{ other, declared as muster }` the name `declared`, and what is behind the list.
fn listed(behind: &str) -> Option<(&str, &str)> {
    let (names, rest) = behind.trim_start().strip_prefix('{')?.split_once('}')?;
    let own = names.split(',').find(|one| one.split_whitespace().last() == Some(NAME))?;
    Some((own.split_whitespace().next()?, rest))
}

/// False for a place within a text or a comment.
fn is_code(source: &str, place: usize) -> bool {
    let bytes = source.as_bytes();
    let mut at = 0;
    while at < place {
        let rest = source.get(at..).unwrap_or_default();
        at += match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'/'), Some(b'/')) => rest.find('\n').unwrap_or(rest.len()),
            (Some(b'/'), Some(b'*')) => rest.find("*/").map_or(rest.len(), |end| end + 2),
            (Some(quote @ (b'"' | b'\'' | b'`')), _) => text_length(rest, *quote),
            (_, _) => 1,
        };
    }
    at == place
}

/// The bytes of a text with its quotes. One that its line does not end is none: it is a quote in a regular expression.
fn text_length(text: &str, quote: u8) -> usize {
    let mut is_escaped = true;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'\n' if quote != b'`' => return 1,
            byte if byte == quote => return at + 1,
            _ => {}
        }
    }
    1
}

/// Where the first brace is closed. Texts and comments are passed over.
fn closing_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'{', _) => depth += 1,
            (b'}', _) => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            (b'/', Some(b'/')) => at += text.get(at..)?.find('\n')?,
            (b'/', Some(b'*')) => at += text.get(at..)?.find("*/")? + 1,
            (quote @ (b'"' | b'\'' | b'`'), _) => {
                at += 1;
                while bytes.get(at)? != quote {
                    at += if bytes.get(at) == Some(&b'\\') { 2 } else { 1 };
                }
            }
            (_, _) => {}
        }
        at += 1;
    }
    None
}

/// What a literal declares.
///
/// # Errors
/// When it is no literal, or says what cannot be declared.
pub(crate) fn read(literal: &str) -> Result<WorkflowPolicy, String> {
    let json = evaluate(literal)?;
    let declared: Declaration = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    let mut policy = WorkflowPolicy::new()
        .description(declared.description)
        .retry_on(declared.retry_on)
        .give_up_on(declared.give_up_on)
        .key(declared.key)
        .limits(declared.limits)
        .queue(declared.queue);
    if let Some(timeout) = seconds("timeout", declared.timeout)? {
        if timeout.is_zero() {
            return Err("timeout must be more than 0 seconds".to_owned());
        }
        policy = policy.timeout(timeout);
    }
    if let Some(retries) = declared.retries {
        policy = policy.retries(retries);
    }
    if let Some(backoff) = seconds("backoff", declared.backoff)? {
        policy = policy.backoff(backoff);
    }
    if let Some(longest) = seconds("backoffMax", declared.backoff_max)? {
        policy = policy.backoff_max(longest);
    }
    if let Some(factor) = seconds("backoffFactor", declared.backoff_factor)? {
        policy = policy.backoff_factor_percent(u32::try_from(factor.as_millis() / 10).unwrap_or(u32::MAX));
    }
    if let Some(count) = declared.max_concurrent {
        policy = policy.max_concurrent(count);
    }
    Ok(match declared.parameters {
        Some(schema) => policy.parameters(&schema),
        None => policy,
    })
}

fn seconds(key: &str, value: Option<f64>) -> Result<Option<Duration>, String> {
    let Some(value) = value else { return Ok(None) };
    if !(0.0..=SECONDS_MAX).contains(&value) {
        return Err(format!("{key} must be a number of at least 0"));
    }
    Ok(Some(Duration::from_secs_f64(value)))
}

fn evaluate(literal: &str) -> Result<String, String> {
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    runtime.set_memory_limit(MEMORY_MAX_BYTES);
    runtime.set_max_stack_size(STACK_BYTES);
    let started = Instant::now();
    runtime.set_interrupt_handler(Some(Box::new(move || started.elapsed() > EVALUATED_WITHIN)));
    let context = Context::full(&runtime).map_err(|error| error.to_string())?;
    context.with(|ctx| {
        // Of a class its name counts: `retryOn: [RangeError]`.
        let named = "(_, value) => (typeof value === 'function' ? value.name : value)";
        ctx.eval::<String, _>(format!("JSON.stringify(({literal}), {named})")).catch(&ctx).map_err(|error| {
            let told = error.to_string();
            let first = told.trim().lines().next().unwrap_or_default();
            format!("it must be a plain literal, which stands without the rest of the file ({first})")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literal_is_found_wherever_it_ends() {
        let source = "import x from './x.js'\n// export const muster = {no: 1}\nexport const muster = { queue: \"}\", \
                      /* } */ limits: ['a', `}`], // }\n parameters: { type: 'object' } };\nexport default () => 1";
        let literal = literal_in(source).unwrap();
        assert!(literal.starts_with("{ queue") && literal.ends_with("'object' } }"), "{literal}");
        for none in [
            "",
            "export const muster = 5",
            "export const muster = {",
            "export const musters = {}",
            "exportconst muster = {}",
            "/*\n export const muster = {}\n*/",
            "`\n export const muster = {}`",
        ] {
            assert_eq!(literal_in(none), None, "{none}");
        }
    }

    #[test]
    fn a_literal_counts_as_people_write_it() {
        for declared in [
            "export let muster = { timeout: 5 };",
            "export  var muster={ timeout: 5 };",
            "const quoted = /['\"]/;\n/* it's */ '\\''\n\texport const muster =\n { timeout: 5 };",
        ] {
            assert_eq!(literal_in(declared), Some("{ timeout: 5 }"), "{declared}");
        }
    }

    #[test]
    fn a_literal_counts_that_is_frozen_or_listed() {
        for declared in [
            "export const muster = Object.freeze({ timeout: 5 });",
            "const muster = { timeout: 5 };\nexport default () => 1;\nexport { muster };",
            "const $own = Object.freeze( { timeout: 5 });\n export { x, $own as muster } // as it is",
            "export{muster};\nlet muster = { timeout: 5 };",
        ] {
            assert_eq!(literal_in(declared), Some("{ timeout: 5 }"), "{declared}");
        }
        for other in [
            "const muster = { timeout: 5 };",
            "const muster = { timeout: 5 };\nexport { muster } from './lib.js';",
            "function f() {\n  const muster = { timeout: 5 };\n}\nexport { muster };",
            "/*\nconst muster = { timeout: 5 };\n*/\nexport { muster };",
            "const muster = { timeout: 5 };\nexport { muster as other };",
            "const muster = { timeout: 5 };\n`\nexport { muster }`;",
        ] {
            assert_eq!(literal_in(other), None, "{other}");
        }
    }

    #[test]
    fn what_seems_to_be_a_declaration_is_known() {
        for (source, seems) in [
            ("const muster = made();\nexport { muster };", true),
            ("const policy = made({});\n export {run as default, policy as muster}", true),
            ("export const muster = Object.seal({})", true),
            ("// export const muster = 5", false),
            ("/*\nexport { muster };\n*/", false),
            ("export { muster as other };", false),
            ("export const musters = {};", false),
        ] {
            assert_eq!((literal_in(source), seems_to_declare(source)), (None, seems), "{source}");
        }
    }

    #[test]
    fn a_literal_is_evaluated_alone_and_within_bounds() {
        let described = read(
            "{ timeout: 60 * 1.5, retries: 2, backoff: 0.5, backoffFactor: 1.5, giveUpOn: ['Fatal'], maxConcurrent: 2,
               key: 'organization', parameters: { type: 'object', properties: { n: { minimum: 1 } } } }",
        );
        let described = described.unwrap().describe("w", "w.js");
        assert_eq!((described.timeout_ms, described.retry.max_attempts), (Some(90_000), Some(3)));
        assert_eq!(
            (described.retry.backoff_ms, described.retry.backoff_factor_percent),
            (Some(500), Some(150))
        );
        assert_eq!((described.concurrency.total, described.concurrency.per_key), (None, Some(2)));
        assert_eq!(
            described.parameters.into_text().unwrap(),
            r#"{"type":"object","properties":{"n":{"minimum":1}}}"#
        );
        let described = read("{ retryOn: [RangeError, 'Busy'] }").unwrap().describe("w", "w.js");
        assert_eq!(described.retry.retry_on, ["RangeError", "Busy"]);
        assert!(!read("{ timeout: LIMIT }").unwrap_err().contains('\n'));
        for (literal, why) in [
            ("{ timeout: LIMIT }", "plain literal"),
            ("{ timeout: (() => { while (true) {} })() }", "plain literal"),
            ("{ timout: 1 }", "unknown field `timout`"),
            ("{ timeout: '30' }", "invalid type"),
            ("{ timeout: 0 }", "more than 0"),
            ("{ backoff: -1 }", "at least 0"),
        ] {
            let error = read(literal).unwrap_err();
            assert!(error.contains(why), "{literal}: {error}");
        }
    }
}
