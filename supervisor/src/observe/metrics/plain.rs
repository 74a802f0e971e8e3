//! The metrics for whoever reads only the older format of Prometheus (text 0.0.4).

use std::fmt::Write as _;

/// Rewrites OpenMetrics: there a counter is called without the `_total` of its series, units have lines of their own, and
/// the end is marked.
pub(crate) fn plain(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help: Option<(&str, &str)> = None;
    for line in open_metrics.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            help = said.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|said| said.split_once(' '))
        {
            let suffix = if kind == "counter" { "_total" } else { "" };
            let kind = if kind == "unknown" { "untyped" } else { kind };
            // Writing to a String cannot fail.
            if let Some((_, help)) = help.take().filter(|(of, _)| *of == name) {
                let _ = writeln!(text, "# HELP {name}{suffix} {help}");
            }
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with("# ") {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn counters_have_the_names_of_their_series_and_nothing_else_changes() {
        let open_metrics = "# HELP muster_x Things.\n# TYPE muster_x counter\nmuster_x_total{a=\"# b\"} 1\n\
                            # HELP muster_y_seconds Time.\n# TYPE muster_y_seconds gauge\n# UNIT muster_y_seconds seconds\n\
                            muster_y_seconds 0.5\n# EOF\n";
        assert_eq!(
            plain(open_metrics),
            "# HELP muster_x_total Things.\n# TYPE muster_x_total counter\nmuster_x_total{a=\"# b\"} 1\n\
             # HELP muster_y_seconds Time.\n# TYPE muster_y_seconds gauge\nmuster_y_seconds 0.5\n"
        );
    }
}
