//! Prices and costs.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tokenbook::cost::{BatchCost, CostBatch};
use tokenbook::price::{Found, Model, PriceQuery};
use tokenbook::{Catalog, Cost, CostQuery, Count, Date, Error, ErrorCode, Result, Timestamp, Usage, Usd};

use crate::clock;
use crate::toml_text::as_json;

/// The catalog in use by this process, and the prices laid over it.
struct InUse {
    base: Option<Arc<Catalog>>,
    prices: Option<String>,
    catalog: Arc<Catalog>,
}

static IN_USE: LazyLock<RwLock<InUse>> =
    LazyLock::new(|| RwLock::new(InUse { base: None, prices: None, catalog: Arc::new(Catalog::builtin().clone()) }));

/// The catalog in use.
pub(crate) fn catalog() -> Arc<Catalog> {
    Arc::clone(&IN_USE.read().unwrap_or_else(PoisonError::into_inner).catalog)
}

/// Puts another base or other prices in use, once both were found to be well-formed together.
fn put(change: impl FnOnce(&mut Option<Arc<Catalog>>, &mut Option<String>) -> Result<()>) -> Result<PricesInUse> {
    let mut in_use = IN_USE.write().unwrap_or_else(PoisonError::into_inner);
    let (mut base, mut prices) = (in_use.base.clone(), in_use.prices.clone());
    change(&mut base, &mut prices)?;
    let catalog = base.as_deref().unwrap_or_else(|| Catalog::builtin());
    let catalog = match &prices {
        Some(prices) => catalog.with_overrides(prices)?,
        None => catalog.clone(),
    };
    let told =
        PricesInUse { catalog_version: catalog.version(), models: catalog.len() as u64, overridden: prices.is_some() };
    *in_use = InUse { base, prices, catalog: Arc::new(catalog) };
    Ok(told)
}

/// Which prices a process uses.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct PricesInUse {
    /// The day of the catalog.
    catalog_version: Date,
    /// How many models it prices, each at one provider.
    models: u64,
    /// Whether prices of the user's own lie over it.
    overridden: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Override {
    prices: Option<String>,
}

