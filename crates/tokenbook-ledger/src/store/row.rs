//! A call as a row, there and back.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use rusqlite::{CachedStatement, Connection, Row};
use tokenbook::{Count, Result, Timestamp, TokenKind, Usage, Usd};

use crate::record::{Call, CallCost, Outcome, ToolTokens};
use crate::spread::Sizes;
use crate::store::form::Form;
use crate::store::names::{Class, Interner, Names};
use crate::store::packed::{Packed, ToolColumn, field, pack};
use crate::store::prepared::{Rest, View};
use crate::store::{corrupt, sqlite};
use crate::sums::{COLUMN_KINDS, KINDS, Share, Sum};

pub(crate) const PARTIAL: i64 = 1;
pub(crate) const TRUNCATED_SHIFT: u32 = 1;
pub(crate) const BATCH_SHIFT: u32 = 3;
pub(crate) const COST_SHIFT: u32 = 5;
pub(crate) const PRICED: i64 = 1;
pub(crate) const STATED: i64 = 2;
pub(crate) const USAGE_KNOWN: i64 = 1 << 7;

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
pub(crate) struct Numbers<'a> {
    pub(crate) failed: bool,
    pub(crate) flags: i64,
    pub(crate) cost: Option<i64>,
    pub(crate) columns: [i64; COLUMN_KINDS],
    pub(crate) rare: Option<&'a Rest>,
    pub(crate) max_tokens: Option<i64>,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) first_token_ms: Option<i64>,
}

impl Numbers<'_> {
    /// What the call's price depends on, given the names that do.
    pub(crate) fn class(&self, answered_model: i64, service_tier: i64, region: i64) -> Class {
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
        let mut add = |kind: TokenKind, count: u64| {
            let side = if kind.side() == tokenbook::Side::Output { &mut output } else { &mut input };
            *side = side.saturating_add(count);
        };
        for (count, kind) in self.columns.iter().zip(KINDS) {
            add(kind, u64::try_from(*count).unwrap_or_default());
        }
        if let Some(rare) = self.rare.filter(|rare| !rare.tokens.is_empty()) {
            for kind in &KINDS[COLUMN_KINDS..] {
                add(*kind, rare.tokens.get(kind.name()).map_or(0, |count| count.get()));
            }
        }
        (input, output)
    }

    pub(crate) fn sizes(&self, sizes: &mut Sizes) {
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

    pub(crate) fn share(&self, share: &mut Share) {
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

pub(crate) fn signed(count: Count) -> i64 {
    i64::try_from(count.get()).expect("a count has 53 bits")
}

/// Statements that insert so many calls at once: most of what a small insert costs is the statement's own beginning and end.
const INSERTS: [usize; 3] = [16, 4, 1];

/// How many columns a call has.
const COLUMNS: usize = 7;

static INSERT_SQL: LazyLock<[String; INSERTS.len()]> = LazyLock::new(|| {
    INSERTS.map(|rows| {
        let rows = vec!["(?, ?, ?, ?, ?, ?, ?)"; rows].join(", ");
        format!("INSERT INTO call (seq, id, at, combo, session, cost, data) VALUES {rows}")
    })
});

/// What is packed of calls, kept to spare allocations.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    tools: ToolColumn,
    data: Vec<u8>,
}

/// A call that is yet to be inserted.
struct Next<'load> {
    seq: i64,
    call: View<'load>,
    combo: i64,
    session: i64,
    /// Where its packed fields are.
    data: Range<usize>,
}

/// Inserts calls, several at once; made once a batch, since looking up a long statement costs as much as a small insert.
pub(crate) struct Inserter<'db, 'load> {
    db: &'db Connection,
    statements: [Option<CachedStatement<'db>>; INSERTS.len()],
    scratch: &'db mut Scratch,
    next: Vec<Next<'load>>,
}

impl<'db, 'load> Inserter<'db, 'load> {
    pub(crate) fn new(db: &'db Connection, scratch: &'db mut Scratch) -> Self {
        scratch.data.clear();
        Self { db, statements: [const { None }; INSERTS.len()], scratch, next: Vec::with_capacity(INSERTS[0]) }
    }

    /// Inserts what is yet to be inserted: to be called before anybody looks for it.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let mut next = &self.next[..];
        for ((known, rows), sql) in self.statements.iter_mut().zip(INSERTS).zip(&*INSERT_SQL) {
            while let Some((some, others)) = next.split_at_checked(rows) {
                let statement = match known {
                    Some(statement) => statement,
                    None => known.insert(self.db.prepare_cached(sql).map_err(sqlite)?),
                };
                for (at, one) in some.iter().enumerate() {
                    let first = at * COLUMNS;
                    let bound = statement
                        .raw_bind_parameter(first + 1, one.seq)
                        .and_then(|()| statement.raw_bind_parameter(first + 2, one.call.id()))
                        .and_then(|()| statement.raw_bind_parameter(first + 3, one.call.of.at))
                        .and_then(|()| statement.raw_bind_parameter(first + 4, one.combo))
                        .and_then(|()| statement.raw_bind_parameter(first + 5, one.session))
                        .and_then(|()| statement.raw_bind_parameter(first + 6, one.call.of.cost))
                        .and_then(|()| statement.raw_bind_parameter(first + 7, &self.scratch.data[one.data.clone()]));
                    bound.map_err(sqlite)?;
                }
                statement.raw_execute().map_err(sqlite)?;
                next = others;
            }
        }
        self.next.clear();
        self.scratch.data.clear();
        Ok(())
    }

    /// Inserts a call, now or with the next flush, and says what rollups need of it.
    pub(crate) fn insert(
        &mut self,
        interner: &mut Interner,
        form: &mut Form,
        seq: i64,
        call: View<'load>,
        facts: &mut Facts,
    ) -> Result<()> {
        let Self { db, scratch, next, .. } = self;
        let session = interner.optional(db, call.session())?;
        facts.reset(call.of.at, form.combo, session);
        let numbers = Numbers { failed: form.failed, ..call.numbers() };
        scratch.tools.clear();
        let tokens = form.tools.iter().zip(call.tool_tokens());
        scratch.tools.extend(tokens.map(|(tool, (definition, result))| (*tool, definition, result)));
        facts.set_tools(&form.offered, &form.called, &scratch.tools);
        form.facts(db, interner, &numbers, facts)?;

        let mut packed = [0; field::COUNT];
        for (packed, number) in packed.iter_mut().zip(form.fields) {
            *packed = number.unsigned_abs();
        }
        packed[field::FLAGS] = numbers.flags.unsigned_abs();
        for (field, value) in [
            (field::MAX_TOKENS, numbers.max_tokens),
            (field::DURATION_MS, numbers.duration_ms),
            (field::FIRST_TOKEN_MS, numbers.first_token_ms),
        ] {
            packed[field] = value.map_or(0, |value| value.unsigned_abs() + 1);
        }
        for (packed, column) in packed[field::TOKENS..].iter_mut().zip(numbers.columns) {
            *packed = column.unsigned_abs();
        }
        let start = scratch.data.len();
        pack(&mut scratch.data, &call.of.digest, &packed, &scratch.tools, call.rest());
        next.push(Next { seq, call, combo: form.combo, session, data: start..scratch.data.len() });
        if next.len() == INSERTS[0] { self.flush() } else { Ok(()) }
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
