//! The forecast on made-up series: how far its total of 14 days is off beside the run-rate, and how often its bands hold.
//!
//! `cargo test --release -p tokenbook-ledger --test forecasts -- --nocapture` prints the figures.
#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "made-up series, and errors of them"
)]

use tokenbook_ledger::predict;

const SERIES: u64 = 300;
const AHEAD: usize = 14;

struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// Days of spending with a weekly rhythm, a trend and a shift of level: what is known, and the two weeks behind it.
fn series(seed: u64) -> (Vec<i128>, Vec<i128>) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..20 {
        random.unit();
    }
    let known = 56 + (random.unit() * 70.0) as usize;
    let (level, growth) = (random.between(20.0, 2_000.0), random.between(-0.002, 0.012));
    let (weekend, noise) = (random.between(0.1, 0.9), random.between(0.05, 0.3));
    let (shift_day, shift) = ((random.unit() * 0.8 * known as f64) as usize, random.between(0.5, 2.0));
    let day = |number: usize, random: &mut Random| {
        let rhythm = if number % 7 >= 5 { weekend } else { 1.0 };
        let shifted = if number >= shift_day { shift } else { 1.0 };
        let value =
            level * (growth * number as f64).exp() * rhythm * shifted * (1.0 + noise * random.normal()).max(0.0);
        (value * 1e6).round() as i128
    };
    let days: Vec<i128> = (0..known + AHEAD).map(|number| day(number, &mut random)).collect();
    (days[..known].to_vec(), days[known..].to_vec())
}

#[test]
fn the_total_of_two_weeks_is_foretold_far_better_than_by_the_run_rate_and_its_bands_hold() {
    let (mut ours, mut run_rate) = (0.0, 0.0);
    let (mut bands, mut held, mut days, mut days_held) = (0_u32, 0_u32, 0_u32, 0_u32);
    for seed in 1..=SERIES {
        let (known, truth) = series(seed);
        let prediction = predict(&known, AHEAD).expect("eight weeks are enough");
        let total: i128 = truth.iter().sum();
        let band = prediction.cumulative.last().expect("14 days");
        let relative = |foretold: f64| (foretold - total as f64).abs() / total as f64;
        ours += relative(band.expected as f64);
        run_rate += relative(known.iter().sum::<i128>() as f64 / known.len() as f64 * AHEAD as f64);
        if let (Some(low), Some(high)) = (band.low, band.high) {
            bands += 1;
            held += u32::from((low..=high).contains(&total));
        }
        for (band, value) in prediction.daily.iter().zip(&truth) {
            if let (Some(low), Some(high)) = (band.low, band.high) {
                days += 1;
                days_held += u32::from((low..=high).contains(value));
            }
        }
    }
    let percent = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole);
    let (ours, run_rate) = (100.0 * ours / SERIES as f64, 100.0 * run_rate / SERIES as f64);
    println!("error of the 14-day total: forecast {ours:.1} %, run-rate {run_rate:.1} %: {:.2} times", run_rate / ours);
    println!("bands of 90 % that held: totals {:.1} %, days {:.1} %", percent(held, bands), percent(days_held, days));
    assert!(run_rate >= 2.5 * ours, "{run_rate} of {ours}");
    for held in [percent(held, bands), percent(days_held, days)] {
        assert!((87.0..=95.0).contains(&held), "{held}");
    }
}
