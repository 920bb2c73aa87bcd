//! Prices calls anew from the sums of those that are priced alike; where sums don't tell, call by call.

use std::collections::BTreeMap;

use tokenbook::price::{Price, PriceQuery, Prices};
use tokenbook::{Catalog, Count, Result, Timestamp, Usage, Usd};

use crate::report::rows::usage_of;
use crate::store::names::{Class, Combo};
use crate::sums::{Sum, Sums};
use crate::survey::{ClassKey, Span, Survey};

/// By which model and at which instants calls are priced.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Basis<'q> {
    /// By their own, each at its instant.
    Own,
    /// By their own, all at one instant.
    OwnAt(Timestamp),
    /// By another model, each at its instant.
    Other { model: &'q str, provider: Option<&'q str> },
}

/// What is asked of a price: the amount for a usage, or the part of it that matters.
pub(crate) type Value<'v> = &'v dyn Fn(&dyn Fn(&Usage) -> Result<Option<Usd>>, &Usage) -> Result<Option<Usd>>;

/// An amount of several calls, and how many of them are in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) pico: i128,
    pub(crate) calls: u64,
    /// Calls that have no price on this basis.
    pub(crate) unpriced: u64,
}

impl Amount {
    fn add(&mut self, value: Option<Usd>, calls: u64) {
        match value {
            Some(value) => {
                self.pico += value.pico();
                self.calls += calls;
            }
            None => self.unpriced += calls,
        }
    }
}

/// What the sums of calls say of their price.
enum Told {
    Amount(Usd),
    /// The calls have none.
    NoPrice,
    /// The calls have to be read.
    Nothing,
}

type Terms = (i64, i64);

/// Prices calls on one basis.
pub(crate) struct Pricer<'c, 'q> {
    catalog: &'c Catalog,
    basis: Basis<'q>,
    /// By combo and class; of an answered model first, then of the one that was asked for.
    prices: BTreeMap<Terms, Vec<Prices<'c>>>,
}

impl<'c, 'q> Pricer<'c, 'q> {
    pub(crate) fn new(catalog: &'c Catalog, basis: Basis<'q>) -> Self {
        Self { catalog, basis, prices: BTreeMap::new() }
    }

    /// Looks the prices of a class up, once.
    fn find(&mut self, survey: &mut Survey<'_>, key: Terms, combo: &Combo) -> Result<()> {
        if self.prices.contains_key(&key) {
            return Ok(());
        }
        let (db, names) = survey.names();
        let class = names.class(db, key.1)?;
        let (service_tier, region) = (names.name(db, class.service_tier)?, names.name(db, class.region)?);
        let own_provider = names.name(db, combo.provider)?;
        let (asked, answered) = (names.name(db, combo.model)?, names.name(db, class.answered_model)?);
        let (models, provider) = match self.basis {
            Basis::Other { model, provider } => (vec![Some(model)], provider.or(own_provider.as_deref())),
            _ => (vec![answered.as_deref(), asked.as_deref()], own_provider.as_deref()),
        };
        let mut found = Vec::new();
        for model in models.into_iter().flatten() {
            let query = PriceQuery {
                model,
                provider,
                at: Timestamp::MIN,
                service_tier: service_tier.as_deref(),
                batch: class.batch == 2,
                region: region.as_deref(),
            };
            found.push(self.catalog.prices(&query)?);
        }
        self.prices.insert(key, found);
        Ok(())
    }

