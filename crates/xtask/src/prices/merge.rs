//! Puts the two sources together, and a new import on top of the committed catalog.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context as _, bail};
use tokenbook::price::{Found, Matched, PriceQuery};
use tokenbook::{Catalog, Timestamp};

use super::decisions::{Decisions, Take};
use super::litellm::Entry;
use super::row::{Model, Rates, Row};
use super::{Notes, document};

/// All models, the index by provider and name kept beside them.
struct Book {
    models: Vec<Model>,
    index: HashMap<(String, String), usize>,
}

impl Book {
    /// Adds a model unless its own name is taken; names that are taken are dropped from it.
    fn add(&mut self, mut model: Model) -> usize {
        let number = self.models.len();
        let provider = model.provider.clone();
        let key = |name: &str| (provider.clone(), name.to_ascii_lowercase());
        self.index.insert(key(&model.name), number);
        model.names.retain(|name| *self.index.entry(key(name)).or_insert(number) == number);
        self.models.push(model);
        number
    }

    fn find(&self, provider: &str, name: &str) -> Option<usize> {
        self.index.get(&(provider.to_owned(), name.to_ascii_lowercase())).copied()
    }

    /// Takes a name away from the model that has it as another name.
    fn release(&mut self, provider: &str, name: &str) {
        if let Some(number) = self.index.remove(&(provider.to_owned(), name.to_ascii_lowercase())) {
            self.models[number].names.retain(|other| !other.eq_ignore_ascii_case(name));
        }
    }

    fn catalog(&self, decisions: &Decisions) -> anyhow::Result<Catalog> {
        Ok(Catalog::parse(&document(&self.models, decisions))?)
    }
}

