//! Workflow names: which are well formed, and which one was probably meant.

/// True for `[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*`.
pub(crate) fn is_well_formed(name: &str) -> bool {
    let part_is_fine = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    !name.is_empty() && name.split('/').all(part_is_fine)
}

/// Says that there is no such workflow, and what there is.
pub(crate) fn not_found(name: &str, known: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut near: Vec<(f64, &String)> = known
        .iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let list = |names: &mut dyn Iterator<Item = &String>| {
        names.take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    if !near.is_empty() {
        let names = list(&mut near.into_iter().map(|(_, candidate)| candidate));
        return format!("there is no workflow {name:?}; near names: {names}");
    }
    match known.len() {
        0 => format!("there is no workflow {name:?}, and no other either"),
        count if count <= SHOWN => {
            format!("there is no workflow {name:?}; there are: {}", list(&mut known.iter()))
        }
        count => {
            format!("there is no workflow {name:?}; there are {count}, such as {}", list(&mut known.iter()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_parts_make_a_name() {
        for name in ["hello", "reports/daily-2", "A_b/c"] {
            assert!(is_well_formed(name), "{name}");
        }
        for name in ["", "/", "a/", "/a", "a//b", "..", "a/../b", "a.js", "a b", "ä", "a\0"] {
            assert!(!is_well_formed(name), "{name:?}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["hello", "counter", "transform"].map(str::to_owned);
        assert_eq!(not_found("helo", &known), "there is no workflow \"helo\"; near names: hello");
        assert!(not_found("zzz", &known).ends_with("there are: hello, counter, transform"));
        assert!(not_found("zzz", &[]).ends_with("no other either"));
    }
}
