//! The catalog: a document of models with their price rows, read lazily, and layers of overrides on top of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::names::Index;
use super::row::{Row, Written};
use crate::error::{Error, ErrorCode, Result};
use crate::money::Usd;
use crate::time::{Date, Timestamp};

/// The prices of all models, built in or read from a file.
///
/// ```
/// use tokenbook::Catalog;
///
/// let catalog = Catalog::builtin();
/// assert!(catalog.len() > 3_000);
///
/// // The same format adds and overrides prices.
/// let ours = catalog.with_overrides(
///     r#"{"models": [{"provider": "acme", "model": "acme-1", "rows": [
///         {"rates": {"input_tokens": "0.4", "output_tokens": "1.2"}}]}]}"#,
/// )?;
/// assert_eq!(ours.len(), catalog.len() + 1);
/// # Ok::<(), tokenbook::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) version: Date,
    /// The base first, overrides after it.
    pub(super) layers: Vec<Arc<Layer>>,
    pub(super) providers: Arc<Providers>,
    /// Service tiers as people spell them → the name that rows use.
    pub(super) service_tiers: Arc<BTreeMap<String, String>>,
    /// Regions as people spell them → the name that rows use.
    pub(super) regions: Arc<BTreeMap<String, String>>,
}

/// What is known of hosts.
#[derive(Debug, Clone, Default)]
pub(super) struct Providers {
    pub(super) list: Vec<Provider>,
    pub(super) index: Index,
}

/// A host that bills for calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Provider {
    pub(super) id: String,
    /// Other spellings of the id.
    #[serde(default)]
    aliases: Vec<String>,
    /// Sells its own models, so that a bare model name means this provider.
    #[serde(default)]
    pub(super) maker: bool,
    /// Providers whose list prices this one publishes as its own, for models it doesn't list itself.
    #[serde(default)]
    pub(super) prices_like: Vec<String>,
}

impl Providers {
    pub(super) fn find(&self, name: &str) -> Option<u16> {
        #[expect(clippy::cast_possible_truncation, reason = "made from a u16 in `add`")]
        self.index.all(name).next().map(|provider| provider as u16)
    }

    fn add(&mut self, provider: Provider) -> u16 {
        if let Some(known) = self.find(&provider.id) {
            return known;
        }
        let number = u16::try_from(self.list.len()).expect("a catalog has fewer than 65,536 providers");
        self.index.insert(&provider.id, number.into());
        for alias in &provider.aliases {
            self.index.insert(alias, number.into());
        }
        self.list.push(provider);
        number
    }
}

/// One document: the built-in one, a newer one, or overrides.
#[derive(Debug)]
pub(super) struct Layer {
    text: Cow<'static, str>,
    pub(super) models: Vec<Entry>,
    /// Names of models, each model's own name first.
    pub(super) index: Index,
}

/// A model at a provider, with rows that are read when first asked for.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) provider: u16,
    /// The number of its own name in the layer's index; its other names follow it.
    name: u32,
    /// Where the page's address stands in the text, with its quotes.
    page: Option<Range<usize>>,
    rows: Range<usize>,
    read: OnceLock<Result<Box<[Row]>>>,
}

impl Layer {
    /// A model's own name.
    pub(super) fn name(&self, entry: &Entry) -> &str {
        self.index.name(entry.name)
    }

    /// A model's other names.
    fn names(&self, entry: &Entry) -> impl Iterator<Item = &str> {
        let model = self.index.value(entry.name);
        (entry.name + 1..self.index.len())
            .take_while(move |name| self.index.value(*name) == model)
            .map(|name| self.index.name(name))
    }

    /// The provider's page with a model's price.
    pub(super) fn page(&self, entry: &Entry) -> Option<String> {
        entry.page.clone().and_then(|page| serde_json::from_str(&self.text[page]).ok())
    }