pub(super) fn prices_override(args: Override) -> Result<PricesInUse> {
    put(|_, prices| {
        *prices = args.prices.as_deref().map(as_json).transpose()?.map(Cow::into_owned);
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Other {
    catalog: Option<String>,
}

pub(super) fn prices_replace(args: Other) -> Result<PricesInUse> {
    put(|base, _| {
        *base = args.catalog.map(|text| Catalog::parse(&as_json(&text)?)).transpose()?.map(Arc::new);
        Ok(())
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CostArgs {
    model: String,
    provider: Option<String>,
    usage: Usage,
    at: Option<Timestamp>,
    service_tier: Option<String>,
    batch: Option<bool>,
    region: Option<String>,
    stated_cost_usd: Option<Usd>,
}

pub(super) fn cost(args: CostArgs) -> Result<Cost> {
    let price = PriceQuery {
        model: &args.model,
        provider: args.provider.as_deref(),
        at: args.at.map_or_else(clock::now, Ok)?,
        service_tier: args.service_tier.as_deref(),
        batch: args.batch.unwrap_or_default(),
        region: args.region.as_deref(),
    };
    tokenbook::cost(&CostQuery { price, usage: &args.usage, stated: args.stated_cost_usd }, &catalog())
}

pub(crate) fn cost_batch(args: CostBatch) -> Result<BatchCost> {
    tokenbook::cost::cost_batch(&args, clock::now()?, &catalog())
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    query: String,
    limit: Option<Count>,
}

/// A model at a provider.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct ModelName {
    /// Who bills.
    provider: String,
    /// The model's own name in the catalog.
    model: String,
}

/// Models whose name has a text in it.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct PricesFound {
    /// The models, in the catalog's order.
    models: Vec<ModelName>,
    /// How many there are in all.
    found: u64,
}

pub(super) fn prices_search(args: Search) -> Result<PricesFound> {
    let limit = usize::try_from(args.limit.map_or(20, Count::get)).unwrap_or(usize::MAX);
    let query = args.query.to_lowercase();
    let has = |name: &String| name.to_lowercase().contains(&query);
    let mut models = Vec::new();
    let mut found = 0;
    for model in catalog().models() {
        let model = model?;
        if has(&model.model) || model.names.iter().any(has) || has(&format!("{}/{}", model.provider, model.model)) {
            found += 1;
            if models.len() < limit {
                models.push(ModelName { provider: model.provider, model: model.model });
            }
        }
    }
    Ok(PricesFound { models, found })
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Show {
    model: String,
    provider: Option<String>,
}

/// All prices that a model ever had.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct PricesShown {
    /// The model at each provider that prices it.
    models: Vec<Model>,
}

pub(super) fn prices_show(args: Show) -> Result<PricesShown> {
    let catalog = catalog();
    let mut models = Vec::new();
    for model in catalog.models() {
        let model = model?;
        let is_named = model.model == args.model
            || model.names.contains(&args.model)
            || args.model == format!("{}/{}", model.provider, model.model);
        if is_named && args.provider.as_ref().is_none_or(|provider| *provider == model.provider) {
            models.push(model);
        }
    }
    if models.is_empty() {
        // The rules of pricing find more names than the plain ones, and know what is near.
        let query = PriceQuery { provider: args.provider.as_deref(), ..PriceQuery::new(&args.model, clock::now()?) };
        return match catalog.price(&query)? {
            Found::Price(price) => {
                let (provider, name) = (price.provider(), price.model());
                let mut all = catalog.models().filter(|model| {
                    model.as_ref().is_ok_and(|model| model.provider == provider && model.model == name)
                });
                Ok(PricesShown { models: all.by_ref().collect::<Result<_>>()? })
            }
            Found::Unpriced(unpriced) => {
                Err(Error::new(ErrorCode::UnknownModel, unpriced.message).with("near", unpriced.near.join(", ")))
            }
        };
    }
    Ok(PricesShown { models })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Diff {
    catalog: String,
}

/// How another catalog differs from the one in use.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct PricesChanged {
    /// The day of the other catalog.
    catalog_version: Date,
    /// The models that differ, by name.
    changes: Vec<PriceChange>,
}

/// A model whose prices differ.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct PriceChange {
    /// Who bills.
    provider: String,
    /// The model's own name in the catalog.
    model: String,
    /// What the other catalog did to it.
    change: Change,
}

/// What another catalog does to a model.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Change {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its prices differ.
    Changed,
}

pub(super) fn prices_diff(args: Diff) -> Result<PricesChanged> {
    let other = Catalog::parse(&as_json(&args.catalog)?)?;
    let by_name = |catalog: &Catalog| -> Result<std::collections::BTreeMap<(String, String), String>> {
        catalog
            .models()
            .map(|model| {
                let model = model?;
                let rows = crate::text::write(&model)?;
                Ok(((model.provider, model.model), rows))
            })
            .collect()
    };
    let (ours, theirs) = (by_name(&catalog())?, by_name(&other)?);
    let mut changes = Vec::new();
    for (name, rows) in &theirs {
        match ours.get(name) {
            None => changes.push((name, Change::Added)),
            Some(known) if known != rows => changes.push((name, Change::Changed)),
            Some(_) => {}
        }
    }
    changes.extend(ours.keys().filter(|name| !theirs.contains_key(*name)).map(|name| (name, Change::Removed)));
    changes.sort_by_key(|(name, _)| *name);
    let changes = changes
        .into_iter()
        .map(|((provider, model), change)| PriceChange { provider: provider.clone(), model: model.clone(), change })
        .collect();
    Ok(PricesChanged { catalog_version: other.version(), changes })
}
