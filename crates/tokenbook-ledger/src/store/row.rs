//! A call as a row, there and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, Row};
use serde::{Deserialize, Serialize};
use tokenbook::{Count, Result, Timestamp, TokenKind, Usage, Usd};

use crate::digest::{Digest, canonical_json, content_id, digest};
use crate::ledger::Along;
use crate::record::{Call, CallCost, Outcome, ToolTokens};
use crate::spread::Sizes;
use crate::store::names::{Class, Combo, Interner, Names};
use crate::store::packed::{Packed, ToolColumn, field, pack};
use crate::store::{corrupt, sqlite};
use crate::sums::{COLUMN_KINDS, KINDS, Share, Sum};

const PARTIAL: i64 = 1;
const TRUNCATED_SHIFT: u32 = 1;
const BATCH_SHIFT: u32 = 3;
const COST_SHIFT: u32 = 5;
const PRICED: i64 = 1;
const STATED: i64 = 2;
const USAGE_KNOWN: i64 = 1 << 7;

/// A checked call with what can be worked out before the writer's turn.
#[derive(Debug)]
pub(crate) struct Prepared {
    // Boxed, since it is handed on three times and has almost a kilobyte.
    pub(crate) call: Box<Call>,
    pub(crate) digest: Digest,
    /// The hold to let go with it; no part of the record.
    pub(crate) hold: Option<i64>,
    /// What its request was estimated to be; no part of the record.
    pub(crate) estimated: Option<Count>,
    price: Option<String>,
    rest: Option<String>,
}

/// The rare fields, as JSON.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tokens: BTreeMap<String, Count>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    server_tool_requests: BTreeMap<String, Count>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

impl Prepared {
    /// Checks a call and gives it an id if it has none.
    pub(crate) fn new(call: Call) -> Result<Self> {
        let mut call = Box::new(call);
        call.normalise()?;
        let price = match &call.cost {
            CallCost::Priced { price: Some(price), .. } => Some(canonical_json(price)?),
            _ => None,
        };
        if call.id.is_none() {
            call.id = Some(content_id(&call));
        }
        let digest = digest(&call, price.as_deref());
        let rest = Rest::of(&call);
        let rest = (rest != Rest::default())
            .then(|| serde_json::to_string(&rest).expect("names and numbers are written as they are"));
        Ok(Self { call, digest, hold: None, estimated: None, price, rest })
    }

    /// Prepares a call with what goes along with it.
    pub(crate) fn along(call: Call, along: Along) -> Result<Self> {
        let mut prepared = Self::new(call)?;
        prepared.hold = along.hold_id.map(|id| i64::try_from(id.get()).unwrap_or(i64::MAX));
        prepared.estimated = along.estimated_tokens;
        Ok(prepared)
    }

    pub(crate) fn id(&self) -> &str {
        self.call.id.as_deref().expect("given when it was prepared")
    }
}

impl Rest {
    fn of(call: &Call) -> Self {
        let mut rest = Self {
            operation_id: call.operation_id.clone(),
            attempt: call.attempt,
            parent_id: call.parent_id.clone(),
            metadata: call.metadata.clone(),
            ..Self::default()
        };
        if let Some(usage) = &call.usage {
            for kind in &KINDS[COLUMN_KINDS..] {
                let tokens = usage.get(*kind);
                if !tokens.is_zero() {
                    rest.tokens.insert(kind.name().to_owned(), tokens);
                }
            }
            rest.server_tool_requests.clone_from(&usage.server_tool_requests);
        }
        rest
    }
}

/// What rollups need of a call.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) at: i64,
    pub(crate) combo: i64,
    pub(crate) session: i64,
    pub(crate) tags: Vec<i64>,
    /// The number of the list of its tags, 0 for none.
    pub(crate) tag_list: i64,
    pub(crate) tools: Vec<ToolFacts>,
    /// The list of tools that it called, 0 for none.
    pub(crate) called: i64,
    /// What its price depends on beside its combo and its day.
    pub(crate) class: i64,
    /// All but what tools did.
    pub(crate) share: Share,
    /// The sizes whose spread is kept.
    pub(crate) sizes: Sizes,
}

/// What one tool did in a call.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ToolFacts {
    pub(crate) tool: i64,
    pub(crate) offered: u64,
    pub(crate) called: u64,
    pub(crate) definition_tokens: u64,
    pub(crate) result_tokens: u64,
}