    /// The rows of a model.
    pub(super) fn rows<'a>(&'a self, entry: &'a Entry) -> Result<&'a [Row]> {
        let read = || {
            let written: Vec<Written> = serde_json::from_str(&self.text[entry.rows.clone()])
                .map_err(|error| Error::invalid(format!("prices of {}: {error}", self.name(entry))))?;
            written.into_iter().map(|row| Row::new(row).map_err(|error| error.context(self.name(entry)))).collect()
        };
        match entry.read.get_or_init(read) {
            Ok(rows) => Ok(rows),
            Err(error) => Err(error.clone()),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(default)]
    format: Option<u32>,
    #[serde(default)]
    version: Option<Date>,
    #[serde(default, rename = "notice")]
    _notice: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "sources")]
    _sources: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    providers: Vec<Provider>,
    #[serde(default)]
    service_tiers: BTreeMap<String, String>,
    #[serde(default)]
    regions: BTreeMap<String, String>,
    #[serde(borrow)]
    models: Vec<Head<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head<'a> {
    #[serde(borrow)]
    provider: Cow<'a, str>,
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow, default)]
    names: Vec<Name<'a>>,
    #[serde(borrow, default)]
    page: Option<&'a RawValue>,
    #[serde(borrow, default)]
    rows: Option<&'a RawValue>,
}

/// A name; serde borrows a string inside a list only from a type of its own.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Document<'a> {
    fn read(text: &'a str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::invalid(format!("price catalog: {error}")))
    }
}

/// The models of a layer while they are put in.
struct Models {
    entries: Vec<Entry>,
    index: Index,
}

impl Models {
    fn with_capacity(models: usize) -> Self {
        Self { entries: Vec::with_capacity(models), index: Index::with_capacity(models * 2) }
    }

    fn add(&mut self, head: &Head<'_>, page: Option<Range<usize>>, rows: Range<usize>, providers: &mut Providers) {
        let number = u32::try_from(self.entries.len()).expect("a catalog has fewer than 2³² models");
        let provider = providers.find(&head.provider).unwrap_or_else(|| {
            providers.add(Provider {
                id: head.provider.to_string(),
                aliases: Vec::new(),
                maker: true,
                prices_like: Vec::new(),
            })
        });
        let name = self.index.insert(&head.model, number);
        for name in &head.names {
            self.index.insert(&name.0, number);
        }
        self.entries.push(Entry { provider, name, page, rows, read: OnceLock::new() });
    }
}

/// The document format that this version reads.
const FORMAT: u32 = 1;

static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| {
    let text = include_str!("../../data/prices.json");
    let mut catalog = Catalog {
        version: Date::from_days(0).expect("1970-01-01 is a day"),
        layers: Vec::new(),
        providers: Arc::default(),
        service_tiers: Arc::default(),
        regions: Arc::default(),
    };
    catalog.add_builtin(text).expect("the built-in prices are read by a test");
    catalog
});

impl Catalog {
    /// The catalog that came with this version of tokenbook.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// Reads a whole catalog that replaces the built-in one, such as that of a newer release.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] when `json` isn't a catalog with a `version`; every row is checked.
    pub fn parse(json: &str) -> Result<Self> {
        let mut catalog = Self {
            version: Date::from_days(0)?,
            layers: Vec::new(),
            providers: Arc::default(),
            service_tiers: Arc::default(),
            regions: Arc::default(),
        };
        let version = catalog.add_layer(Cow::Owned(json.to_owned()))?;
        if version.is_none() {
            return Err(Error::invalid("a catalog has a \"version\", the day of its prices"));
        }
        catalog.check()?;
        Ok(catalog)
    }

    /// This catalog with prices added or overridden: a document with the same `models`.
    ///
    /// Rows of the override are tried first; where none of them holds (another date, service tier or region) the rows
    /// below still do.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] when `json` isn't such a document; every row is checked.
    pub fn with_overrides(&self, json: &str) -> Result<Self> {
        let mut catalog = self.clone();
        let version = self.version;
        catalog.add_layer(Cow::Owned(json.to_owned()))?;
        catalog.version = version;
        catalog.check()?;
        Ok(catalog)
    }

