//! JSON as a careful reader sees it.

use std::collections::BTreeMap;

/// Beyond this nesting a text is not looked into: every store and SDK refuses it long before.
const DEPTH_MAX: usize = 1024;

/// A value. Text is UTF-16, because JSON escapes can say what no `str` holds. Keys have no order, and the last of
/// those that are alike counts.
#[derive(Debug, PartialEq)]
pub(super) enum ComparedJson {
    Word(&'static str),
    Number(String),
    Text(Vec<u16>),
    List(Vec<ComparedJson>),
    Object(BTreeMap<Vec<u16>, ComparedJson>),
}

impl ComparedJson {
    /// Reads a text; none when it is not JSON.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = ComparedReader { rest: text, depth: 0 };
        let value = reader.value()?;
        reader.blank();
        reader.rest.is_empty().then_some(value)
    }
}

struct ComparedReader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> ComparedReader<'a> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn takes(&mut self, token: &str) -> bool {
        self.blank();
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest;
        true
    }

    fn value(&mut self) -> Option<ComparedJson> {
        for word in ["null", "true", "false"] {
            if self.takes(word) {
                return Some(ComparedJson::Word(word));
            }
        }
        match self.rest.chars().next()? {
            '"' => self.text().map(ComparedJson::Text),
            '[' => self.nested(Self::list),
            '{' => self.nested(Self::object),
            _ => self.number(),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Option<ComparedJson>) -> Option<ComparedJson> {
        self.depth += 1;
        let value = if self.depth > DEPTH_MAX { None } else { read(self) };
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Option<ComparedJson> {
        let mut items = Vec::new();
        self.takes("[");
        if self.takes("]") {
            return Some(ComparedJson::List(items));
        }
        loop {
            items.push(self.value()?);
            if self.takes("]") {
                return Some(ComparedJson::List(items));
            }
            self.takes(",").then_some(())?;
        }
    }

    fn object(&mut self) -> Option<ComparedJson> {
        let mut entries = BTreeMap::new();
        self.takes("{");
        if self.takes("}") {
            return Some(ComparedJson::Object(entries));
        }
        loop {
            self.blank();
            let key = self.text()?;
            self.takes(":").then_some(())?;
            entries.insert(key, self.value()?);
            if self.takes("}") {
                return Some(ComparedJson::Object(entries));
            }
            self.takes(",").then_some(())?;
        }
    }

    fn number(&mut self) -> Option<ComparedJson> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | 'e' | 'E'));
        let (number, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        // Whoever is strict about numbers knows what is one.
        serde_json::from_str::<&serde_json::value::RawValue>(number).ok()?;
        self.rest = rest;
        Some(ComparedJson::Number(number.to_owned()))
    }

    fn text(&mut self) -> Option<Vec<u16>> {
        self.rest = self.rest.strip_prefix('"')?;
        let mut units = Vec::new();
        loop {
            let letter = self.next()?;
            match letter {
                '"' => return Some(units),
                '\0'..='\u{1f}' => return None,
                '\\' => {
                    let escaped = self.next()?;
                    match escaped {
                        'u' => {
                            let (digits, rest) = self.rest.split_at_checked(4)?;
                            units.push(u16::from_str_radix(digits, 16).ok()?);
                            self.rest = rest;
                        }
                        '"' | '\\' | '/' => units.push(u16::try_from(u32::from(escaped)).ok()?),
                        'b' => units.push(8),
                        'f' => units.push(12),
                        'n' => units.push(10),
                        'r' => units.push(13),
                        't' => units.push(9),
                        _ => return None,
                    }
                }
                letter => units.extend(letter.encode_utf16(&mut [0; 2]).iter()),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = &self.rest[letter.len_utf8()..];
        Some(letter)
    }
}
