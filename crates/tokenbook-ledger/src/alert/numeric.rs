//! Logarithm, exponential and what is built on them, from IEEE basic operations alone: every platform gives the same bits,
//! which the system's mathematical library does not.
#![expect(clippy::float_arithmetic, reason = "probabilities; no amount of money or tokens comes from here")]

const LN_2: f64 = std::f64::consts::LN_2;

/// The natural logarithm of a positive normal number.
pub(crate) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = i32::try_from(bits >> 52 & 0x7ff).expect("eleven bits") - 1023;
    let mantissa = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
    // Around 1, where the series is short.
    let (mantissa, exponent) =
        if mantissa > std::f64::consts::SQRT_2 { (mantissa / 2.0, exponent + 1) } else { (mantissa, exponent) };
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let (mut sum, mut power, mut odd) = (0.0, t, 1.0);
    while odd < 40.0 {
        sum += power / odd;
        power *= square;
        odd += 2.0;
    }
    2.0 * sum + f64::from(exponent) * LN_2
}

/// e to the power of x; 0 below -700.
pub(crate) fn exp(x: f64) -> f64 {
    if x < -700.0 {
        return 0.0;
    }
    let whole = (x / LN_2).floor();
    let rest = x - whole * LN_2;
    let (mut sum, mut term, mut n) = (1.0, 1.0, 1.0);
    while n < 24.0 {
        term *= rest / n;
        sum += term;
        n += 1.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "between -1010 and 1024")]
    let exponent = (whole as i64).clamp(-1022, 1023);
    sum * f64::from_bits((exponent + 1023).unsigned_abs() << 52)
}

/// The lower bound of Wilson's 95 % interval of a share.
pub(crate) fn wilson_lower(share: f64, samples: f64) -> f64 {
    const Z: f64 = 1.96;
    if samples <= 0.0 {
        return 0.0;
    }
    let square = Z * Z / samples;
    let spread = Z * (share * (1.0 - share) / samples + square / (4.0 * samples)).sqrt();
    ((share + square / 2.0 - spread) / (1.0 + square)).max(0.0)
}

/// The probability of `count` or more where counts have this mean and are spread as a negative binomial of this size (the
/// smaller, the wider); an infinite size is Poisson's law.
pub(crate) fn tail(count: u64, mean: f64, size: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of an hour")]
    let wanted = count as f64;
    if count == 0 || wanted <= mean {
        return 1.0;
    }
    if mean <= 0.0 {
        return 0.0;
    }
    // Probabilities one after another from 0 up, each from the last; scaled, since the first may be below what a number holds.
    let poisson = size > 1e9;
    let ratio = if poisson { mean } else { mean / (mean + size) };
    let first = if poisson { -mean } else { size * ln(size / (size + mean)) };
    let (mut log_scale, mut term) = (first, 1.0_f64);
    let mut n = 0.0;
    let mut advance = |term: &mut f64, log_scale: &mut f64| {
        *term *= if poisson { ratio / (n + 1.0) } else { ratio * (size + n) / (n + 1.0) };
        n += 1.0;
        if !(1e-200..1e200).contains(term) && *term > 0.0 {
            *log_scale += ln(*term);
            *term = 1.0;
        }
        n
    };
    while advance(&mut term, &mut log_scale) < wanted {}
    // From the wanted count on, which lies above the mean, terms fall at least as fast as a geometric series.
    let (start, mut sum, base) = (log_scale, 0.0, term);
    let mut steps = 0;
    loop {
        let value = term * exp((log_scale - start).clamp(-700.0, 0.0));
        sum += value;
        steps += 1;
        if value <= base * 1e-12 && value <= sum * 1e-12 || steps > 5_000_000 {
            break;
        }
        advance(&mut term, &mut log_scale);
    }
    (sum * exp(start)).clamp(0.0, 1.0)
}

/// A number with four significant digits, so that the last bits of a computation are nowhere seen.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().expect("our own print")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() <= want.abs() * 1e-9, "{got} {want}");
    }

    #[test]
    fn logarithm_and_exponential_are_right() {
        for x in [1e-9, 0.1, 0.5, 1.0, 1.5, 2.0, 10.0, 12_345.678, 1e18] {
            assert!((ln(x) - f64::ln(x)).abs() <= 1e-13 * f64::ln(x).abs().max(1.0), "{x}");
        }
        for x in [-600.0, -20.5, -1.0, 0.0, 0.3, 5.0, 100.0] {
            near(exp(x), f64::exp(x));
        }
    }

    /// Against sums in decimal arithmetic of 60 digits.
    #[test]
    fn tails_are_right() {
        near(tail(10, 2.0, 1.0), 0.017_341_529_915_832_62);
        near(tail(50, 10.0, 4.0), 3.135_077_623_245_156e-5);
        near(tail(10, 2.0, f64::INFINITY), 4.649_807_501_726_381e-5);
        near(tail(3, 0.3, f64::INFINITY), 0.003_599_493_183_089_47);
        near(tail(6_000, 4_000.0, 30.0), 0.007_508_523_584_368_263);
        near(tail(0, 5.0, 2.0), 1.0);
    }

    /// Beside statsmodels' negative binomial.
    #[test]
    fn tails_are_those_of_statsmodels() {
        #[derive(serde::Deserialize)]
        struct Figures {
            tails: Vec<Case>,
        }
        #[derive(serde::Deserialize)]
        struct Case {
            count: u64,
            mean: f64,
            size: f64,
            probability: f64,
        }
        let figures: Figures =
            serde_json::from_str(include_str!("../../tests/oracle/statsmodels.json")).expect("figures");
        assert_eq!(figures.tails.len(), 11);
        for Case { count, mean, size, probability } in figures.tails {
            let ours = tail(count, mean, size);
            assert!((ours - probability).abs() <= 1e-8 * probability, "{count} {mean} {size}: {ours} {probability}");
        }
    }

    #[test]
    fn two_of_three_prove_no_half() {
        assert!(wilson_lower(2.0 / 3.0, 3.0) < 0.21);
        near(wilson_lower(0.6, 100.0), 0.502_000_784_618_402_5);
        assert!(wilson_lower(1.0, 0.0) < 1e-9);
    }
}
