//! Parts while they are being counted, in 64ths of a token.

use super::{Part, PartKind};
use crate::error::Result;
use crate::quantity::Count;
use crate::text::claude::UNITS;

/// The parts of a request with their cost so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    parts: Vec<DraftPart>,
    framing: i64,
}

#[derive(Debug)]
struct DraftPart {
    kind: PartKind,
    name: Option<String>,
    index: Option<usize>,
    units: i64,
}

/// What a whole number of tokens is in units.
pub(super) const fn tokens(tokens: i64) -> i64 {
    tokens * UNITS.cast_signed()
}

impl Draft {
    /// Adds to a part; one that was added to last goes on where all that names it is the same.
    pub(super) fn part(&mut self, kind: PartKind, name: Option<&str>, index: Option<usize>, units: i64) {
        if let Some(last) = self.parts.last_mut()
            && (last.kind, last.name.as_deref(), last.index) == (kind, name, index)
            && !matches!(kind, PartKind::ToolCall | PartKind::ToolResult | PartKind::Image | PartKind::Document)
        {
            last.units += units;
            return;
        }
        self.parts.push(DraftPart { kind, name: name.map(str::to_owned), index, units });
    }

    /// Whether it has a part of this kind.
    pub(super) fn has(&self, kind: PartKind) -> bool {
        self.parts.iter().any(|part| part.kind == kind)
    }

    pub(super) fn framing(&mut self, units: i64) {
        self.framing += units;
    }

    /// Rounds so that framing and parts sum to the rounded total: each gets the growth of the rounded running sum.
    pub(super) fn finish(self) -> Result<(Count, Count, Vec<Part>)> {
        let mut exact = self.framing.max(0);
        let framing = round(exact);
        let mut rounded = framing;
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in self.parts {
            exact += part.units.max(0);
            let tokens = Count::new(round(exact) - rounded)?;
            rounded += tokens.get();
            parts.push(Part { kind: part.kind, name: part.name, index: part.index, tokens });
        }
        Ok((Count::new(rounded)?, Count::new(framing)?, parts))
    }
}

fn round(units: i64) -> u64 {
    let unit = UNITS.cast_signed();
    ((units + unit / 2) / unit).cast_unsigned()
}
