//! What could be saved, the most money first.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tokenbook::price::PriceQuery;
use tokenbook::{Catalog, Count, Result, Side, Timestamp, TokenKind, Usage, Usd};

use crate::calendar::{Calendar, MS_PER_HOUR};
use crate::filter::{Filter, range};
use crate::insight::parts::name;
use crate::insight::share::divided;
use crate::insight::what_if::amount;
use crate::ledger::Ledger;
use crate::money::{Amount, Basis, Pricer, whole};
use crate::report::rows::{count, ratio, usage_of};
use crate::spread::{Measure, Spread};
use crate::sums::{Sum, Sums};
use crate::survey::{Gathered, Survey, Wants};

/// Which calls are looked through.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct FindingsQuery {
    /// Calls made at this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Calls made before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Which calls.
    pub filter: Filter,
}

/// What could be saved.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Findings {
    /// What was found, the most money first, then by calls.
    pub findings: Vec<Finding>,
    /// The tools that answers called together, the most expensive first; the first 20.
    pub tool_combinations: Vec<ToolCombination>,
}

/// What kind of thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// A tool was offered in 20 calls or more and never called. The amount is what its definitions took, at the mean price of
    /// input in the same calls.
    UnusedTool,
    /// 20 calls or more, none with cached input, whose smallest prompt has 1,024 tokens or more and half of the mean: if they
    /// begin alike, caching pays. The amount is what it saves if they share as much as the smallest prompt has.
    CacheablePrefix,
    /// Answers are cut off, or one of twenty fills more than 90 % of its limit. The amount is the cost of those cut off.
    LimitTooLow,
    /// Of 20 calls or more with a limit, none filled more than a fifth of it.
    LimitTooHigh,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// What it is, in a sentence.
    pub title: String,
    /// What to do about it.
    pub advice: String,
    /// The money that is in it, in the range that was asked about; absent where it costs none or that is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_usd: Option<Usd>,
    /// Calls that it is about.
    pub calls: Count,
    /// Whose calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The model that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Input tokens that the tool's definitions took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition_tokens: Option<Count>,
    /// Tokens that the prompts may share: those of the smallest, rounded down by less than 1/16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_tokens: Option<Count>,
    /// Tokens that they surely share: the definitions of tools that a call offers, in the mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_prefix_tokens: Option<Count>,
    /// How often the prefix would have been written, by how calls came in the last 7 days: at most once in 5 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_writes: Option<Count>,
    /// Output ÷ limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization: Option<f64>,
    /// Answers that were cut off ÷ those of which it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncation_rate: Option<f64>,
    /// A limit that leaves a quarter above the longest answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_max_tokens: Option<Count>,
}

/// Tools that answers called together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolCombination {
    /// The tools, by name.
    pub tools: Vec<String>,
    /// Calls.
    pub calls: Count,
    /// Their known cost.
    pub cost_usd: Usd,
    /// The mean cost of those with a known cost, rounded to 1e-12 dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_call_usd: Option<Usd>,
}

const ENOUGH_CALLS: u128 = 20;
/// The shortest prompt that providers cache.
const SHORTEST_PREFIX: u64 = 1_024;
const MOST_COMBINATIONS: usize = 20;
/// A cache of five minutes is written at most this often in an hour.
const WRITES_PER_HOUR: i128 = 12;
const LOOK_BACK_HOURS: i64 = 7 * 24;

impl Finding {
    fn new(kind: FindingKind, title: String, advice: &str, calls: u128) -> Result<Self> {
        Ok(Self {
            kind,
            title,
            advice: advice.to_owned(),
            amount_usd: None,
            calls: count(calls)?,
            agent: None,
            action: None,
            model: None,
            tool: None,
            definition_tokens: None,
            prefix_tokens: None,
            known_prefix_tokens: None,
            cache_writes: None,
            utilization: None,
            truncation_rate: None,
            suggested_max_tokens: None,
        })
    }
}

/// The calls of one agent, action, model and provider.
#[derive(Default)]
struct Group {
    sums: Sums,
    spread: Spread,
    truncated_cost: u128,
    combos: BTreeSet<i64>,
}

type Key = [i64; 4];