    fn add_layer(&mut self, text: Cow<'static, str>) -> Result<Option<Date>> {
        let mut document = Document::read(&text)?;
        let heads = std::mem::take(&mut document.models);
        let version = document.version;
        self.add_terms(document)?;
        let mut models = Models::with_capacity(heads.len());
        // A raw value is a slice of `text`, so its place is the distance between their starts.
        let place = |raw: &RawValue| {
            let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
            start..start + raw.get().len()
        };
        for head in &heads {
            let Some(rows) = head.rows else {
                return Err(Error::invalid(format!("price catalog: {} has no rows", head.model)));
            };
            models.add(head, head.page.map(place), place(rows), Arc::make_mut(&mut self.providers));
        }
        self.layers.push(Arc::new(Layer { text, models: models.entries, index: models.index }));
        Ok(version)
    }

    /// Reads the built-in document by its layout, a row a line, without walking through the rows: opening it is what
    /// every short-lived process pays. A test holds it against the ordinary way.
    fn add_builtin(&mut self, text: &'static str) -> Result<()> {
        const MODELS: &str = "\"models\":[\n";
        const ROWS: &str = ",\"rows\":";
        let start = text.find(MODELS).map_or(text.len(), |at| at + MODELS.len());
        let header = format!("{}]}}", &text[..start]);
        self.add_terms(Document::read(&header)?)?;
        let providers = Arc::make_mut(&mut self.providers);
        let mut models = Models::with_capacity(4_096);
        let mut line = String::new();
        let mut at = start;
        let next = memchr::memmem::Finder::new("\n{\"provider\":");
        let rows_start = memchr::memmem::Finder::new(ROWS);
        while let Some(length) = rows_start.find(&text.as_bytes()[at..]) {
            let end = next.find(&text.as_bytes()[at..]).map_or(text.len(), |length| at + length);
            line.clear();
            line.push_str(&text[at..at + length]);
            line.push('}');
            let head: Head<'_> = serde_json::from_str(&line).map_err(|error| Error::invalid(error.to_string()))?;
            let page = head.page.map(|page| {
                let start = at + (page.get().as_ptr() as usize - line.as_ptr() as usize);
                start..start + page.get().len()
            });
            let from = at + length + ROWS.len();
            let rows = text[from..end].trim_end_matches(['\n', ',']);
            let rows = rows.strip_suffix("\n]}").unwrap_or(rows);
            let rows = rows.strip_suffix('}').unwrap_or(rows);
            models.add(&head, page, from..from + rows.len(), providers);
            at = (end + 1).min(text.len());
        }
        self.layers.push(Arc::new(Layer { text: Cow::Borrowed(text), models: models.entries, index: models.index }));
        Ok(())
    }

    /// Takes over everything of a document but its models.
    fn add_terms(&mut self, document: Document<'_>) -> Result<()> {
        if document.format.is_some_and(|format| format != FORMAT) {
            return Err(Error::invalid(format!("the price catalog's format is not {FORMAT}; upgrade tokenbook")));
        }
        if !document.providers.is_empty() {
            let providers = Arc::make_mut(&mut self.providers);
            for provider in document.providers {
                providers.add(provider);
            }
        }
        if !document.service_tiers.is_empty() {
            Arc::make_mut(&mut self.service_tiers).extend(document.service_tiers);
        }
        if !document.regions.is_empty() {
            Arc::make_mut(&mut self.regions).extend(document.regions);
        }
        self.version = document.version.unwrap_or(self.version);
        Ok(())
    }

    /// Reads every row of the newest layer, so that a fault in a file shows when the file is read.
    fn check(&mut self) -> Result<()> {
        let layer = self.layers.last().expect("a layer was added").clone();
        for entry in &layer.models {
            for row in layer.rows(entry)? {
                if let Some(tier) = &row.service_tier
                    && !self.service_tiers.contains_key(&**tier)
                {
                    Arc::make_mut(&mut self.service_tiers).insert(tier.to_string(), tier.to_string());
                }
                for region in row.region.iter().map(|region| &**region).chain(row.regions.keys().map(|name| &**name)) {
                    if !self.regions.contains_key(region) {
                        Arc::make_mut(&mut self.regions).insert(region.to_owned(), region.to_owned());
                    }
                }
            }
        }
        Ok(())
    }