impl Facts {
    fn reset(&mut self, at: i64, combo: i64, session: i64) {
        (self.at, self.combo, self.session) = (at, combo, session);
        self.tags.clear();
        self.tools.clear();
        self.share.clear();
    }

    fn tool(&mut self, tool: i64) -> &mut ToolFacts {
        let at = self.tools.iter().position(|known| known.tool == tool).unwrap_or_else(|| {
            self.tools.push(ToolFacts { tool, ..ToolFacts::default() });
            self.tools.len() - 1
        });
        &mut self.tools[at]
    }

    fn set_tools(&mut self, offered: &[i64], called: &[i64], tokens: &ToolColumn) {
        for tool in offered {
            self.tool(*tool).offered = 1;
        }
        for tool in called {
            self.tool(*tool).called += 1;
        }
        for (tool, definition, result) in tokens {
            let facts = self.tool(*tool);
            facts.definition_tokens = definition.unwrap_or_default();
            facts.result_tokens = result.unwrap_or_default();
        }
    }

    /// Adds what these tools did, a part or all of the call's.
    pub(crate) fn add_tools(tools: &[ToolFacts], share: &mut Share) {
        let mut all = ToolFacts::default();
        for tool in tools {
            all.offered = all.offered.saturating_add(tool.offered);
            all.called = all.called.saturating_add(tool.called);
            all.definition_tokens = all.definition_tokens.saturating_add(tool.definition_tokens);
            all.result_tokens = all.result_tokens.saturating_add(tool.result_tokens);
        }
        share.add(Sum::OfferingCalls, u64::from(all.offered > 0));
        share.add(Sum::CallingCalls, u64::from(all.called > 0));
        share.add(Sum::ToolsOffered, all.offered);
        share.add(Sum::ToolsCalled, all.called);
        share.add(Sum::DefinitionTokens, all.definition_tokens);
        share.add(Sum::ResultTokens, all.result_tokens);
    }
}

/// The numbers of a call that sums are made of, from wherever they come.
#[derive(Debug, Default)]
struct Numbers<'a> {
    failed: bool,
    flags: i64,
    cost: Option<i64>,
    columns: [i64; COLUMN_KINDS],
    rare: Option<&'a Rest>,
    max_tokens: Option<i64>,
    duration_ms: Option<i64>,
    first_token_ms: Option<i64>,
}