    /// The value of each group of calls, by combo and class; calls with unknown usage are unpriced.
    pub(crate) fn value<'s>(
        &mut self,
        survey: &mut Survey<'_>,
        classes: impl IntoIterator<Item = (&'s ClassKey, &'s Sums)>,
        combos: &BTreeMap<i64, Combo>,
        value: Value<'_>,
    ) -> Result<BTreeMap<Terms, Amount>> {
        let mut amounts: BTreeMap<Terms, Amount> = BTreeMap::new();
        let mut unsteady: BTreeMap<Span, Vec<Terms>> = BTreeMap::new();
        for (key, sums) in classes {
            self.one(survey, *key, sums, combos, value, &mut amounts, &mut unsteady)?;
        }
        let mut singly: BTreeMap<Span, Vec<Terms>> = BTreeMap::new();
        for (span, terms) in unsteady {
            if !survey.has_days(span) {
                singly.entry(span).or_default().extend(terms);
                continue;
            }
            for (key, sums) in &survey.classes_by_day(span)? {
                if terms.contains(&(key.combo, key.class)) {
                    self.one(survey, *key, sums, combos, value, &mut amounts, &mut singly)?;
                }
            }
        }
        for (span, terms) in singly {
            survey.used_in(span, |combo, class, used| {
                let key = (combo, class);
                if !terms.contains(&key) {
                    return Ok(());
                }
                let at = match self.basis {
                    Basis::OwnAt(at) => at,
                    _ => Timestamp::from_ms(used.at)?,
                };
                let mut amount = None;
                for prices in &self.prices[&key] {
                    let Some(price) = prices.known_at(at)? else { continue };
                    amount = value(&|usage| price.total(usage), &used.usage)?;
                    if amount.is_some() {
                        break;
                    }
                }
                amounts.entry(key).or_default().add(amount, 1);
                Ok(())
            })?;
        }
        Ok(amounts)
    }

    /// Prices one group from its sums, or notes that its calls have to be read.
    #[expect(clippy::too_many_arguments, reason = "the state of one loop")]
    fn one(
        &mut self,
        survey: &mut Survey<'_>,
        key: ClassKey,
        sums: &Sums,
        combos: &BTreeMap<i64, Combo>,
        value: Value<'_>,
        amounts: &mut BTreeMap<Terms, Amount>,
        unsteady: &mut BTreeMap<Span, Vec<Terms>>,
    ) -> Result<()> {
        let terms = (key.combo, key.class);
        let Some(combo) = combos.get(&key.combo) else { return Ok(()) };
        self.find(survey, terms, combo)?;
        let class = {
            let (db, names) = survey.names();
            names.class(db, key.class)?
        };
        let calls = u64::try_from(sums.get(Sum::Calls)).unwrap_or(u64::MAX);
        if !class.known_usage {
            amounts.entry(terms).or_default().add(None, calls);
            return Ok(());
        }
        let usage = usage_of(sums)?;
        match self.of_sums(terms, &class, key.span, &usage, calls, value)? {
            Told::Amount(amount) => amounts.entry(terms).or_default().add(Some(amount), calls),
            Told::NoPrice => amounts.entry(terms).or_default().add(None, calls),
            Told::Nothing => unsteady.entry(key.span).or_default().push(terms),
        }
        Ok(())
    }

    /// The value of the sums, as far as they tell.
    fn of_sums(
        &self,
        terms: Terms,
        class: &Class,
        span: Span,
        usage: &Usage,
        calls: u64,
        value: Value<'_>,
    ) -> Result<Told> {
        if class.server_tools {
            return Ok(Told::Nothing);
        }
        let (from, to) = match self.basis {
            Basis::OwnAt(at) => (at, at),
            _ => (Timestamp::from_ms(span.from.max(0))?, Timestamp::from_ms(span.to.min(Timestamp::MAX.ms()))?),
        };
        let count = Count::new(calls)?;
        let range = class.input_range();
        for prices in &self.prices[&terms] {
            if from < to && !prices.is_steady(from, to)? {
                return Ok(Told::Nothing);
            }
            let Some(price) = prices.known_at(from)? else { continue };
            if price.windowed() {
                return Ok(Told::Nothing);
            }
            // The sums of calls with another price each don't say that there is none.
            let of_many = |price: &Price<'_>, usage: &Usage| price.total_of_many(usage, count, range);
            return Ok(value(&|usage| of_many(&price, usage), usage)?.map_or(Told::Nothing, Told::Amount));
        }
        Ok(Told::NoPrice)
    }
}

/// The whole amount.
pub(crate) fn whole(price: &dyn Fn(&Usage) -> Result<Option<Usd>>, usage: &Usage) -> Result<Option<Usd>> {
    price(usage)
}