    /// The day of the prices, which every cost names.
    pub const fn version(&self) -> Date {
        self.version
    }

    /// Number of models, each at one provider.
    pub fn len(&self) -> usize {
        self.layers.iter().map(|layer| layer.models.len()).sum()
    }

    /// Whether there is no model at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every model with all its rows, overrides after what they override.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::CorruptData`] when a row can't be read.
    pub fn models(&self) -> impl Iterator<Item = Result<Model>> {
        self.layers.iter().flat_map(move |layer| layer.models.iter().map(move |entry| self.model(layer, entry)))
    }

    pub(super) fn model(&self, layer: &Layer, entry: &Entry) -> Result<Model> {
        let rows = layer.rows(entry).map_err(|error| Error::new(ErrorCode::CorruptData, error.message()))?;
        Ok(Model {
            provider: self.providers.list[usize::from(entry.provider)].id.clone(),
            model: layer.name(entry).to_owned(),
            names: layer.names(entry).map(str::to_owned).collect(),
            page: layer.page(entry),
            rows: rows.iter().map(PriceRow::new).collect(),
        })
    }
}

/// A model at a provider with all its price rows, for people to look at.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Model {
    /// Who bills.
    pub provider: String,
    /// The name that costs are shown under.
    pub model: String,
    /// Other names that mean exactly this model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The provider's page with the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// All rows, retired ones included, in the catalog's order.
    pub rows: Vec<PriceRow>,
}

/// A price row, for people to look at.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PriceRow {
    /// First instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// First instant after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Service tier; `standard` where it isn't said.
    pub service_tier: String,
    /// Whether it is the price of batch processing.
    pub batch: bool,
    /// Region that the row is for; all regions where it isn't said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether the row holds at some hours of the week only.
    pub windowed: bool,
    /// Dollars per million tokens by kind.
    pub rates: BTreeMap<&'static str, Usd>,
    /// Dollars per million tokens by kind above context thresholds: (tokens, inclusive, rates).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<PriceAbove>,
    /// Dollars for the call itself, beside its tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_call: Option<Usd>,
    /// Dollars per request by server-side tool.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub per_request: BTreeMap<String, Usd>,
    /// Factors on the token rates by region.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<String, String>,
    /// Where the row comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The day on which the row entered the catalog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<Date>,
}

/// The rates above a context threshold, for people to look at.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PriceAbove {
    /// The threshold.
    pub tokens: u64,
    /// Whether a call of exactly so many tokens is above it.
    pub inclusive: bool,
    /// Dollars per million tokens by kind.
    pub rates: BTreeMap<&'static str, Usd>,
}

impl PriceRow {
    fn new(row: &Row) -> Self {
        let rates = |rates: &super::Rates| rates.iter().map(|(kind, rate)| (kind.name(), rate.per_mtok())).collect();
        Self {
            from: row.from,
            until: row.until,
            service_tier: row.service_tier.as_deref().unwrap_or("standard").to_owned(),
            batch: row.batch,
            region: row.region.as_deref().map(str::to_owned),
            windowed: row.window.is_some(),
            rates: rates(&row.base.rates),
            above: row
                .above
                .iter()
                .map(|step| PriceAbove {
                    tokens: step.threshold(),
                    inclusive: step.inclusive,
                    rates: rates(&step.level.rates),
                })
                .collect(),
            per_call: row.per_call,
            per_request: row.per_request.clone(),
            regions: row.regions.iter().map(|(region, factor)| (region.clone(), factor.to_string())).collect(),
            source: row.source.as_deref().map(str::to_owned),
            checked: row.checked,
        }
    }
}
