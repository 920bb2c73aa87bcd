//! What a call has used so far, put together from what its provider said and what was counted here.

use tokenbook::request::{Exactness, RequestCount, TextCount};
use tokenbook::{Count, Result, TokenKind, Usage};

/// What a call has used so far, put together from what the provider stated and what was counted.
pub(super) struct Known {
    stated: Usage,
    pub(super) input: Option<Count>,
    pub(super) input_exactness: Option<Exactness>,
    /// Whether the input is the provider's own number.
    is_stated: bool,
    pub(super) output: Count,
    pub(super) output_exactness: Exactness,
}

impl Known {
    pub(super) fn of(
        stated: Option<&Usage>,
        is_final: bool,
        streamed: Option<TextCount>,
        counted: Option<&RequestCount>,
    ) -> Result<Self> {
        let stated_input = stated.map(Usage::total_input_tokens).transpose()?.filter(|input| !input.is_zero());
        let stated_output = stated.map(Usage::total_output_tokens).transpose()?.unwrap_or_default();
        let streamed_tokens = streamed.as_ref().map_or(Count::ZERO, |text| text.tokens);
        let is_measured = is_final || stated_output >= streamed_tokens;
        let (input, input_exactness) = match (stated_input, counted) {
            (Some(input), _) => (Some(input), Some(Exactness::Measured)),
            (None, Some(counted)) => (Some(counted.input_tokens), Some(counted.exactness)),
            (None, None) => (None, None),
        };
        Ok(Self {
            stated: stated.cloned().unwrap_or_default(),
            input,
            input_exactness,
            is_stated: stated_input.is_some(),
            output: if is_final { stated_output } else { stated_output.max(streamed_tokens) },
            output_exactness: match streamed {
                Some(text) if !is_measured => text.exactness,
                _ if is_final || !stated_output.is_zero() => Exactness::Measured,
                _ => Exactness::Exact,
            },
        })
    }

    /// The usage with this much output.
    pub(super) fn usage(&self, output: Count) -> Usage {
        let mut usage = self.stated.clone();
        if !self.is_stated {
            usage = usage.with(TokenKind::Input, self.input.unwrap_or_default());
        }
        let other = usage.total_output_tokens().and_then(|all| all.checked_sub(usage.get(TokenKind::Output)));
        let text = output.checked_sub(other.unwrap_or_default()).unwrap_or_default();
        usage.with(TokenKind::Output, text)
    }

    /// How the whole is known: by its weakest part.
    pub(super) fn exactness(&self) -> &'static str {
        let weakest = self.input_exactness.max(Some(self.output_exactness));
        weakest.map_or("estimated", Exactness::name)
    }
}
