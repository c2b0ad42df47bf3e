//! Prometheus text format, version 0.0.4.
//!
//! The format wants all samples of one name together, whoever writes them and when; so samples are
//! gathered by name and written out at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The media type of what [`Exposition::finish`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Samples under way to becoming text.
#[derive(Debug, Default)]
pub struct Exposition {
    families: BTreeMap<&'static str, Family>,
}

#[derive(Debug)]
struct Family {
    kind: &'static str,
    help: &'static str,
    samples: String,
}

/// Labels of one sample: name and value.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

impl Exposition {
    /// A value that goes up and down.
    pub fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: Labels<'_>,
        value: f64,
    ) {
        self.family(name, "gauge", help).sample(name, "", labels, value);
    }

    /// A count that only grows.
    pub fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: Labels<'_>,
        value: u64,
    ) {
        self.amount(name, help, labels, value as f64);
    }

    /// An amount that only grows, such as seconds.
    pub fn amount(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: Labels<'_>,
        value: f64,
    ) {
        self.family(name, "counter", help).sample(name, "", labels, value);
    }

    /// Quantiles of a distribution, and how many values it has.
    pub fn summary(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: Labels<'_>,
        quantiles: &[(&str, f64)],
        sum: f64,
        count: u64,
    ) {
        let family = self.family(name, "summary", help);
        for (quantile, value) in quantiles {
            let mut labels = labels.to_vec();
            labels.push(("quantile", quantile));
            family.sample(name, "", &labels, *value);
        }
        family.sample(name, "_sum", labels, sum);
        family.sample(name, "_count", labels, count as f64);
    }

    /// A distribution as cumulative buckets: upper bounds and how many values are not above them.
    /// The last bucket must be the one of all values, `+Inf`.
    pub fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: Labels<'_>,
        buckets: &[(&str, u64)],
        sum: f64,
    ) {
        let family = self.family(name, "histogram", help);
        for (bound, count) in buckets {
            let mut labels = labels.to_vec();
            labels.push(("le", bound));
            family.sample(name, "_bucket", &labels, *count as f64);
        }
        family.sample(name, "_sum", labels, sum);
        let count = buckets.last().map_or(0, |(_, count)| *count);
        family.sample(name, "_count", labels, count as f64);
    }

    /// The text.
    pub fn finish(self) -> String {
        let mut text = String::new();
        for (name, Family { kind, help, samples }) in self.families {
            // Writing to a string cannot fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}");
        }
        text
    }

    fn family(
        &mut self,
        name: &'static str,
        kind: &'static str,
        help: &'static str,
    ) -> &mut Family {
        let new = || Family { kind, help, samples: String::new() };
        self.families.entry(name).or_insert_with(new)
    }
}

impl Family {
    fn sample(&mut self, name: &str, suffix: &str, labels: Labels<'_>, value: f64) {
        let out = &mut self.samples;
        out.push_str(name);
        out.push_str(suffix);
        for (at, (label, value)) in labels.iter().enumerate() {
            out.push(if at == 0 { '{' } else { ',' });
            out.push_str(label);
            out.push_str("=\"");
            escape(out, value);
            out.push('"');
        }
        if !labels.is_empty() {
            out.push('}');
        }
        let _ = writeln!(out, " {value}");
    }
}

fn escape(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_one_name_stand_together() {
        let mut out = Exposition::default();
        out.counter("b_total", "B.", &[("topic", "x")], 1);
        out.gauge("a", "A.", &[], 0.5);
        out.counter("b_total", "B.", &[("topic", "say \"hi\"\\\n")], 18_446_744_073_709_551_615);
        assert_eq!(
            out.finish(),
            "# HELP a A.\n# TYPE a gauge\na 0.5\n\
             # HELP b_total B.\n# TYPE b_total counter\nb_total{topic=\"x\"} 1\n\
             b_total{topic=\"say \\\"hi\\\"\\\\\\n\"} 18446744073709552000\n"
        );
    }

    #[test]
    fn distributions() {
        let mut out = Exposition::default();
        out.summary("s", "S.", &[("request", "Fetch")], &[("0.5", 2.0)], 7.5, 3);
        out.histogram("h", "H.", &[], &[("0.1", 1), ("+Inf", 4)], 9.0);
        assert_eq!(
            out.finish(),
            "# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"0.1\"} 1\nh_bucket{le=\"+Inf\"} 4\n\
             h_sum 9\nh_count 4\n\
             # HELP s S.\n# TYPE s summary\ns{request=\"Fetch\",quantile=\"0.5\"} 2\n\
             s_sum{request=\"Fetch\"} 7.5\ns_count{request=\"Fetch\"} 3\n"
        );
    }
}
