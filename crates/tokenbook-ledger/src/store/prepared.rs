//! Calls on their way to the disk: checked and packed by whoever records them, so that the writer need not touch a `Call`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenbook::{Count, Error, ErrorCode, Result, Timestamp, TokenKind, Usage, Usd};

use crate::digest::{Digest, canonical_json, content_id, digest};
use crate::hash::hash_of;
use crate::ledger::Along;
use crate::record::{Call, CallCost, Outcome, ToolTokens};
use crate::store::packed::{read, write};
use crate::store::row::{
    BATCH_SHIFT, COST_SHIFT, Numbers, PARTIAL, PRICED, STATED, TRUNCATED_SHIFT, USAGE_KNOWN, signed,
};
use crate::sums::{COLUMN_KINDS, KINDS};

/// Bytes that an emptied [`Load`] may keep for the next calls.
const MAX_KEPT: usize = 1 << 22;

/// The rare fields, as JSON.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent_id: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tokens: BTreeMap<String, Count>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) server_tool_requests: BTreeMap<String, Count>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Rest {
    /// Takes the rare fields out of a call; none when it has none.
    fn take(call: &mut Call) -> Option<Box<Self>> {
        let mut rest = Self {
            operation_id: call.operation_id.take(),
            attempt: call.attempt,
            parent_id: call.parent_id.take(),
            metadata: std::mem::take(&mut call.metadata),
            ..Self::default()
        };
        if let Some(usage) = &mut call.usage {
            for kind in &KINDS[COLUMN_KINDS..] {
                let tokens = usage.get(*kind);
                if !tokens.is_zero() {
                    rest.tokens.insert(kind.name().to_owned(), tokens);
                }
            }
            rest.server_tool_requests = std::mem::take(&mut usage.server_tool_requests);
        }
        (rest != Self::default()).then(|| Box::new(rest))
    }
}

/// The numbers of a checked call, and where its texts are.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) digest: Digest,
    /// The hold to let go with it; no part of the record.
    pub(crate) hold: Option<i64>,
    /// What its request was estimated to be and what was billed; no part of the record.
    pub(crate) sample: Option<(Count, Count)>,
    pub(crate) at: i64,
    pub(crate) cost: Option<i64>,
    pub(crate) flags: i64,
    pub(crate) columns: [i64; COLUMN_KINDS],
    pub(crate) max_tokens: Option<i64>,
    pub(crate) duration_ms: Option<i64>,
    pub(crate) first_token_ms: Option<i64>,
    pub(crate) rare: Option<Box<Rest>>,
    /// Of the bytes of its form.
    pub(crate) form_hash: u64,
    /// Whether nobody waits for its answer.
    pub(crate) queued: bool,
    start: usize,
    /// Ends of the id, the session, the rare fields' JSON, the tools' tokens and the form, from `start`.
    ends: [usize; 5],
}

/// Calls on their way: a memory of their texts in one piece, which is used again and again.
#[derive(Debug, Default)]
pub(crate) struct Load {
    bytes: Vec<u8>,
    calls: Vec<Prepared>,
    scratch: Vec<u8>,
}

/// A call on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) of: &'a Prepared,
    bytes: &'a [u8],
}