impl Ledger {
    /// What could be saved: tools that are sent and never called, prompts that could be cached, limits that are too low or too
    /// high; and which tools are called together at what cost.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for an empty range, or one that cuts through
    /// pruned calls.
    pub fn findings(&self, query: &FindingsQuery, catalog: &Catalog) -> Result<Findings> {
        let bounds = range(query.from, query.to)?;
        let mut days = Calendar::new(self.time_zone())?;
        self.read(|db, names, head| {
            let mut survey = Survey::new(db, names, head, &mut days, &query.filter, bounds)?;
            let wants = Wants { sums: true, tools: true, classes: true, spreads: true, called: true };
            let gathered = survey.gather(wants)?;
            let groups = groups(&mut survey, &gathered)?;
            let mut findings = unused_tools(&mut survey, &gathered, catalog)?;
            for (key, group) in &groups {
                limits(&mut survey, *key, group, &mut findings)?;
            }
            cacheable(&mut survey, &groups, catalog, bounds.1, &mut findings)?;
            findings.sort_by(|one, two| {
                let key = |finding: &Finding| std::cmp::Reverse((finding.amount_usd, finding.calls));
                key(one).cmp(&key(two)).then_with(|| (one.kind, &one.title).cmp(&(two.kind, &two.title)))
            });
            Ok(Findings { findings, tool_combinations: combinations(&mut survey, &gathered)? })
        })
    }
}

fn groups(survey: &mut Survey<'_>, gathered: &Gathered) -> Result<BTreeMap<Key, Group>> {
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    let key = |id: &i64| {
        let combo = gathered.combos[id];
        [combo.agent, combo.action, combo.model, combo.provider]
    };
    for (id, sums) in &gathered.sums {
        let group = groups.entry(key(id)).or_default();
        group.sums.add(sums);
        group.combos.insert(*id);
        if let Some(spread) = gathered.spreads.get(id) {
            group.spread.add(spread);
        }
    }
    for (class, sums) in &gathered.classes {
        let (db, names) = survey.names();
        if names.class(db, class.class)?.truncated {
            groups.entry(key(&class.combo)).or_default().truncated_cost += sums.get(Sum::Cost);
        }
    }
    Ok(groups)
}

