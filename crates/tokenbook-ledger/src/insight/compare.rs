//! Two periods, and the reasons why one cost more than the other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenbook::{Catalog, Count, Result, Timestamp, Usd};

use crate::calendar::Calendar;
use crate::filter::{Filter, range};
use crate::insight::parts::name;
use crate::insight::share::divided;
use crate::insight::what_if::amount;
use crate::ledger::Ledger;
use crate::money::{Basis, Pricer, whole};
use crate::report::rows::{count, usage_of};
use crate::sums::{Sum, Sums};
use crate::survey::{Survey, Wants};

/// A half-open range of time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ComparedPeriod {
    /// Its first instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first instant after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// Which periods are compared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CompareQuery {
    /// The one before.
    pub a: ComparedPeriod,
    /// The one after.
    pub b: ComparedPeriod,
    /// Which calls.
    #[serde(default)]
    pub filter: Filter,
}

/// Two periods, and why the second cost more or less: the four reasons add up exactly to the difference, in each group and
/// in all.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// The one before.
    pub a: PeriodSums,
    /// The one after.
    pub b: PeriodSums,
    /// The cost of `b` less that of `a`.
    pub change_usd: Usd,
    /// Why.
    pub reasons: Reasons,
    /// By agent, action, model and provider, the largest change first.
    pub groups: Vec<ComparedGroup>,
    /// The instant whose prices both are measured by, before prices come in as a reason.
    pub prices_of: Timestamp,
}

/// What one period came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeriodSums {
    /// Its first instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first instant after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Calls.
    pub calls: Count,
    /// Calls whose cost is unknown: they are left out of all costs and reasons.
    pub unpriced_calls: Count,
    /// Input and output.
    pub total_tokens: Count,
    /// The known cost.
    pub cost_usd: Usd,
}

/// Why the cost changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reasons {
    /// More or fewer calls, of the same mix as before.
    pub volume_usd: Usd,
    /// More of the calls of one group and fewer of another, groups that are new or gone included.
    pub mix_usd: Usd,
    /// More or fewer tokens a call, or other kinds of them, within a group.
    pub tokens_per_call_usd: Usd,
    /// Other prices for the same tokens.
    pub price_usd: Usd,
}

/// One group in both periods.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComparedGroup {
    /// Who made the calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The model that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Calls with a known cost before.
    pub calls_a: Count,
    /// And after.
    pub calls_b: Count,
    /// What they cost before.
    pub cost_a_usd: Usd,
    /// And after.
    pub cost_b_usd: Usd,
    /// The change.
    pub change_usd: Usd,
    /// Why.
    pub reasons: Reasons,
}

/// One side of a group.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    calls: i128,
    /// What was paid.
    paid: i128,
    /// What it would have cost at the prices that both sides are measured by.
    measured: i128,
}

type Sides = BTreeMap<[i64; 4], [Side; 2]>;

/// The reasons of one group, in 1e-12 dollars: volume, mix, tokens, price.
fn reasons([a, b]: [Side; 2], all: [i128; 2]) -> [i128; 4] {
    let [all_a, all_b] = all;
    let change = b.measured - a.measured;
    // Before there were any calls, there is no mix that could have stayed.
    let volume = if all_a == 0 { change } else { divided(a.measured * (all_b - all_a), all_a) };
    // What `b`'s calls would have cost at `a`'s cost a call; a group that is new stays at its own.
    let usual = if a.calls == 0 { b.measured } else { divided(a.measured * b.calls, a.calls) };
    let mix = if all_a == 0 { 0 } else { usual - a.measured - volume };
    let tokens = change - volume - mix;
    [volume, mix, tokens, (b.paid - b.measured) - (a.paid - a.measured)]
}

fn named([volume, mix, tokens, price]: [i128; 4]) -> Reasons {
    Reasons {
        volume_usd: Usd::from_pico(volume),
        mix_usd: Usd::from_pico(mix),
        tokens_per_call_usd: Usd::from_pico(tokens),
        price_usd: Usd::from_pico(price),
    }
}

