//! The spike rule on made-up series with planted spikes: how many it catches, and how often it is wrong.
//!
//! `cargo test --release -p tokenbook-ledger --test spikes -- --nocapture` prints the figures.
#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made-up series, and rates of them"
)]

use tokenbook_ledger::{SpikeLimits, judge_hour};

const WEEK: usize = 168;
/// As many weeks as in the series that the rule was chosen on, and the first in which it is judged.
const WEEKS: usize = 8;
const FIRST: usize = 4 * WEEK;
const SERIES: u64 = 40;
const SPIKES: usize = 6;

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A gamma variate with mean 1 (Marsaglia and Tsang).
    fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v / shape;
            }
        }
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 200.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// Hourly means: a level, a weekly rhythm or none, and growth of 30 % over all weeks.
fn mean(kind: &str, hour: usize) -> f64 {
    let growth = 1.0 + 0.3 * hour as f64 / (WEEKS * WEEK) as f64;
    let day = hour / 24 % 7;
    let rhythm = if (8..19).contains(&(hour % 24)) && day < 5 { 1.0 } else { 0.1 };
    growth
        * match kind {
            "busy, weekly rhythm" => 60.0 * rhythm,
            "busy, flat" => 30.0,
            "rare" => 0.3,
            _ => unreachable!("named below"),
        }
}

/// The share of spikes that are caught, and hours of false alarms a week.
fn judge(kind: &str) -> (f64, f64) {
    let (mut caught, mut false_spells) = (0, 0);
    for seed in 1..=SERIES {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut counts: Vec<u64> = (0..WEEKS * WEEK)
            .map(|hour| {
                let spread = random.gamma(if kind == "rare" { 3.0 } else { 20.0 });
                random.poisson(mean(kind, hour) * spread)
            })
            .collect();
        let mut planted = Vec::new();
        while planted.len() < SPIKES {
            let hour = FIRST + (random.unit() * (FIRST as f64 - 1.0)) as usize;
            // A spike of something that sleeps at night is planted where it is awake.
            if planted.contains(&hour) || (kind.contains("rhythm") && mean(kind, hour) < 30.0) {
                continue;
            }
            planted.push(hour);
            let spike = (4.0 * mean(kind, hour)).max(6.0);
            counts[hour] = random.poisson(spike);
        }
        let mut firing = false;
        for hour in FIRST..WEEKS * WEEK {
            let start = hour - (4 * WEEK).min(hour);
            let fires = judge_hour(&counts[start..=hour], SpikeLimits::default()).is_some_and(|spike| spike.fires);
            if planted.contains(&hour) {
                caught += u64::from(fires);
            } else {
                // One event a spell.
                false_spells += u64::from(fires && !firing);
            }
            firing = fires;
        }
    }
    let weeks = (SERIES as usize * (WEEKS - 4)) as f64;
    (caught as f64 / (SERIES as usize * SPIKES) as f64, false_spells as f64 / weeks)
}

#[test]
fn planted_spikes_are_caught_and_few_are_seen_that_are_none() {
    println!("{:<22} {:>8} {:>14}", "series", "caught", "false a week");
    for (kind, least, most) in [("busy, weekly rhythm", 0.9, 1.0), ("busy, flat", 0.9, 1.0), ("rare", 0.6, 0.1)] {
        let (caught, false_a_week) = judge(kind);
        println!("{kind:<22} {:>7.1}% {false_a_week:>14.3}", caught * 100.0);
        assert!(caught >= least && false_a_week <= most, "{kind}: {caught} caught, {false_a_week} false a week");
    }
}