impl Numbers<'_> {
    /// What the call's price depends on, given the names that do.
    fn class(&self, answered_model: i64, service_tier: i64, region: i64) -> Class {
        let server_tools =
            self.rare.is_some_and(|rare| rare.server_tool_requests.values().any(|count| !count.is_zero()));
        Class {
            answered_model,
            service_tier,
            region,
            batch: self.flags >> BATCH_SHIFT & 3,
            input_size: Class::size_of(self.sides().0),
            cost: self.flags >> COST_SHIFT & 3,
            known_usage: self.flags & USAGE_KNOWN != 0,
            server_tools,
            truncated: self.flags >> TRUNCATED_SHIFT & 3 == 2,
        }
    }

    /// All input and all output.
    fn sides(&self) -> (u64, u64) {
        let (mut input, mut output) = (0_u64, 0_u64);
        for (index, kind) in KINDS.iter().enumerate() {
            let count = match self.columns.get(index) {
                Some(count) => u64::try_from(*count).unwrap_or_default(),
                None => self.rare.and_then(|rare| rare.tokens.get(kind.name())).map_or(0, |count| count.get()),
            };
            let side = if kind.side() == tokenbook::Side::Output { &mut output } else { &mut input };
            *side = side.saturating_add(count);
        }
        (input, output)
    }

    fn sizes(&self, sizes: &mut Sizes) {
        let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
        *sizes = Sizes {
            duration_ms: self.duration_ms.map(unsigned),
            first_token_ms: self.first_token_ms.map(unsigned),
            ..Sizes::default()
        };
        if self.flags & USAGE_KNOWN != 0 {
            let (input, output) = self.sides();
            (sizes.input_tokens, sizes.output_tokens) = (Some(input), Some(output));
            sizes.limit = self.max_tokens.filter(|limit| *limit > 0).map(unsigned);
        }
    }

    fn share(&self, share: &mut Share) {
        let unsigned = |value: i64| u64::try_from(value).unwrap_or_default();
        share.add(Sum::Calls, 1);
        share.add(Sum::Failed, u64::from(self.failed));
        share.add(Sum::Partial, u64::from(self.flags & PARTIAL != 0));
        let truncated = self.flags >> TRUNCATED_SHIFT & 3;
        share.add(Sum::TruncationKnown, u64::from(truncated != 0));
        share.add(Sum::Truncated, u64::from(truncated == 2));
        match self.cost {
            None => share.add(Sum::Unpriced, 1),
            Some(cost) => share.add(Sum::Cost, unsigned(cost)),
        }
        share.add(Sum::Stated, u64::from(self.flags >> COST_SHIFT & 3 == STATED));
        for (sum, calls, value) in [
            (Sum::DurationMs, Sum::DurationCalls, self.duration_ms),
            (Sum::FirstTokenMs, Sum::FirstTokenCalls, self.first_token_ms),
        ] {
            if let Some(value) = value {
                share.add(sum, unsigned(value));
                share.add(calls, 1);
            }
        }
        if self.flags & USAGE_KNOWN == 0 {
            share.add(Sum::UnknownUsage, 1);
            return;
        }
        let mut output = 0;
        let mut tokens = |index: usize, count: u64| {
            share.add_kind(index, count);
            if KINDS[index].side() == tokenbook::Side::Output {
                output += count;
            }
        };
        for (index, count) in self.columns.into_iter().enumerate() {
            tokens(index, unsigned(count));
        }
        if let Some(rare) = self.rare {
            for (index, kind) in KINDS.iter().enumerate().skip(COLUMN_KINDS) {
                tokens(index, rare.tokens.get(kind.name()).map_or(0, |count| count.get()));
            }
            share.add(
                Sum::ServerToolRequests,
                rare.server_tool_requests.values().map(|count| count.get()).fold(0, u64::saturating_add),
            );
        }
        if let Some(limit) = self.max_tokens.filter(|limit| *limit > 0) {
            share.add(Sum::LimitedCalls, 1);
            share.add(Sum::LimitTokens, unsigned(limit));
            share.add(Sum::LimitedOutput, output);
        }
    }
}

fn signed(count: Count) -> i64 {
    i64::try_from(count.get()).expect("a count has 53 bits")
}

const INSERT: &str = "INSERT INTO call (seq, id, at, combo, session, cost, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Lists of one call as numbers, kept to spare allocations.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    offered: Vec<i64>,
    called: Vec<i64>,
    tools: ToolColumn,
    data: Vec<u8>,
}

/// Inserts calls; made once a batch, since looking up a long statement costs as much as a small insert.
pub(crate) struct Inserter<'db> {
    db: &'db Connection,
    statement: CachedStatement<'db>,
    scratch: &'db mut Scratch,
}

impl<'db> Inserter<'db> {
    pub(crate) fn new(db: &'db Connection, scratch: &'db mut Scratch) -> Result<Self> {
        Ok(Self { db, statement: db.prepare_cached(INSERT).map_err(sqlite)?, scratch })
    }