impl Ledger {
    /// Two periods, and the reasons why one cost more than the other.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for an empty range, or one that cuts through
    /// pruned calls.
    pub fn compare(&self, query: &CompareQuery, catalog: &Catalog) -> Result<Comparison> {
        let bounds =
            |period: &ComparedPeriod, side: &str| range(period.from, period.to).map_err(|error| error.context(side));
        let (a, b) = (bounds(&query.a, "a")?, bounds(&query.b, "b")?);
        let mut days = Calendar::new(self.time_zone())?;
        self.read(|db, names, head| {
            let last = crate::report::gather::bounds(db)?.1;
            let prices_of = Timestamp::from_ms(a.1.map_or(last, |to| to.min(last)).max(1) - 1)?;
            let mut sides = Sides::new();
            let mut sums = [PeriodSums::default(), PeriodSums::default()];
            for (side, (period, bounds)) in [(&query.a, a), (&query.b, b)].into_iter().enumerate() {
                let mut survey = Survey::new(db, names, head, &mut days, &query.filter, bounds)?;
                let total = measure(&mut survey, catalog, prices_of, side, &mut sides)?;
                let usage = usage_of(&total)?;
                sums[side] = PeriodSums {
                    from: period.from,
                    to: period.to,
                    calls: count(total.get(Sum::Calls))?,
                    unpriced_calls: count(total.get(Sum::Unpriced))?,
                    total_tokens: usage.total_input_tokens()?.checked_add(usage.total_output_tokens()?)?,
                    cost_usd: amount(total.get(Sum::Cost)),
                };
            }
            let all = [0, 1].map(|side| sides.values().map(|sides| sides[side].calls).sum::<i128>());
            let mut total = [0_i128; 4];
            let mut groups = Vec::with_capacity(sides.len());
            for (key, [a, b]) in &sides {
                let why = reasons([*a, *b], all);
                for (sum, more) in total.iter_mut().zip(why) {
                    *sum += more;
                }
                groups.push(ComparedGroup {
                    agent: name(db, names, key[0])?,
                    action: name(db, names, key[1])?,
                    model: name(db, names, key[2])?,
                    provider: name(db, names, key[3])?,
                    calls_a: count(a.calls.unsigned_abs())?,
                    calls_b: count(b.calls.unsigned_abs())?,
                    cost_a_usd: Usd::from_pico(a.paid),
                    cost_b_usd: Usd::from_pico(b.paid),
                    change_usd: Usd::from_pico(b.paid - a.paid),
                    reasons: named(why),
                });
            }
            groups.sort_by_key(|group| std::cmp::Reverse(group.change_usd.pico().abs()));
            let [a, b] = sums;
            let change_usd = b.cost_usd.checked_sub(a.cost_usd)?;
            Ok(Comparison { a, b, change_usd, reasons: named(total), groups, prices_of })
        })
    }
}

/// Measures one period by the prices of one instant; what has no price then is measured by what was paid.
fn measure(
    survey: &mut Survey<'_>,
    catalog: &Catalog,
    prices_of: Timestamp,
    side: usize,
    sides: &mut Sides,
) -> Result<Sums> {
    let gathered = survey.gather(Wants { classes: true, ..Wants::default() })?;
    let mut pricer = Pricer::new(catalog, Basis::OwnAt(prices_of));
    let amounts = pricer.value(survey, &gathered.classes, &gathered.combos, &whole)?;
    let (mut total, mut classes) = (Sums::default(), BTreeMap::<(i64, i64), Sums>::new());
    for (key, sums) in &gathered.classes {
        total.add(sums);
        classes.entry((key.combo, key.class)).or_default().add(sums);
    }
    for (terms, sums) in &classes {
        if sums.get(Sum::Unpriced) > 0 {
            continue; // A class is priced as a whole or not at all.
        }
        let combo = gathered.combos[&terms.0];
        let paid = amount(sums.get(Sum::Cost)).pico();
        let is_stated = sums.get(Sum::Stated) > 0;
        let measured =
            amounts.get(terms).filter(|amount| amount.unpriced == 0 && !is_stated).map_or(paid, |at| at.pico);
        let group = &mut sides.entry([combo.agent, combo.action, combo.model, combo.provider]).or_default()[side];
        group.calls += i128::try_from(sums.get(Sum::Calls)).unwrap_or(i128::MAX);
        group.paid += paid;
        group.measured += measured;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reasons_add_up_to_the_change(
            groups in prop::collection::vec((0..1_000_i128, 0..1_000_i128, prop::array::uniform4(0..1_i128 << 50)), 1..8),
        ) {
            let side = |calls: i128, paid, measured| if calls == 0 { Side::default() } else { Side { calls, paid, measured } };
            let sides: Vec<[Side; 2]> = groups
                .iter()
                .map(|(a, b, [paid_a, measured_a, paid_b, measured_b])| {
                    [side(*a, *paid_a, *measured_a), side(*b, *paid_b, *measured_b)]
                })
                .collect();
            let all = [0, 1].map(|at: usize| sides.iter().map(|sides| sides[at].calls).sum());
            for sides in &sides {
                let why = reasons(*sides, all);
                prop_assert_eq!(why.iter().sum::<i128>(), sides[1].paid - sides[0].paid);
            }
        }
    }

    #[test]
    fn each_reason_is_told_by_itself() {
        let side = |calls, paid, measured| Side { calls, paid, measured };
        // Twice the calls, all else the same.
        assert_eq!(reasons([side(10, 100, 100), side(20, 200, 200)], [10, 20]), [100, 0, 0, 0]);
        // As many calls, half of them moved to this group.
        assert_eq!(reasons([side(10, 100, 100), side(15, 150, 150)], [20, 20]), [0, 50, 0, 0]);
        // As many calls with twice the tokens.
        assert_eq!(reasons([side(10, 100, 100), side(10, 200, 200)], [10, 10]), [0, 0, 100, 0]);
        // The same tokens at twice the price.
        assert_eq!(reasons([side(10, 100, 100), side(10, 200, 100)], [10, 10]), [0, 0, 0, 100]);
    }
}