/// Puts the sources together; every disagreement on a base rate or a threshold must be decided.
pub(super) fn merge(
    genai: Vec<Model>,
    mut litellm: Vec<Entry>,
    decisions: &Decisions,
    notes: &mut Notes,
) -> anyhow::Result<Vec<Model>> {
    let mut book = Book { models: Vec::new(), index: HashMap::new() };
    // Own names first, so that no other model's alias takes one.
    let own: HashSet<(String, String)> =
        genai.iter().map(|model| (model.provider.clone(), model.name.to_ascii_lowercase())).collect();
    for mut model in genai {
        let provider = model.provider.clone();
        model.names.retain(|name| !own.contains(&(provider.clone(), name.to_ascii_lowercase())));
        book.add(model);
    }
    let catalog = book.catalog(decisions)?;
    // A bare name before its dated ones, so that a dated one that charges the same adds nothing.
    litellm.sort_by_key(|entry| {
        let model = &entry.model;
        (model.rows[0].region.is_some(), model.provider.clone(), model.name.len(), entry.key.clone())
    });
    let mut undecided = Vec::new();
    let mut supplemented = vec![false; book.models.len()];
    for entry in litellm {
        let Entry { key, model } = entry;
        if model.rows[0].region.is_some() {
            regional(&mut book, model, &key, notes);
            continue;
        }
        let target = match book.find(&model.provider, &model.name) {
            Some(number) => Some((number, Matched::Name)),
            None => by_rule(&book, &catalog, &model),
        };
        let Some((number, matched)) = target else {
            book.add(model);
            supplemented.push(true);
            continue;
        };
        let ours = &book.models[number];
        let Some(current) = current(&ours.rows, &decisions.version) else { continue };
        let fields = disagreements(&ours.rows[current], &model.rows[0]);
        if fields.is_empty() {
            if !supplemented[number] {
                supplemented[number] = true;
                supplement(&mut book.models[number], current, &model);
            }
            continue;
        }
        if !ours.rows[current].source.starts_with(&decisions.genai.name) {
            if matched == Matched::Name {
                notes.skip("litellm", &key, "the package itself prices this name twice; the first stands");
            } else {
                book.add(model);
                supplemented.push(true);
            }
            continue;
        }
        let taken = decisions.take(&model.provider, &model.name, &ours.name, &fields);
        match taken {
            None => undecided.push(format!(
                "  {}/{} ({}): {}",
                model.provider,
                model.name,
                ours.name,
                fields
                    .iter()
                    .map(|field| difference(field, &ours.rows[current], &model.rows[0]))
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
            Some(Take::Genai) => notes.decided += 1,
            Some(Take::Litellm) => {
                notes.decided += 1;
                if ours.name.eq_ignore_ascii_case(&model.name) {
                    supplemented[number] = true;
                    replace(&mut book.models[number], current, model);
                } else {
                    book.release(&model.provider, &model.name);
                    book.add(model);
                    supplemented.push(true);
                }
            }
        }
    }
    if !undecided.is_empty() {
        bail!("{} disagreements without a decision:\n{}", undecided.len(), undecided.join("\n"));
    }
    written(&mut book, decisions)?;
    also_named(&mut book, decisions)?;
    halves(&mut book, decisions)?;
    fees(&mut book, decisions);
    finish(&mut book)?;
    let unused = decisions.unused();
    if !unused.is_empty() {
        bail!("decisions that nothing asks for: {}", unused.join(", "));
    }
    Ok(book.models)
}

/// The model that the product's own rules would find under a name of the other source.
fn by_rule(book: &Book, catalog: &Catalog, model: &Model) -> Option<(usize, Matched)> {
    let query = PriceQuery { provider: Some(&model.provider), ..PriceQuery::new(&model.name, Timestamp::MAX) };
    let Ok(Found::Price(price)) = catalog.price(&query) else { return None };
    if price.provider() != model.provider {
        return None;
    }
    Some((book.find(price.provider(), price.model())?, price.matched()))
}

/// The standard row that holds today.
fn current(rows: &[Row], today: &str) -> Option<usize> {
    let begun = |row: &Row| row.from.as_deref().is_none_or(|from| from <= today);
    let mut numbers: Vec<usize> = (0..rows.len()).filter(|number| rows[*number].is_standard()).collect();
    numbers.sort_by_key(|number| (begun(&rows[*number]), rows[*number].from.clone()));
    numbers.pop()
}

/// The fields that both sources state and state differently.
fn disagreements(ours: &Row, theirs: &Row) -> Vec<&'static str> {
    let mut fields: Vec<&'static str> = ["input_tokens", "output_tokens", "cache_read_tokens"]
        .into_iter()
        .filter(
            |kind| matches!((ours.rates.get(kind), theirs.rates.get(kind)), (Some(Some(a)), Some(Some(b))) if a != b),
        )
        .collect();
    let thresholds = |row: &Row| -> BTreeMap<u64, bool> {
        row.above.iter().map(|(tokens, (inclusive, _))| (*tokens, *inclusive)).collect()
    };
    let above = |row: &Row, kind: &str| -> Vec<Option<tokenbook::price::Rate>> {
        row.above.values().map(|(_, rates)| rates.get(kind).copied().flatten()).collect()
    };
    let rates_differ = || {
        ["input_tokens", "output_tokens", "cache_read_tokens"].into_iter().any(|kind| {
            above(ours, kind)
                .into_iter()
                .zip(above(theirs, kind))
                .any(|pair| matches!(pair, (Some(a), Some(b)) if a != b))
        })
    };
    if thresholds(ours) != thresholds(theirs) || rates_differ() {
        fields.push("above");
    }
    fields
}

fn shown(rate: Option<&Option<tokenbook::price::Rate>>) -> String {
    rate.copied().flatten().map_or("-".to_owned(), |rate| rate.to_string())
}

fn difference(field: &str, ours: &Row, theirs: &Row) -> String {
    if field == "above" {
        let show = |row: &Row| {
            let steps = row.above.iter().map(|(tokens, (_, rates))| {
                let rates: Vec<String> = ["input_tokens", "output_tokens", "cache_read_tokens"]
                    .iter()
                    .map(|kind| shown(rates.get(*kind)))
                    .collect();
                format!("{tokens}: {}", rates.join("/"))
            });
            format!("[{}]", steps.collect::<Vec<_>>().join(" "))
        };
        return format!("above {} or {}", show(ours), show(theirs));
    }
    let show = |row: &Row| shown(row.rates.get(field));
    format!("{} {} or {}", field.trim_end_matches("_tokens"), show(ours), show(theirs))
}

/// Adds what only the second source knows: more kinds, service tiers, batch, regions, fees.
fn supplement(ours: &mut Model, current: usize, theirs: &Model) {
    let standard = &theirs.rows[0];
    let from = ours.rows[current].from.clone();
    let row = &mut ours.rows[current];
    let mut added = fill(row, standard);
    for other in &theirs.rows[1..] {
        // Windows only where the first source has none: two schedules must not be laid over each other.
        let same = |row: &Row| row.conditions() == other.conditions() && row.from == from;
        if let Some(row) = ours.rows.iter_mut().find(|row| same(row)) {
            fill(row, other);
        } else if other.window.is_none() && !ours.rows.iter().any(|row| row.conditions() == other.conditions()) {
            ours.rows.push(Row { from: from.clone(), ..other.clone() });
        }
    }
    let known: Vec<&'static str> = ours.rows[current].rates.keys().copied().collect();
    for row in &mut ours.rows {
        // What the standard row states and another one doesn't is not known there.
        if row.from == from && !row.is_standard() && row.window.is_none() {
            for kind in &known {
                row.rates.entry(kind).or_insert(None);
            }
        }
    }
    for row in &mut ours.rows {
        if row.from == from && row.region.is_none() && row.regions != standard.regions {
            row.regions.clone_from(&standard.regions);
            added = true;
        }
    }
    if added {
        ours.rows[current].source = format!("{} + {}", ours.rows[current].source, standard.source);
    }
    if let Some(page) = &theirs.page {
        ours.page = Some(page.clone());
    }
}

fn fill(row: &mut Row, other: &Row) -> bool {
    let mut added = false;
    for (kind, rate) in &other.rates {
        if rate.is_none() || row.rates.contains_key(kind) {
            continue;
        }
        row.rates.insert(kind, *rate);
        added = true;
        for (threshold, (_, rates)) in &mut row.above {
            let above = other.above.get(threshold).and_then(|(_, rates)| rates.get(kind).copied());
            rates.insert(kind, above.flatten());
        }
    }
    for (tool, price) in &other.per_request {
        added |= !row.per_request.contains_key(tool);
        row.per_request.entry(tool.clone()).or_insert_with(|| price.clone());
    }
    row.simplify();
    added
}

/// Takes the second source's rows for what holds today and keeps the first one's history.
fn replace(ours: &mut Model, current: usize, theirs: Model) {
    let from = ours.rows[current].from.clone();
    ours.rows.retain(|row| row.from < from && row.window.is_none());
    ours.rows.extend(theirs.rows.into_iter().map(|row| Row { from: from.clone(), ..row }));
    ours.page = theirs.page.or(ours.page.take());
}

/// Adds the rows of one region to the model that is sold there.
fn regional(book: &mut Book, model: Model, key: &str, notes: &mut Notes) {
    let Some(number) = book.find(&model.provider, &model.name) else {
        book.add(model);
        return;
    };
    let ours = &mut book.models[number];
    for row in model.rows {
        let mut plain = row.clone();
        plain.region = None;
        let like =
            |other: &Row| other.service_tier == row.service_tier && other.batch == row.batch && other.region.is_none();
        if ours.rows.iter().any(|other| other.conditions() == row.conditions()) {
            notes.skip("litellm", key, "the region is there already");
        } else if !ours.rows.iter().any(|other| like(other) && other.charges_like(&plain)) || row.region.is_some() {
            ours.rows.push(row);
        }
    }
}

/// Puts in the models that are written out in the decision file.
fn written(book: &mut Book, decisions: &Decisions) -> anyhow::Result<()> {
    for written in &decisions.models {
        let name = format!("{}/{}", written.provider, written.model);
        let mut rows = Vec::new();
        for row in &written.rows {
            let mut row = Row::from_json(row).with_context(|| name.clone())?;
            row.source = format!("decision: {}", written.source);
            rows.push(row);
        }
        let existing = book.find(&written.provider, &written.model);
        let existing = existing.filter(|number| book.models[*number].name.eq_ignore_ascii_case(&written.model));
        let number = if let Some(number) = existing {
            number
        } else {
            book.release(&written.provider, &written.model);
            book.add(Model { provider: written.provider.clone(), name: written.model.clone(), ..Model::default() })
        };
        for other in &written.names {
            book.release(&written.provider, other);
            book.index.insert((written.provider.clone(), other.to_ascii_lowercase()), number);
        }
        let model = &mut book.models[number];
        model.names.extend(written.names.iter().cloned());
        model.page = written.page.clone().or(model.page.take());
        model.rows.retain(|row| written.keep_variants && (row.service_tier.is_some() || row.batch));
        model.rows.extend(rows);
    }
    Ok(())
}

/// Adds the names that a source matches by a prefix or pattern only.
fn also_named(book: &mut Book, decisions: &Decisions) -> anyhow::Result<()> {
    for also in &decisions.names {
        let number = book.find(&also.provider, &also.model).with_context(|| format!("no model {}", also.model))?;
        for name in &also.names {
            if book.find(&also.provider, name).is_some() {
                bail!("{}/{name} is a name already", also.provider);
            }
            book.models[number].names.push(name.clone());
        }
    }
    Ok(())
}

/// Ends rows that nobody vouches for any longer and refuses two rows that say different things of the same calls.
fn finish(book: &mut Book) -> anyhow::Result<()> {
    for model in &mut book.models {
        bound(model);
        let mut seen = HashSet::new();
        for row in &model.rows {
            if !seen.insert((row.conditions(), row.from.clone())) {
                bail!("{}/{} has two rows of the same conditions from {:?}", model.provider, model.name, row.from);
            }
        }
    }
    Ok(())
}

/// Adds batch rows at half of every rate to models whose batch price is stated as a discount only.
fn halves(book: &mut Book, decisions: &Decisions) -> anyhow::Result<()> {
    for half in &decisions.halves {
        for name in &half.models {
            let number = book.find(&half.provider, name).with_context(|| format!("no model {name}"))?;
            let model = &mut book.models[number];
            if model.rows.iter().any(|row| row.batch) {
                bail!("{}/{name} has a batch price already", half.provider);
            }
            let halved = |rates: &Rates| -> anyhow::Result<Rates> {
                let half = |rate: &Option<tokenbook::price::Rate>| {
                    let Some(rate) = rate else { return Ok(None) };
                    let pico = rate.pico_per_token();
                    if !pico.is_multiple_of(2) {
                        bail!("half of {rate} is too fine");
                    }
                    Ok(Some(tokenbook::price::Rate::from_pico_per_token(pico / 2)?))
                };
                rates.iter().map(|(kind, rate)| Ok((*kind, half(rate)?))).collect()
            };
            let mut rows = Vec::new();
            for row in model.rows.iter().filter(|row| row.service_tier.is_none()) {
                let mut row = Row { batch: true, source: format!("decision: {}", half.source), ..row.clone() };
                row.rates = halved(&row.rates)?;
                for (_, rates) in row.above.values_mut() {
                    *rates = halved(rates)?;
                }
                rows.push(row);
            }
            model.rows.extend(rows);
        }
    }
    Ok(())
}

/// Ends a row of another tier or of batch where the standard price changes and nobody says what becomes of it.
fn bound(model: &mut Model) {
    let mut starts: Vec<String> =
        model.rows.iter().filter(|row| row.is_standard()).filter_map(|row| row.from.clone()).collect();
    starts.sort();
    let rows = model.rows.clone();
    for row in model.rows.iter_mut().filter(|row| (row.service_tier.is_some() || row.batch) && row.until.is_none()) {
        let next = starts.iter().find(|start| row.from.as_ref().is_none_or(|from| *start > from));
        let Some(next) = next else { continue };
        let follows = |other: &Row| other.conditions() == row.conditions() && other.from.as_ref() == Some(next);
        if !rows.iter().any(follows) {
            row.until = Some(next.clone());
        }
    }
}

fn fees(book: &mut Book, decisions: &Decisions) {
    for fee in &decisions.fees {
        for model in book.models.iter_mut().filter(|model| model.provider == fee.provider) {
            for row in &mut model.rows {
                row.per_request.entry(fee.tool.clone()).or_insert_with(|| fee.usd.clone());
            }
        }
    }
}

/// Lays a new import over the committed catalog: rows are only ever added.
pub(super) fn append(before: Vec<Model>, mut now: Vec<Model>, version: &str) -> anyhow::Result<Vec<Model>> {
    let mut changed = Vec::new();
    let key = |model: &Model| (model.provider.clone(), model.name.to_ascii_lowercase());
    let index: HashMap<(String, String), usize> =
        now.iter().enumerate().map(|(number, model)| (key(model), number)).collect();
    // Rows that were there keep the day on which they came.
    let kept: HashSet<String> = before.iter().flat_map(|model| &model.rows).map(Row::line).collect();
    for mut old in before {
        let Some(number) = index.get(&key(&old)) else {
            // Gone from the sources: a retired model stays priced.
            now.push(old);
            continue;
        };
        let model = &mut now[*number];
        model.names.extend(old.names.iter().cloned());
        // What a source cites changes with whatever it looked at last, a list of deprecations or a file of data.
        model.page = old.page.or(model.page.take());
        for row in old.rows.drain(..) {
            let place = model.rows.iter().position(|new| new.conditions() == row.conditions() && new.from == row.from);
            let Some(place) = place else {
                model.rows.push(row);
                continue;
            };
            let new = &mut model.rows[place];
            if new.charges_like(&row) && new.until == row.until {
                *new = row;
                continue;
            }
            let last = !model.rows.iter().any(|new| new.conditions() == row.conditions() && new.from > row.from);
            if !last {
                changed.push(format!("  {}/{}: the row from {:?} is past", old.provider, old.name, row.from));
                continue;
            }
            let new = &mut model.rows[place];
            new.from = Some(version.to_owned());
            if row.from.as_deref().is_some_and(|from| from >= version) {
                changed.push(format!("  {}/{}: a row from {version} is there already", old.provider, old.name));
            }
            model.rows.push(row);
        }
    }
    for row in now.iter_mut().flat_map(|model| &mut model.rows) {
        if !kept.contains(&row.line()) {
            row.checked = Some(version.to_owned());
        }
    }
    if !changed.is_empty() {
        bail!("a past price would change; write a dated decision instead\n{}", changed.join("\n"));
    }
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(rows: &[(Option<&str>, &str)]) -> Model {
        let row = |(from, rate): &(Option<&str>, &str)| Row {
            from: from.map(str::to_owned),
            rates: [("input_tokens", Some(super::super::row::rate(rate).expect("a rate")))].into(),
            ..Row::default()
        };
        Model {
            provider: "p".to_owned(),
            name: "m".to_owned(),
            rows: rows.iter().map(row).collect(),
            ..Model::default()
        }
    }

    fn rows(models: &[Model]) -> Vec<(Option<String>, String)> {
        let mut rows: Vec<_> = models
            .iter()
            .flat_map(|model| &model.rows)
            .map(|row| (row.from.clone(), row.rates["input_tokens"].expect("a rate").to_string()))
            .collect();
        rows.sort();
        rows
    }

    #[test]
    fn importing_the_same_again_changes_nothing() {
        let before = model(&[(None, "10"), (Some("2025-06-10"), "2")]);
        let after = append(vec![before.clone()], vec![before.clone()], "2026-12-01").expect("nothing to refuse");
        assert_eq!(rows(&after), rows(&[before]));
    }

    #[test]
    fn a_changed_price_becomes_a_new_row() {
        let before = model(&[(None, "10"), (Some("2025-06-10"), "2")]);
        let now = model(&[(None, "10"), (Some("2025-06-10"), "1")]);
        let page = |page: &str, model| Model { page: Some(page.to_owned()), ..model };
        let (before, now) = (page("the price list", before), page("another page", now));
        let after = append(vec![before], vec![now], "2026-12-01").expect("the newest row may change");
        assert_eq!(after[0].page.as_deref(), Some("the price list"));
        let checked: Vec<_> = after[0].rows.iter().map(|row| row.checked.as_deref()).collect();
        assert_eq!(checked.iter().filter(|day| **day == Some("2026-12-01")).count(), 1, "{checked:?}");
        let want = [(None, "10"), (Some("2025-06-10"), "2"), (Some("2026-12-01"), "1")];
        assert_eq!(rows(&after), want.map(|(from, rate)| (from.map(str::to_owned), rate.to_owned())));
    }

    #[test]
    fn a_past_price_never_changes() {
        let before = model(&[(None, "10"), (Some("2025-06-10"), "2")]);
        let now = model(&[(None, "12"), (Some("2025-06-10"), "2")]);
        let error = append(vec![before], vec![now], "2026-12-01").expect_err("a past row");
        assert!(error.to_string().starts_with("a past price would change"), "{error}");
    }

    #[test]
    fn a_model_that_the_sources_drop_stays_priced() {
        let before = model(&[(None, "10")]);
        let after = append(vec![before.clone()], Vec::new(), "2026-12-01").expect("nothing to refuse");
        assert_eq!(rows(&after), rows(&[before]));
    }
}
