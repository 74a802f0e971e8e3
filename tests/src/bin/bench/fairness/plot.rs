//! The worker time of each organization over time, as a drawing of lines: one panel for each case.

use super::cases::FairnessCase;
use super::measure::CaseOutcome;

const WIDTH: f64 = 820.0;
const PANEL: f64 = 190.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 26.0;
/// A line shows the mean of so many seconds.
const SMOOTHED_SECONDS: usize = 5;
/// Told apart by people who see colours differently, too.
const COLOURS: [&str; 3] = ["#0072b2", "#d55e00", "#009e73"];

/// All panels, one below the other.
pub(super) fn page(outcomes: &[(FairnessCase, CaseOutcome)]) -> String {
    let height = PANEL * outcomes.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (number, (case, outcome)) in outcomes.iter().enumerate() {
        svg.push_str(&panel(case, outcome, PANEL * number as f64));
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(case: &FairnessCase, outcome: &CaseOutcome, top: f64) -> String {
    let seconds = outcome.by_second.first().map_or(0, Vec::len).max(2);
    let most = outcome.by_second.iter().flatten().copied().fold(1.0_f64, f64::max).ceil();
    let x = |second: usize| LEFT + (WIDTH - LEFT - RIGHT) * second as f64 / (seconds - 1) as f64;
    let floor = top + PANEL - BOTTOM;
    let y = |workers: f64| floor - (PANEL - TOP - BOTTOM) * workers / most;
    let mut svg = format!(
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">({}) {}</text>\n",
        top + 20.0,
        case.letter,
        case.what
    );
    for workers in 0..=most as usize {
        let at = y(workers as f64);
        svg.push_str(&format!(
            "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{workers}</text>\n",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0
        ));
    }
    for second in (0..seconds).step_by(10) {
        svg.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{second} s</text>\n",
            x(second),
            floor + 17.0
        ));
    }
    svg.push_str(&format!(
        "<text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\" fill=\"#555\">workers</text>\n",
        top + PANEL / 2.0
    ));
    for (place, organization) in case.organizations.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let smooth = smoothed(&outcome.by_second[place]);
        let points: Vec<String> = smooth
            .iter()
            .enumerate()
            .map(|(second, workers)| format!("{:.1},{:.1}", x(second), y(*workers)))
            .collect();
        let label = top + TOP + 14.0 + 30.0 * place as f64;
        svg.push_str(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <text x=\"{}\" y=\"{label}\" fill=\"{colour}\">{}</text><text x=\"{}\" y=\"{}\" fill=\"#555\">{:.1} %</text>\n",
            points.join(" "),
            WIDTH - RIGHT + 12.0,
            organization.name,
            WIDTH - RIGHT + 12.0,
            label + 14.0,
            outcome.parts[place].share * 100.0,
        ));
    }
    svg
}

/// Each second as the mean of those around it.
fn smoothed(values: &[f64]) -> Vec<f64> {
    let around = SMOOTHED_SECONDS / 2;
    let mean = |at: usize| {
        let window = &values[at.saturating_sub(around)..values.len().min(at + around + 1)];
        window.iter().sum::<f64>() / window.len() as f64
    };
    (0..values.len()).map(mean).collect()
}
