//! The same calls on another model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenbook::price::{Found, PriceQuery};
use tokenbook::{Catalog, Count, Error, ErrorCode, Result, Timestamp, Usd};

use crate::calendar::Calendar;
use crate::filter::{Filter, range};
use crate::insight::parts::name;
use crate::ledger::Ledger;
use crate::money::{Amount, Basis, Pricer, whole};
use crate::report::rows::count;
use crate::sums::{Sum, Sums};
use crate::survey::{Survey, Wants};

/// Which calls are priced on which model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WhatIfQuery {
    /// The other model.
    pub model: String,
    /// Who would be asked; each call's own provider if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Calls made at this instant or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Calls made before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Which calls.
    #[serde(default)]
    pub filter: Filter,
}

/// What the same calls would have cost on another model: the same tokens of each kind, at that model's price at the instant
/// of each call, on its own tier and region. Another model would count the same text a little differently and answer at
/// another length; that is not in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhatIf {
    /// The other model.
    pub model: String,
    /// Who would be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// All calls together.
    pub total: WhatIfPart,
    /// By agent, action and model, the largest difference first.
    pub parts: Vec<WhatIfPart>,
}

/// What a group of calls cost and would have cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WhatIfPart {
    /// Who made the calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The model that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Calls.
    pub calls: Count,
    /// What they cost, as far as it is known.
    pub actual_usd: Usd,
    /// Calls whose cost is unknown.
    pub actual_unpriced_calls: Count,
    /// What they would have cost.
    pub what_if_usd: Usd,
    /// Calls that the other model has no price for, such as those with unknown usage.
    pub what_if_unpriced_calls: Count,
    /// What they would have cost more, of the calls whose both costs are known.
    pub difference_usd: Usd,
    /// How many calls those are.
    pub compared_calls: Count,
}

#[derive(Default)]
struct Group {
    sums: Sums,
    other: Amount,
    difference: i128,
    compared: u128,
}

impl Group {
    fn part(&self) -> Result<WhatIfPart> {
        Ok(WhatIfPart {
            calls: count(self.sums.get(Sum::Calls))?,
            actual_usd: amount(self.sums.get(Sum::Cost)),
            actual_unpriced_calls: count(self.sums.get(Sum::Unpriced))?,
            what_if_usd: Usd::from_pico(self.other.pico),
            what_if_unpriced_calls: count(self.other.unpriced.into())?,
            difference_usd: Usd::from_pico(self.difference),
            compared_calls: count(self.compared)?,
            ..WhatIfPart::default()
        })
    }
}

pub(crate) fn amount(pico: u128) -> Usd {
    Usd::from_pico(i128::try_from(pico).unwrap_or(i128::MAX))
}

impl Ledger {
    /// What the same calls would have cost on another model.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::UnknownModel`] when the catalog has no such model, [`ErrorCode::InvalidArgument`] for an empty range, or
    /// one that cuts through pruned calls.
    pub fn what_if(&self, query: &WhatIfQuery, catalog: &Catalog) -> Result<WhatIf> {
        let bounds = range(query.from, query.to)?;
        let mut days = Calendar::new(self.time_zone())?;
        self.read(|db, names, head| {
            let mut survey = Survey::new(db, names, head, &mut days, &query.filter, bounds)?;
            let gathered = survey.gather(Wants { classes: true, ..Wants::default() })?;
            let mut pricer =
                Pricer::new(catalog, Basis::Other { model: &query.model, provider: query.provider.as_deref() });
            let amounts = pricer.value(&mut survey, &gathered.classes, &gathered.combos, &whole)?;
            let mut classes: BTreeMap<(i64, i64), Sums> = BTreeMap::new();
            for (key, sums) in &gathered.classes {
                classes.entry((key.combo, key.class)).or_default().add(sums);
            }
            let (mut total, mut groups) = (Group::default(), BTreeMap::<[i64; 3], Group>::new());
            for (terms, sums) in &classes {
                let combo = gathered.combos[&terms.0];
                let other = amounts.get(terms).copied().unwrap_or_default();
                let both = other.unpriced == 0 && sums.get(Sum::Unpriced) == 0;
                for group in [&mut total, groups.entry([combo.agent, combo.action, combo.model]).or_default()] {
                    group.sums.add(sums);
                    group.other.pico += other.pico;
                    group.other.unpriced += other.unpriced;
                    if both {
                        group.difference += other.pico - amount(sums.get(Sum::Cost)).pico();
                        group.compared += sums.get(Sum::Calls);
                    }
                }
            }
            let total = total.part()?;
            if total.what_if_unpriced_calls == total.calls {
                known_model(query, catalog, bounds.1)?;
            }
            let (db, names) = survey.names();
            let mut parts = Vec::with_capacity(groups.len());
            for ([agent, action, model], group) in &groups {
                parts.push(WhatIfPart {
                    agent: name(db, names, *agent)?,
                    action: name(db, names, *action)?,
                    model: name(db, names, *model)?,
                    ..group.part()?
                });
            }
            parts.sort_by(|one, two| {
                let size = |part: &WhatIfPart| std::cmp::Reverse(part.difference_usd.pico().abs());
                let names = |part: &WhatIfPart| (part.agent.clone(), part.action.clone(), part.model.clone());
                size(one).cmp(&size(two)).then_with(|| names(one).cmp(&names(two)))
            });
            Ok(WhatIf { model: query.model.clone(), provider: query.provider.clone(), total, parts })
        })
    }
}

/// Refuses a model that has no price at all.
fn known_model(query: &WhatIfQuery, catalog: &Catalog, to: Option<i64>) -> Result<()> {
    let at = to.map_or(Ok(Timestamp::MAX), |to| Timestamp::from_ms(to - 1))?;
    let asked = PriceQuery { provider: query.provider.as_deref(), ..PriceQuery::new(&query.model, at) };
    match catalog.price(&asked)? {
        Found::Price(_) => Ok(()),
        Found::Unpriced(unpriced) => {
            Err(Error::new(ErrorCode::UnknownModel, unpriced.message).with("near", unpriced.near.join(", ")))
        }
    }
}