    /// Inserts a call and says what rollups need of it.
    pub(crate) fn insert(
        &mut self,
        interner: &mut Interner,
        seq: i64,
        provider: i64,
        prepared: &Prepared,
        facts: &mut Facts,
    ) -> Result<()> {
        let Self { db, statement, scratch } = self;
        let db = *db;
        let call = &prepared.call;
        let combo = Combo {
            agent: interner.optional(db, call.agent.as_deref())?,
            action: interner.optional(db, call.action.as_deref())?,
            model: interner.name(db, &call.model)?,
            provider,
            failed: call.outcome == Outcome::Error,
        };
        let combo_id = interner.combo(db, combo)?;
        let session = interner.optional(db, call.session.as_deref())?;
        facts.reset(call.at.ms(), combo_id, session);

        let (cost_kind, cost, note) = match &call.cost {
            CallCost::Priced { total_usd, .. } => (PRICED, Some(*total_usd), prepared.price.as_deref()),
            CallCost::Stated { total_usd } => (STATED, Some(*total_usd), None),
            CallCost::Unpriced { reason } => (0, None, Some(reason.as_str())),
        };
        let cost = cost.map(|cost| i64::try_from(cost.pico()).expect("checked when it was prepared"));
        let three_way = |value: Option<bool>| value.map_or(0, |value| 1 + i64::from(value));
        let flags = (i64::from(call.partial) * PARTIAL)
            | (three_way(call.truncated) << TRUNCATED_SHIFT)
            | (three_way(call.batch) << BATCH_SHIFT)
            | (cost_kind << COST_SHIFT)
            | if call.usage.is_some() { USAGE_KNOWN } else { 0 };
        let mut columns = [0; COLUMN_KINDS];
        if let Some(usage) = &call.usage {
            for (column, kind) in columns.iter_mut().zip(KINDS) {
                *column = signed(usage.get(kind));
            }
        }
        let tags = interner.list(db, &call.tags, &mut facts.tags)?;
        let offered = interner.list(db, &call.tools_offered, &mut scratch.offered)?;
        let called = interner.list(db, &call.tools_called, &mut scratch.called)?;
        scratch.tools.clear();
        for tool in &call.tool_tokens {
            let number = interner.name(db, &tool.tool)?;
            scratch.tools.push((number, tool.definition_tokens.map(Count::get), tool.result_tokens.map(Count::get)));
        }
        facts.set_tools(&scratch.offered, &scratch.called, &scratch.tools);

        let (max_tokens, duration_ms, first_token_ms) =
            (call.max_tokens.map(signed), call.duration_ms.map(signed), call.time_to_first_token_ms.map(signed));
        let rare = (!prepared.rest.as_deref().unwrap_or_default().is_empty()).then(|| Rest::of(call));
        let numbers = Numbers {
            failed: combo.failed,
            flags,
            cost,
            columns,
            rare: rare.as_ref(),
            max_tokens,
            duration_ms,
            first_token_ms,
        };
        numbers.share(&mut facts.share);
        numbers.sizes(&mut facts.sizes);

        let mut packed = [0; field::COUNT];
        let mut put = |field: usize, value: i64| packed[field] = value.unsigned_abs();
        put(field::FLAGS, flags);
        put(field::TAGS, tags);
        put(field::OFFERED, offered);
        put(field::CALLED, called);
        for (field, text) in [
            (field::ANSWERED_MODEL, call.answered_model.as_deref()),
            (field::API, call.api.as_deref()),
            (field::NOTE, note),
            (field::STOP_REASON, call.stop_reason.as_deref()),
            (field::STOP_KIND, call.stop_kind.as_deref()),
            (field::ERROR_CLASS, call.error_class.as_deref()),
            (field::SERVICE_TIER, call.service_tier.as_deref()),
            (field::REGION, call.region.as_deref()),
            (field::EXACTNESS, call.exactness.as_deref()),
        ] {
            put(field, interner.optional(db, text)?);
        }
        for (field, value) in [
            (field::MAX_TOKENS, max_tokens),
            (field::DURATION_MS, duration_ms),
            (field::FIRST_TOKEN_MS, first_token_ms),
        ] {
            put(field, value.map_or(0, |value| value + 1));
        }
        for (field, column) in (field::TOKENS..).zip(columns) {
            put(field, column);
        }
        let [answered_model, service_tier, region] =
            [field::ANSWERED_MODEL, field::SERVICE_TIER, field::REGION].map(|field| packed[field].cast_signed());
        (facts.tag_list, facts.called) = (tags, called);
        facts.class = interner.class(db, numbers.class(answered_model, service_tier, region))?;
        let rest = prepared.rest.as_deref().unwrap_or_default();
        pack(&mut scratch.data, &prepared.digest, &packed, &scratch.tools, rest);
        let bound = statement
            .raw_bind_parameter(1, seq)
            .and_then(|()| statement.raw_bind_parameter(2, prepared.id()))
            .and_then(|()| statement.raw_bind_parameter(3, call.at.ms()))
            .and_then(|()| statement.raw_bind_parameter(4, combo_id))
            .and_then(|()| statement.raw_bind_parameter(5, session))
            .and_then(|()| statement.raw_bind_parameter(6, cost))
            .and_then(|()| statement.raw_bind_parameter(7, &scratch.data[..]));
        bound.and_then(|()| statement.raw_execute()).map_err(sqlite)?;
        Ok(())
    }
}

/// The columns that [`facts`] reads, in its order; a query may put more behind them.
pub(crate) const FACT_COLUMNS: &str = "at, combo, session, cost, data";