/// Sets whose calls a finding is about, and gives words for it.
fn about(survey: &mut Survey<'_>, [agent, action, model, _]: Key, finding: &mut Finding) -> Result<String> {
    let (db, names) = survey.names();
    finding.agent = name(db, names, agent)?;
    finding.action = name(db, names, action)?;
    finding.model = name(db, names, model)?;
    let who = match (&finding.agent, &finding.action) {
        (Some(agent), Some(action)) => format!("{agent}/{action}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => "calls without an agent".to_owned(),
    };
    Ok(format!("{who} on {}", finding.model.as_deref().unwrap_or_default()))
}

fn unused_tools(survey: &mut Survey<'_>, gathered: &Gathered, catalog: &Catalog) -> Result<Vec<Finding>> {
    let input_only = |price: &dyn Fn(&Usage) -> Result<Option<Usd>>, usage: &Usage| {
        let mut input = usage.clone();
        TokenKind::ALL.into_iter().filter(|kind| kind.side() == Side::Output).for_each(|kind| {
            input.set(kind, Count::ZERO);
        });
        price(&input)
    };
    let mut pricer = Pricer::new(catalog, Basis::Own);
    let amounts = pricer.value(survey, &gathered.classes, &gathered.combos, &input_only)?;
    // The price of all input of a combo, and how many tokens that was.
    let mut inputs: BTreeMap<i64, (i128, u128)> = BTreeMap::new();
    for (class, sums) in &gathered.classes {
        if amounts.get(&(class.combo, class.class)).is_some_and(|amount| amount.unpriced == 0) {
            inputs.entry(class.combo).or_default().1 += u128::from(usage_of(sums)?.total_input_tokens()?.get());
        }
    }
    for ((combo, _), Amount { pico, unpriced, .. }) in &amounts {
        if *unpriced == 0 {
            inputs.entry(*combo).or_default().0 += pico;
        }
    }
    let mut tools: BTreeMap<i64, (Sums, i128)> = BTreeMap::new();
    for ((tool, combo), sums) in gathered.tools.iter().filter(|((tool, _), _)| *tool != 0) {
        let (sum, pico) = tools.entry(*tool).or_default();
        sum.add(sums);
        if let Some((price, tokens)) = inputs.get(combo).filter(|(_, tokens)| *tokens > 0) {
            let definitions = i128::try_from(sums.get(Sum::DefinitionTokens)).unwrap_or(i128::MAX);
            *pico += divided(definitions.saturating_mul(*price), i128::try_from(*tokens).unwrap_or(i128::MAX));
        }
    }
    let mut findings = Vec::new();
    for (id, (sums, pico)) in &tools {
        if sums.get(Sum::ToolsOffered) < ENOUGH_CALLS || sums.get(Sum::ToolsCalled) > 0 {
            continue;
        }
        let (db, names) = survey.names();
        let tool = name(db, names, *id)?.unwrap_or_default();
        let title = format!("the tool {tool} was sent {} times and never called", sums.get(Sum::ToolsOffered));
        let advice = "Leave it out where it isn't needed, or tell the model when to call it.";
        findings.push(Finding {
            amount_usd: (*pico > 0).then(|| Usd::from_pico(*pico)),
            tool: Some(tool),
            definition_tokens: Some(count(sums.get(Sum::DefinitionTokens))?),
            ..Finding::new(FindingKind::UnusedTool, title, advice, sums.get(Sum::ToolsOffered))?
        });
    }
    Ok(findings)
}

fn limits(survey: &mut Survey<'_>, key: Key, group: &Group, findings: &mut Vec<Finding>) -> Result<()> {
    let sums = &group.sums;
    let limited = sums.get(Sum::LimitedCalls);
    let (truncated, known) = (sums.get(Sum::Truncated), sums.get(Sum::TruncationKnown));
    let steps = group.spread.utilization();
    let near = u128::from(steps[9]) + u128::from(steps[10]);
    let longest = group.spread.quantile(Measure::OutputTokens, 1_000);
    let suggested = longest.map(|longest| Count::new(longest.saturating_add(longest.div_ceil(4)))).transpose()?;
    let utilization = ratio(sums.get(Sum::LimitedOutput), sums.get(Sum::LimitTokens));
    if truncated > 0 || (limited >= ENOUGH_CALLS && near * 20 > limited) {
        let advice = "Raise max_tokens, or ask for less in one answer.";
        let mut finding = Finding::new(FindingKind::LimitTooLow, String::new(), advice, truncated.max(near))?;
        let who = about(survey, key, &mut finding)?;
        finding.title =
            format!("{who}: {truncated} of {known} answers were cut off, {near} filled more than 90 % of the limit");
        finding.amount_usd = (group.truncated_cost > 0).then(|| amount(group.truncated_cost));
        finding.utilization = utilization;
        finding.truncation_rate = ratio(truncated, known);
        finding.suggested_max_tokens = suggested.filter(|_| truncated == 0);
        findings.push(finding);
    } else if limited >= ENOUGH_CALLS && steps[2..].iter().all(|calls| *calls == 0) {
        let advice =
            "A lower max_tokens holds back less of rate limits and budgets, and stops a runaway answer sooner.";
        let mut finding = Finding::new(FindingKind::LimitTooHigh, String::new(), advice, limited)?;
        let who = about(survey, key, &mut finding)?;
        finding.title = format!("{who}: none of {limited} answers filled more than a fifth of its limit");
        finding.utilization = utilization;
        finding.suggested_max_tokens = suggested;
        findings.push(finding);
    }
    Ok(())
}

fn cacheable(
    survey: &mut Survey<'_>,
    groups: &BTreeMap<Key, Group>,
    catalog: &Catalog,
    to: Option<i64>,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let candidates: BTreeMap<&Key, (&Group, u64)> = groups
        .iter()
        .filter_map(|(key, group)| {
            let prefix = group.spread.smallest(Measure::InputTokens)?;
            let usage = usage_of(&group.sums).ok()?;
            let fresh = usage.get(TokenKind::Input);
            let all_fresh = fresh == usage.total_input_tokens().ok()?;
            let sized = group.spread.count(Measure::InputTokens);
            let is_even = u128::from(prefix) * u128::from(sized) * 2 >= u128::from(fresh.get());
            let enough = group.sums.get(Sum::Calls) >= ENOUGH_CALLS && prefix >= SHORTEST_PREFIX;
            (all_fresh && is_even && enough).then_some((key, (group, prefix)))
        })
        .collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let Some((_, last)) = groups.values().filter_map(|group| group.spread.instants).max_by_key(|(_, last)| *last)
    else {
        return Ok(());
    };
    let end = to.map_or(last + 1, |to| to.min(last + 1));
    let hours = survey.calls_by_hour(end.div_euclid(MS_PER_HOUR) + 1 - LOOK_BACK_HOURS)?;
    let at = Timestamp::from_ms(end - 1)?;
    for (key, (group, prefix)) in candidates {
        let mut by_hour: BTreeMap<i64, i128> = BTreeMap::new();
        for ((hour, combo), calls) in &hours {
            if group.combos.contains(combo) {
                *by_hour.entry(*hour).or_default() += i128::try_from(*calls).unwrap_or(i128::MAX);
            }
        }
        let recent: i128 = by_hour.values().sum();
        if recent == 0 {
            continue;
        }
        let written: i128 = by_hour.values().map(|calls| (*calls).min(WRITES_PER_HOUR)).sum();
        let calls = i128::from(group.spread.count(Measure::InputTokens));
        let writes = (calls * written + recent - 1) / recent;
        let (db, names) = survey.names();
        let (model, provider) = (name(db, names, key[2])?.unwrap_or_default(), name(db, names, key[3])?);
        let asked = PriceQuery { provider: provider.as_deref(), ..PriceQuery::new(&model, at) };
        let Some(price) = catalog.prices(&asked)?.known_at(at)? else { continue };
        let of = |kind: TokenKind| whole(&|usage| price.total(usage), &Usage::new().with(kind, Count::new(prefix)?));
        let (Some(fresh), Some(read)) = (of(TokenKind::Input)?, of(TokenKind::CacheRead)?) else { continue };
        let write = of(TokenKind::CacheWrite5m)?.unwrap_or(fresh);
        let saved = calls * fresh.pico() - writes * write.pico() - (calls - writes) * read.pico();
        if saved <= 0 {
            continue;
        }
        let advice = "Put what stays the same first, and mark it for caching where the provider wants that.";
        let mut finding =
            Finding::new(FindingKind::CacheablePrefix, String::new(), advice, group.sums.get(Sum::Calls))?;
        let who = about(survey, *key, &mut finding)?;
        finding.title = format!("{who}: prompts of {prefix} tokens and more, none of them cached");
        finding.amount_usd = Some(Usd::from_pico(saved));
        finding.prefix_tokens = Some(Count::new(prefix)?);
        let offering = group.sums.get(Sum::OfferingCalls).max(1);
        finding.known_prefix_tokens = Some(count(group.sums.get(Sum::DefinitionTokens) / offering)?);
        finding.cache_writes = Some(count(writes.unsigned_abs())?);
        findings.push(finding);
    }
    Ok(())
}

fn combinations(survey: &mut Survey<'_>, gathered: &Gathered) -> Result<Vec<ToolCombination>> {
    let mut sets: BTreeMap<BTreeSet<i64>, Sums> = BTreeMap::new();
    for ((list, _), sums) in &gathered.called {
        let (db, names) = survey.names();
        let set: BTreeSet<i64> = names.list(db, *list)?.iter().copied().collect();
        sets.entry(set).or_default().add(sums);
    }
    let mut combinations = Vec::with_capacity(sets.len());
    for (set, sums) in &sets {
        let (db, names) = survey.names();
        let mut tools = Vec::with_capacity(set.len());
        for tool in set {
            tools.extend(name(db, names, *tool)?);
        }
        tools.sort();
        let cost_usd = amount(sums.get(Sum::Cost));
        let calls = count(sums.get(Sum::Calls))?;
        let priced = calls.get() - count(sums.get(Sum::Unpriced))?.get();
        let cost_per_call_usd = crate::insight::figures::cost_per(cost_usd, priced);
        combinations.push(ToolCombination { tools, calls, cost_usd, cost_per_call_usd });
    }
    combinations.sort_by(|one, two| {
        let key = |one: &ToolCombination| std::cmp::Reverse((one.cost_usd, one.calls));
        key(one).cmp(&key(two)).then_with(|| one.tools.cmp(&two.tools))
    });
    combinations.truncate(MOST_COMBINATIONS);
    Ok(combinations)
}
