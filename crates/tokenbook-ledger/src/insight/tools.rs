//! What tools were offered and called, and what they took.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::Serialize;
use tokenbook::{Count, Result, Usd};

use crate::insight::parts::name;
use crate::insight::share::per_mille;
use crate::report::rows::{count, ratio, usage_of};
use crate::store::names::Names;
use crate::sums::{Sum, Sums};
use crate::survey::Gathered;

/// What tools took of all calls. Tool tokens are a part of the input, not beside it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolUse {
    /// Calls that offered tools.
    pub calls_offering: Count,
    /// Calls whose answer called tools.
    pub calls_calling: Count,
    /// Calls that offered tools ÷ calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offering_rate: Option<f64>,
    /// Calls whose answer called tools ÷ calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calling_rate: Option<f64>,
    /// Input tokens that definitions took.
    pub definition_tokens: Count,
    /// Input tokens that results took.
    pub result_tokens: Count,
    /// Definitions and results ÷ all tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead_of_tokens: Option<f64>,
    /// Definitions and results ÷ input tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overhead_of_input: Option<f64>,
    /// Each tool, the most called first.
    pub tools: Vec<ToolPart>,
}

/// What one tool did and took.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ToolPart {
    /// The tool.
    pub tool: String,
    /// Calls that offered, called or carried it.
    pub calls: Count,
    /// Calls that offered it.
    pub offered: Count,
    /// Times that it was called.
    pub called: Count,
    /// Its share of the times that tools were called, in tenths of a percent; over all tools they add up to 1,000.
    pub called_per_mille: u32,
    /// Input tokens that its definition took.
    pub definition_tokens: Count,
    /// Input tokens that its results took.
    pub result_tokens: Count,
    /// Its share of the tokens that tools took, in tenths of a percent.
    pub tokens_per_mille: u32,
    /// The known cost of the calls with it, whole: a call with two tools is in both.
    pub cost_usd: Usd,
}

pub(crate) fn tools(db: &Connection, names: &mut Names, gathered: &Gathered, total: &Sums) -> Result<ToolUse> {
    let mut sums: BTreeMap<i64, Sums> = BTreeMap::new();
    for ((tool, _), more) in gathered.tools.iter().filter(|((tool, _), _)| *tool != 0) {
        sums.entry(*tool).or_default().add(more);
    }
    let took = |sums: &Sums| sums.get(Sum::DefinitionTokens) + sums.get(Sum::ResultTokens);
    let mut tools = Vec::with_capacity(sums.len());
    for (tool, sums) in &sums {
        tools.push(ToolPart {
            tool: name(db, names, *tool)?.unwrap_or_default(),
            calls: count(sums.get(Sum::Calls))?,
            offered: count(sums.get(Sum::ToolsOffered))?,
            called: count(sums.get(Sum::ToolsCalled))?,
            called_per_mille: 0,
            definition_tokens: count(sums.get(Sum::DefinitionTokens))?,
            result_tokens: count(sums.get(Sum::ResultTokens))?,
            tokens_per_mille: 0,
            cost_usd: Usd::from_pico(i128::try_from(sums.get(Sum::Cost)).unwrap_or(i128::MAX)),
        });
    }
    tools.sort_by(|one, two| {
        let key = |tool: &ToolPart| Reverse((tool.called, tool.definition_tokens, tool.offered));
        key(one).cmp(&key(two)).then_with(|| one.tool.cmp(&two.tool))
    });
    let called: Vec<u128> = tools.iter().map(|tool| tool.called.get().into()).collect();
    let tokens: Vec<u128> = tools
        .iter()
        .map(|tool| u128::from(tool.definition_tokens.get()) + u128::from(tool.result_tokens.get()))
        .collect();
    for ((tool, called), tokens) in tools.iter_mut().zip(per_mille(&called)).zip(per_mille(&tokens)) {
        (tool.called_per_mille, tool.tokens_per_mille) = (called, tokens);
    }
    let usage = usage_of(total)?;
    let input = u128::from(usage.total_input_tokens()?.get());
    let all = input + u128::from(usage.total_output_tokens()?.get());
    let calls = total.get(Sum::Calls);
    Ok(ToolUse {
        calls_offering: count(total.get(Sum::OfferingCalls))?,
        calls_calling: count(total.get(Sum::CallingCalls))?,
        offering_rate: ratio(total.get(Sum::OfferingCalls), calls),
        calling_rate: ratio(total.get(Sum::CallingCalls), calls),
        definition_tokens: count(total.get(Sum::DefinitionTokens))?,
        result_tokens: count(total.get(Sum::ResultTokens))?,
        overhead_of_tokens: ratio(took(total), all),
        overhead_of_input: ratio(took(total), input),
        tools,
    })
}