/// How many columns [`facts`] reads.
pub(crate) const FACT_WIDTH: usize = 5;

/// Tells what rollups want of each call after one, in order.
pub(crate) fn facts_after(db: &Connection, names: &mut Names, seq: i64, mut each: impl FnMut(&Facts)) -> Result<()> {
    let sql = format!("SELECT {FACT_COLUMNS} FROM call WHERE seq > ?1 ORDER BY seq");
    let mut statement = db.prepare_cached(&sql).map_err(sqlite)?;
    let mut rows = statement.query([seq]).map_err(sqlite)?;
    let mut seen = Facts::default();
    while let Some(row) = rows.next().map_err(sqlite)? {
        facts(db, names, row, &mut seen)?;
        each(&seen);
    }
    Ok(())
}

/// Reads what rollups need of a call.
pub(crate) fn facts(db: &Connection, names: &mut Names, row: &Row<'_>, facts: &mut Facts) -> Result<()> {
    let int = |at: usize| row.get::<_, i64>(at).map_err(sqlite);
    let combo = int(1)?;
    let packed = Packed::of(row)?;
    facts.reset(int(0)?, combo, int(2)?);
    facts.tags.extend_from_slice(&names.list(db, packed.number(field::TAGS))?);
    let (offered, called) = (packed.number(field::OFFERED), packed.number(field::CALLED));
    if offered != 0 || called != 0 || !packed.tools.is_empty() {
        let (offered, called) = (names.list(db, offered)?, names.list(db, called)?);
        facts.set_tools(&offered, &called, &packed.tools);
    }
    let rest = packed.rest()?;
    let numbers = Numbers {
        failed: names.combo(db, combo)?.failed,
        flags: packed.number(field::FLAGS),
        cost: row.get(3).map_err(sqlite)?,
        columns: packed.tokens(),
        rare: rest.as_ref(),
        max_tokens: packed.optional(field::MAX_TOKENS),
        duration_ms: packed.optional(field::DURATION_MS),
        first_token_ms: packed.optional(field::FIRST_TOKEN_MS),
    };
    numbers.share(&mut facts.share);
    numbers.sizes(&mut facts.sizes);
    (facts.tag_list, facts.called) = (packed.number(field::TAGS), called);
    let [answered_model, service_tier, region] =
        [field::ANSWERED_MODEL, field::SERVICE_TIER, field::REGION].map(|field| packed.number(field));
    facts.class = names.class_number(db, numbers.class(answered_model, service_tier, region))?;
    Ok(())
}

/// What was used, and at which instant, of a call whose price is asked for anew.
pub(crate) struct Used {
    pub(crate) at: i64,
    pub(crate) usage: Usage,
}

/// Reads what a call used from the columns that [`facts`] reads.
pub(crate) fn used(row: &Row<'_>) -> Result<Used> {
    let packed = Packed::of(row)?;
    let rest = packed.rest()?.unwrap_or_default();
    Ok(Used { at: row.get(0).map_err(sqlite)?, usage: usage(&packed, rest.tokens, rest.server_tool_requests)? })
}

/// The usage that a row holds.
fn usage(
    packed: &Packed<'_>,
    rare: BTreeMap<String, Count>,
    server_tool_requests: BTreeMap<String, Count>,
) -> Result<Usage> {
    let mut usage = Usage::new();
    usage.server_tool_requests = server_tool_requests;
    for (tokens, kind) in packed.tokens().into_iter().zip(&KINDS[..COLUMN_KINDS]) {
        usage.set(*kind, count(tokens)?);
    }
    for (name, tokens) in rare {
        usage.set(TokenKind::from_name(&name).ok_or_else(|| corrupt("unknown kind of tokens"))?, tokens);
    }
    Ok(usage)
}

/// The columns that [`call`] reads, in its order: those of [`facts`], the number and the id.
pub(crate) const CALL_COLUMNS: &str = "at, combo, session, cost, data, seq, id";

/// How many columns [`call`] reads.
pub(crate) const CALL_WIDTH: usize = FACT_WIDTH + 2;

/// A call as it is stored.
pub(crate) struct Stored {
    pub(crate) call: Call,
    /// The JSON text of its price.
    pub(crate) price: Option<Arc<str>>,
}

