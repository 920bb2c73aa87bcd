//! Prices of many calls at once, from their sums, where that gives the same amount as call by call.

use super::{Price, Prices};
use crate::error::Result;
use crate::money::Usd;
use crate::price::row::{Counts, Tiering};
use crate::quantity::Count;
use crate::time::Timestamp;
use crate::usage::Usage;

impl Price<'_> {
    /// What `calls` calls cost together that used `sum` in all and each `smallest` to `largest` input tokens; none where
    /// their sum doesn't tell, and each has to be priced by itself.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the amount is too large.
    pub fn total_of_many(&self, sum: &Usage, calls: Count, (smallest, largest): (u64, u64)) -> Result<Option<Usd>> {
        let row = self.row;
        let has_server_tools = sum.server_tool_requests.values().any(|requests| !requests.is_zero());
        if has_server_tools || (row.tiering == Tiering::Progressive && !row.above.is_empty()) {
            return Ok(None);
        }
        let mut level = &row.base;
        for step in &row.above {
            if largest <= step.over {
                continue; // Fresh input is never more than all of it.
            }
            if step.counts == Counts::FreshInput || smallest <= step.over {
                return Ok(None);
            }
            level = &step.level;
        }
        let Some(tokens) = level.tokens_pico(sum) else { return Ok(None) };
        let total = Usd::from_pico(self.multiplier.map_or(tokens, |(_, multiplier)| multiplier.apply(tokens)));
        let fee = row.per_call.unwrap_or(Usd::ZERO).checked_mul(calls)?;
        total.checked_add(fee).map(Some)
    }
}

impl<'c> Prices<'c> {
    /// Whether one price holds all through a span of time: no row starts, ends, opens or shuts inside it.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when a row of the catalog can't be read.
    pub fn is_steady(&self, from: Timestamp, to: Timestamp) -> Result<bool> {
        let Ok(found) = &self.found else { return Ok(true) };
        let inside = |edge: Option<Timestamp>| edge.is_some_and(|edge| from < edge && edge < to);
        for (layer, entry) in std::iter::once(&found.newest).chain(&found.older) {
            let changes = |row: &crate::price::row::Row| row.window.is_some() || inside(row.from) || inside(row.until);
            if layer.rows(entry)?.iter().any(changes) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The price that holds at an instant, or none; [`at`](Prices::at) says why there is none.
    ///
    /// # Errors
    ///
    /// As [`at`](Prices::at).
    pub fn known_at(&self, at: Timestamp) -> Result<Option<Price<'c>>> {
        self.price_at(at)
    }
}

#[cfg(test)]
mod tests {
    use crate::price::{Catalog, PriceQuery};
    use crate::{Count, TokenKind, Usage};

    #[test]
    fn many_calls_cost_what_they_cost_one_by_one() {
        let catalog = Catalog::builtin();
        let at = "2026-06-01T00:00:00Z".parse().expect("an instant");
        let mut told = 0;
        for model in catalog.models() {
            let model = model.expect("readable");
            let query = PriceQuery { provider: Some(&model.provider), ..PriceQuery::new(&model.model, at) };
            let Some(price) = catalog.prices(&query).expect("known terms").known_at(at).expect("readable") else {
                continue;
            };
            for inputs in [[10_u32, 900], [32_001, 90_000], [210_000, 250_000], [300_000, 500_000]] {
                let calls = inputs.map(|input| {
                    Usage::new()
                        .with(TokenKind::Input, input - 9)
                        .with(TokenKind::CacheRead, 9_u32)
                        .with(TokenKind::Output, 7_u32)
                });
                let sum = calls[0].clone().checked_add(&calls[1]).expect("small");
                let range = (inputs[0].into(), inputs[1].into());
                let Some(many) = price.total_of_many(&sum, Count::from(2), range).expect("small") else { continue };
                let one = |usage| price.total(usage).expect("small").expect("its kinds have rates");
                assert_eq!(many, one(&calls[0]).checked_add(one(&calls[1])).expect("small"), "{}", model.model);
                told += 1;
            }
        }
        assert!(told > 1_000, "{told}");
    }

    const OWN: &str = r#"{"models": [{"provider": "openai", "model": "m", "rows": [
        {"rates": {"input_tokens": "1"}, "until": "2026-03-10"},
        {"rates": {"input_tokens": "2"}, "from": "2026-03-10"}]}]}"#;

    #[test]
    fn a_span_with_a_change_of_price_is_not_steady() {
        let catalog = Catalog::builtin().with_overrides(OWN).expect("well-formed");
        let instant = |text: &str| text.parse().expect("an instant");
        let prices = catalog.prices(&PriceQuery::new("m", instant("2026-01-01T00:00:00Z"))).expect("known terms");
        let steady = |from, to| prices.is_steady(instant(from), instant(to)).expect("readable");
        assert!(!steady("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"));
        assert!(steady("2026-03-10T00:00:00Z", "2026-04-01T00:00:00Z"));
        assert!(steady("2026-03-01T00:00:00Z", "2026-03-10T00:00:00Z"));
    }
}
