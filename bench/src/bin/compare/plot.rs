//! A bar for each contender, as SVG.

use std::fmt::Write as _;

/// Bars of these lengths, in microseconds, under their names.
pub fn bars(bars: &[(&str, f64)]) -> String {
    let longest = bars.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let height = 40 + ROW * bars.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"22\" font-weight=\"bold\">CPU µs per request: POST with 1 KiB of JSON, 64 connections</text>\n"
    );
    for (at, (name, value)) in bars.iter().enumerate() {
        let (y, length) = (36 + ROW * at, value / longest * (WIDTH - LEFT - 60) as f64);
        let colour = if name.starts_with("ours") { "#2b6cb0" } else { "#a0aec0" };
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{value:.1}</text>",
            LEFT - 8,
            y + 13,
            LEFT as f64 + length + 6.0,
            y + 13,
        );
    }
    svg + "</svg>\n"
}

const WIDTH: usize = 900;
const LEFT: usize = 260;
const ROW: usize = 22;