/// Reads a whole call.
pub(crate) fn call(db: &Connection, names: &mut Names, row: &Row<'_>) -> Result<Stored> {
    let packed = Packed::of(row)?;
    let combo = names.combo(db, row.get(1).map_err(sqlite)?)?;
    let flags = packed.number(field::FLAGS);
    let rest = packed.rest()?.unwrap_or_default();
    let counted = |field: usize| packed.optional(field).map(count).transpose();
    let usage =
        if flags & USAGE_KNOWN == 0 { None } else { Some(usage(&packed, rest.tokens, rest.server_tool_requests)?) };
    let note = names.name(db, packed.number(field::NOTE))?;
    let cost: Option<i64> = row.get(3).map_err(sqlite)?;
    let amount = || cost.map(|pico| Usd::from_pico(pico.into())).ok_or_else(|| corrupt("an amount is missing"));
    let cost = match flags >> COST_SHIFT & 3 {
        PRICED => CallCost::Priced {
            total_usd: amount()?,
            price: match &note {
                Some(text) => Some(serde_json::from_str(text).map_err(|_| corrupt("a price can't be read"))?),
                None => None,
            },
        },
        STATED => CallCost::Stated { total_usd: amount()? },
        _ => CallCost::Unpriced { reason: note.as_deref().unwrap_or_default().to_owned() },
    };
    let three_way = |shift: u32| match flags >> shift & 3 {
        0 => None,
        value => Some(value == 2),
    };
    let mut text = |id: i64| -> Result<Option<String>> { Ok(names.name(db, id)?.map(|name| name.as_ref().to_owned())) };
    let mut tool_tokens = Vec::with_capacity(packed.tools.len());
    for (tool, definition, result) in &packed.tools {
        tool_tokens.push(ToolTokens {
            tool: text(*tool)?.ok_or_else(|| corrupt("a tool has no name"))?,
            definition_tokens: definition.map(Count::new).transpose().map_err(|_| corrupt("tool tokens"))?,
            result_tokens: result.map(Count::new).transpose().map_err(|_| corrupt("tool tokens"))?,
        });
    }
    let mut call = Call {
        id: Some(row.get(FACT_WIDTH + 1).map_err(sqlite)?),
        provider: text(combo.provider)?,
        answered_model: text(packed.number(field::ANSWERED_MODEL))?,
        api: text(packed.number(field::API))?,
        agent: text(combo.agent)?,
        action: text(combo.action)?,
        session: text(row.get(2).map_err(sqlite)?)?,
        operation_id: rest.operation_id,
        attempt: rest.attempt,
        parent_id: rest.parent_id,
        usage,
        cost,
        max_tokens: counted(field::MAX_TOKENS)?,
        stop_reason: text(packed.number(field::STOP_REASON))?,
        stop_kind: text(packed.number(field::STOP_KIND))?,
        truncated: three_way(TRUNCATED_SHIFT),
        partial: flags & PARTIAL != 0,
        duration_ms: counted(field::DURATION_MS)?,
        time_to_first_token_ms: counted(field::FIRST_TOKEN_MS)?,
        tool_tokens,
        outcome: if combo.failed { Outcome::Error } else { Outcome::Success },
        error_class: text(packed.number(field::ERROR_CLASS))?,
        service_tier: text(packed.number(field::SERVICE_TIER))?,
        region: text(packed.number(field::REGION))?,
        batch: three_way(BATCH_SHIFT),
        exactness: text(packed.number(field::EXACTNESS))?,
        metadata: rest.metadata,
        ..Call::new(
            Timestamp::from_ms(row.get(0).map_err(sqlite)?).map_err(|_| corrupt("an instant is out of range"))?,
            text(combo.model)?.ok_or_else(|| corrupt("a call has no model"))?,
        )
    };
    for (field, list) in [
        (field::TAGS, &mut call.tags),
        (field::OFFERED, &mut call.tools_offered),
        (field::CALLED, &mut call.tools_called),
    ] {
        for member in names.list(db, packed.number(field))?.iter() {
            list.push(names.name(db, *member)?.ok_or_else(|| corrupt("a list has a gap"))?.as_ref().to_owned());
        }
    }
    let price = note.filter(|_| flags >> COST_SHIFT & 3 == PRICED);
    Ok(Stored { call, price })
}

fn count(value: i64) -> Result<Count> {
    let count = u64::try_from(value).ok().and_then(|value| Count::new(value).ok());
    count.ok_or_else(|| corrupt("a count is out of range"))
}
