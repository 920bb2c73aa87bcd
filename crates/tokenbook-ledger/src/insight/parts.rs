//! Calls by agent, action, model and so on, with their shares of the whole.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use serde::Serialize;
use tokenbook::Result;

use crate::insight::figures::{Figures, figures};
use crate::insight::share::per_mille;
use crate::spread::Spread;
use crate::store::names::{Combo, Names};
use crate::sums::Sums;
use crate::survey::Gathered;

/// A group of calls and its shares of all calls that are asked about. Shares are in tenths of a percent and add up to 1,000
/// over all groups. A group of calls without an agent and so on has no such field.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GroupShare {
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
    /// All models of the group, where it isn't of one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// The share of the calls.
    pub calls_per_mille: u32,
    /// The share of the tokens.
    pub tokens_per_mille: u32,
    /// The share of the known cost.
    pub cost_per_mille: u32,
    /// The sums.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What calls are grouped by, as name numbers (0 is none).
pub(crate) type By = fn(&Combo) -> [i64; 4];

pub(crate) const AGENT: By = |combo| [combo.agent, 0, 0, 0];
pub(crate) const ACTION: By = |combo| [0, combo.action, 0, 0];
pub(crate) const MODEL: By = |combo| [0, 0, combo.model, 0];
pub(crate) const PROVIDER: By = |combo| [0, 0, 0, combo.provider];
pub(crate) const ENDPOINT: By = |combo| [combo.agent, combo.action, 0, 0];

/// A name behind its number.
pub(crate) fn name(db: &Connection, names: &mut Names, id: i64) -> Result<Option<String>> {
    Ok(names.name(db, id)?.map(|name| name.as_ref().to_owned()))
}

/// Groups what was gathered, the most expensive first.
pub(crate) fn parts(
    db: &Connection,
    names: &mut Names,
    gathered: &Gathered,
    by: By,
    with_models: bool,
) -> Result<Vec<GroupShare>> {
    let mut groups: BTreeMap<[i64; 4], (Sums, Spread, BTreeSet<i64>)> = BTreeMap::new();
    for (id, sums) in &gathered.sums {
        let Some(combo) = gathered.combos.get(id) else { continue };
        let (sum, spread, models) = groups.entry(by(combo)).or_default();
        sum.add(sums);
        models.insert(combo.model);
        if let Some(more) = gathered.spreads.get(id) {
            spread.add(more);
        }
    }
    let mut parts = Vec::with_capacity(groups.len());
    for ([agent, action, model, provider], (sums, spread, models)) in &groups {
        let mut part = GroupShare {
            agent: name(db, names, *agent)?,
            action: name(db, names, *action)?,
            model: name(db, names, *model)?,
            provider: name(db, names, *provider)?,
            figures: figures(sums, Some(spread))?,
            ..GroupShare::default()
        };
        if with_models {
            for model in models {
                part.models.extend(name(db, names, *model)?);
            }
            part.models.sort();
        }
        parts.push(part);
    }
    // Sorted first: which of equal remainders gets more must not depend on the order of arrival.
    parts.sort_by(|one, two| order(one).cmp(&order(two)));
    let column = |value: fn(&Figures) -> u128| parts.iter().map(|part| value(&part.figures)).collect::<Vec<_>>();
    let calls = column(|figures| figures.measures.calls.get().into());
    let tokens = column(|figures| figures.total_tokens.get().into());
    let costs = column(|figures| figures.measures.cost_usd.pico().unsigned_abs());
    let shares = per_mille(&calls).into_iter().zip(per_mille(&tokens)).zip(per_mille(&costs));
    for (part, ((calls, tokens), cost)) in parts.iter_mut().zip(shares) {
        (part.calls_per_mille, part.tokens_per_mille, part.cost_per_mille) = (calls, tokens, cost);
    }
    Ok(parts)
}

fn order(part: &GroupShare) -> impl Ord + '_ {
    let figures = &part.figures;
    (
        Reverse((figures.measures.cost_usd, figures.total_tokens, figures.measures.calls)),
        (&part.agent, &part.action, &part.model, &part.provider),
    )
}