impl Load {
    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(crate) fn get(&self, at: usize) -> View<'_> {
        let of = &self.calls[at];
        View { of, bytes: &self.bytes[of.start..of.start + of.ends[4]] }
    }

    /// Puts the calls of another behind these.
    pub(crate) fn append(&mut self, other: &mut Self) {
        if self.is_empty() && other.bytes.len() > self.bytes.capacity() {
            std::mem::swap(self, other);
            return;
        }
        let before = self.bytes.len();
        self.bytes.append(&mut other.bytes);
        self.calls.extend(other.calls.drain(..).map(|call| Prepared { start: call.start + before, ..call }));
    }

    #[cfg(test)]
    pub(crate) fn share_one_hash(&mut self) {
        self.calls.iter_mut().for_each(|call| call.form_hash = 7);
    }

    /// Forgets all calls, and keeps memory for the next ones.
    pub(crate) fn clear(&mut self) {
        self.calls.clear();
        self.bytes.clear();
        if self.bytes.capacity() > MAX_KEPT {
            *self = Self::default();
        }
    }

    /// Checks a call, gives it an id if it has none, and packs it with what goes along; gives its id. What is left of the
    /// call is of no more use.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for a call that can't be stored.
    pub(crate) fn push(&mut self, call: &mut Call, along: Along, queued: bool) -> Result<String> {
        call.normalise()?;
        let price = match &call.cost {
            CallCost::Priced { price: Some(price), .. } => Some(canonical_json(price)?),
            _ => None,
        };
        let id = match call.id.take() {
            Some(id) => id,
            None => content_id(call),
        };
        let digest = digest(&id, call, price.as_deref(), &mut self.scratch);
        let cost_kind = match &call.cost {
            CallCost::Priced { .. } => PRICED,
            CallCost::Stated { .. } => STATED,
            CallCost::Unpriced { .. } => 0,
        };
        let cost = call.cost.total_usd();
        let cost = cost.map(|cost| i64::try_from(cost.pico())).transpose().map_err(|_| damaged())?;
        let three_way = |value: Option<bool>| value.map_or(0, |value| 1 + i64::from(value));
        let flags = (i64::from(call.partial) * PARTIAL)
            | (three_way(call.truncated) << TRUNCATED_SHIFT)
            | (three_way(call.batch) << BATCH_SHIFT)
            | (cost_kind << COST_SHIFT)
            | if call.usage.is_some() { USAGE_KNOWN } else { 0 };
        let mut columns = [0; COLUMN_KINDS];
        let mut sample = None;
        if let Some(usage) = &call.usage {
            for (column, kind) in columns.iter_mut().zip(KINDS) {
                *column = signed(usage.get(kind));
            }
            if let Some(estimated) = along.estimated_tokens.filter(|tokens| !tokens.is_zero() && !call.partial) {
                sample = Some((estimated, usage.total_input_tokens()?)).filter(|(_, measured)| !measured.is_zero());
            }
        }

        let bytes = &mut self.bytes;
        let start = bytes.len();
        let mut ends = [0; 5];
        bytes.extend_from_slice(id.as_bytes());
        ends[0] = bytes.len() - start;
        bytes.extend_from_slice(call.session.as_deref().unwrap_or_default().as_bytes());
        ends[1] = bytes.len() - start;
        let rare = Rest::take(call);
        if let Some(rare) = &rare {
            serde_json::to_writer(&mut *bytes, rare).expect("names and numbers are written as they are");
        }
        ends[2] = bytes.len() - start;
        for tool in &call.tool_tokens {
            write(bytes, tool.definition_tokens.map_or(0, |tokens| tokens.get() + 1));
            write(bytes, tool.result_tokens.map_or(0, |tokens| tokens.get() + 1));
        }
        ends[3] = bytes.len() - start;
        let note = match &call.cost {
            CallCost::Unpriced { reason } => Some(reason.as_str()),
            _ => price.as_deref(),
        };
        write_form(bytes, call, note);
        ends[4] = bytes.len() - start;
        self.calls.push(Prepared {
            digest,
            hold: along.hold_id.map(|id| i64::try_from(id.get()).unwrap_or(i64::MAX)),
            sample,
            at: call.at.ms(),
            cost,
            flags,
            columns,
            max_tokens: call.max_tokens.map(signed),
            duration_ms: call.duration_ms.map(signed),
            first_token_ms: call.time_to_first_token_ms.map(signed),
            rare,
            form_hash: hash_of(&bytes[start + ends[3]..]),
            queued,
            start,
            ends,
        });
        Ok(id)
    }
}

#[cold]
fn damaged() -> Error {
    Error::new(ErrorCode::Internal, "a bug in how the ledger packs calls")
}

/// Texts of a form that a call may lack, in the order that they are written in.
pub(crate) const OPTIONAL_TEXTS: usize = 12;
/// Lists of a form: tags, tools offered, tools called, tools whose tokens are known.
pub(crate) const LISTS: usize = 4;

/// Writes what many calls have in common, which the writer looks up at once: names of all kinds, but no session.
fn write_form(to: &mut Vec<u8>, call: &Call, note: Option<&str>) {
    let mut text = |value: Option<&str>| {
        let length = value.map_or(0, |value| value.len() + 1);
        to.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        to.extend_from_slice(value.unwrap_or_default().as_bytes());
    };
    text(Some(&call.model));
    text((call.outcome == Outcome::Error).then_some(""));
    for value in [&call.provider, &call.agent, &call.action, &call.answered_model, &call.api] {
        text(value.as_deref());
    }
    text(note);
    for value in
        [&call.stop_reason, &call.stop_kind, &call.error_class, &call.service_tier, &call.region, &call.exactness]
    {
        text(value.as_deref());
    }
    for list in [&call.tags, &call.tools_offered, &call.tools_called] {
        for value in list {
            text(Some(value));
        }
        text(None);
    }
    for tool in &call.tool_tokens {
        text(Some(&tool.tool));
    }
    text(None);
}

/// What many calls have in common, as texts.
#[derive(Debug)]
pub(crate) struct FormTexts<'a> {
    pub(crate) model: &'a str,
    pub(crate) failed: bool,
    /// Provider, agent, action, answered model, API, note, stop reason, stop kind, error class, tier, region, exactness.
    pub(crate) optional: [Option<&'a str>; OPTIONAL_TEXTS],
    pub(crate) lists: [Vec<&'a str>; LISTS],
}

impl<'a> FormTexts<'a> {
    /// Reads what [`write_form`] has written.
    pub(crate) fn read(mut bytes: &'a [u8]) -> Self {
        let mut text = || {
            let (length, rest) = bytes.split_first_chunk::<4>().expect("a form is whole");
            let length = (u32::from_le_bytes(*length) as usize).checked_sub(1);
            let (text, rest) = rest.split_at(length.unwrap_or_default());
            bytes = rest;
            length.map(|_| std::str::from_utf8(text).expect("names are text"))
        };
        Self {
            model: text().expect("a call has a model"),
            failed: text().is_some(),
            optional: std::array::from_fn(|_| text()),
            lists: std::array::from_fn(|_| std::iter::from_fn(&mut text).collect()),
        }
    }
}

impl<'a> View<'a> {
    fn part(&self, from: usize, to: usize) -> &'a [u8] {
        &self.bytes[from..to]
    }

    fn text(&self, from: usize, to: usize) -> &'a str {
        std::str::from_utf8(self.part(from, to)).expect("made of text")
    }

    pub(crate) fn id(&self) -> &'a str {
        self.text(0, self.of.ends[0])
    }

    /// The session; a name is never empty.
    pub(crate) fn session(&self) -> Option<&'a str> {
        Some(self.text(self.of.ends[0], self.of.ends[1])).filter(|session| !session.is_empty())
    }

    /// The rare fields' JSON, empty when there are none.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.part(self.of.ends[1], self.of.ends[2])
    }

    /// The tokens of the definition and of the results of each tool in the form's last list, one more than they are.
    pub(crate) fn tool_tokens(&self) -> impl Iterator<Item = (Option<u64>, Option<u64>)> {
        let mut bytes = self.part(self.of.ends[2], self.of.ends[3]);
        std::iter::from_fn(move || {
            let mut next = || read(&mut bytes).map(|value| u64::try_from(value).unwrap_or_default().checked_sub(1));
            Some((next()?, next()?))
        })
    }

    pub(crate) fn form(&self) -> &'a [u8] {
        self.part(self.of.ends[3], self.of.ends[4])
    }

    pub(crate) fn numbers(&self) -> Numbers<'a> {
        let of = self.of;
        Numbers {
            flags: of.flags,
            cost: of.cost,
            columns: of.columns,
            rare: of.rare.as_deref(),
            max_tokens: of.max_tokens,
            duration_ms: of.duration_ms,
            first_token_ms: of.first_token_ms,
            ..Numbers::default()
        }
    }

    /// The call that was packed.
    pub(crate) fn call(&self) -> Result<Call> {
        let of = self.of;
        let form = FormTexts::read(self.form());
        let owned = |at: usize| form.optional[at].map(str::to_owned);
        let counted = |value: Option<i64>| value.map(|value| Count::new(value.cast_unsigned())).transpose();
        let list = |at: usize| form.lists[at].iter().map(|text| (*text).to_owned()).collect();
        let amount = Usd::from_pico(of.cost.unwrap_or_default().into());
        let cost = match of.flags >> COST_SHIFT & 3 {
            PRICED => CallCost::Priced {
                total_usd: amount,
                price: form.optional[5].map(serde_json::from_str).transpose().map_err(|_| damaged())?,
            },
            STATED => CallCost::Stated { total_usd: amount },
            _ => CallCost::Unpriced { reason: owned(5).unwrap_or_default() },
        };
        let three_way = |shift: u32| match of.flags >> shift & 3 {
            0 => None,
            value => Some(value == 2),
        };
        let rare = of.rare.as_deref();
        let mut usage = None;
        if of.flags & USAGE_KNOWN != 0 {
            let mut known = Usage::new();
            for (tokens, kind) in of.columns.into_iter().zip(KINDS) {
                known.set(kind, Count::new(tokens.cast_unsigned())?);
            }
            if let Some(rare) = rare {
                known.server_tool_requests.clone_from(&rare.server_tool_requests);
                for (name, tokens) in &rare.tokens {
                    known.set(TokenKind::from_name(name).expect("written by its name"), *tokens);
                }
            }
            usage = Some(known);
        }
        let mut tool_tokens = Vec::new();
        for (tool, (definition, result)) in form.lists[3].iter().zip(self.tool_tokens()) {
            tool_tokens.push(ToolTokens {
                tool: (*tool).to_owned(),
                definition_tokens: definition.map(Count::new).transpose()?,
                result_tokens: result.map(Count::new).transpose()?,
            });
        }
        Ok(Call {
            id: Some(self.id().to_owned()),
            provider: owned(0),
            agent: owned(1),
            action: owned(2),
            answered_model: owned(3),
            api: owned(4),
            session: self.session().map(str::to_owned),
            tags: list(0),
            operation_id: rare.and_then(|rare| rare.operation_id.clone()),
            attempt: rare.and_then(|rare| rare.attempt),
            parent_id: rare.and_then(|rare| rare.parent_id.clone()),
            usage,
            cost,
            max_tokens: counted(of.max_tokens)?,
            stop_reason: owned(6),
            stop_kind: owned(7),
            truncated: three_way(TRUNCATED_SHIFT),
            partial: of.flags & PARTIAL != 0,
            duration_ms: counted(of.duration_ms)?,
            time_to_first_token_ms: counted(of.first_token_ms)?,
            tools_offered: list(1),
            tools_called: list(2),
            tool_tokens,
            outcome: if form.failed { Outcome::Error } else { Outcome::Success },
            error_class: owned(8),
            service_tier: owned(9),
            region: owned(10),
            batch: three_way(BATCH_SHIFT),
            exactness: owned(11),
            metadata: rare.map(|rare| rare.metadata.clone()).unwrap_or_default(),
            ..Call::new(Timestamp::from_ms(of.at)?, form.model)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Call {
        let json = r#"{
            "id": "msg_1", "at": "2026-11-22T10:00:00.123Z", "provider": "anthropic", "model": "m", "answered_model": "m-1",
            "api": "anthropic_messages", "agent": "a", "action": "b", "session": "s", "tags": ["x", "y"],
            "operation_id": "o", "attempt": 2, "parent_id": "p",
            "usage": {"input_tokens": 1, "cache_read_tokens": 2, "output_tokens": 3},
            "cost": {"status": "priced", "total_usd": "0.0000025", "price": {"from": "2026-01-01", "model": "m"}},
            "max_tokens": 7, "stop_reason": "end_turn", "stop_kind": "stop", "truncated": false, "partial": true,
            "duration_ms": 0, "time_to_first_token_ms": 9, "tools_offered": ["t", "u"], "tools_called": ["u", "u"],
            "tool_tokens": [{"tool": "t", "definition_tokens": 0}, {"tool": "u", "result_tokens": 9007199254740991}],
            "outcome": "error", "error_class": "rate_limit", "service_tier": "flex", "region": "eu", "batch": true,
            "exactness": "measured", "metadata": {"k": "é"}
        }"#;
        let mut call: Call = serde_json::from_str(json).expect("a call");
        let usage = call.usage.as_mut().expect("given");
        usage.set(TokenKind::OutputAudio, Count::from(5));
        usage.server_tool_requests.insert("web".to_owned(), Count::from(4));
        call
    }

    #[test]
    fn a_packed_call_is_the_call_that_it_was() {
        let bare = Call { id: Some("2".to_owned()), ..Call::new(Timestamp::from_ms(0).expect("an instant"), "m") };
        let stated =
            Call { cost: CallCost::Stated { total_usd: Usd::from_pico(3) }, usage: Some(Usage::new()), ..bare.clone() };
        let calls = [full(), bare, stated];
        let (mut load, mut behind) = (Load::default(), Load::default());
        for (at, call) in calls.iter().enumerate() {
            let to = if at == 0 { &mut load } else { &mut behind };
            let id = to.push(&mut call.clone(), Along::default(), at == 1).expect("good");
            assert_eq!(Some(&id), call.id.as_ref());
        }
        load.append(&mut behind);
        assert!(behind.is_empty());
        assert_eq!(load.len(), calls.len());
        for (at, call) in calls.iter().enumerate() {
            assert_eq!(load.get(at).call().expect("whole"), *call);
            assert_eq!(load.get(at).of.queued, at == 1);
        }
        load.clear();
        assert!(load.is_empty());
    }

    #[test]
    fn a_call_that_is_refused_leaves_nothing_behind() {
        let mut load = Load::default();
        load.push(&mut full(), Along::default(), false).expect("good");
        load.push(&mut Call { agent: Some(String::new()), ..full() }, Along::default(), false).expect_err("no name");
        let next = Call { id: None, session: None, ..full() };
        let id = load.push(&mut next.clone(), Along::default(), false).expect("good");
        assert_eq!(id, next.content_id().expect("good"));
        assert_eq!(load.get(1).call().expect("whole"), Call { id: Some(id), ..next });
    }

    #[test]
    fn what_was_estimated_goes_along_where_it_was_billed() {
        let along = Along { estimated_tokens: Some(Count::from(8)), hold_id: Some(Count::from(3)) };
        let mut load = Load::default();
        for call in [Call { partial: false, ..full() }, full(), Call { usage: None, ..full() }] {
            load.push(&mut call.clone(), along, false).expect("good");
        }
        let kept: Vec<_> = (0..3).map(|at| load.get(at).of.sample).collect();
        assert_eq!(kept, [Some((Count::from(8), Count::from(3))), None, None]);
        assert_eq!(load.get(0).of.hold, Some(3));
    }
}
