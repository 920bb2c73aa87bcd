//! Why a model stopped, in every provider's words.

use serde::{Serialize, Serializer};

/// Why the model stopped, normalised over all providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum StopKind {
    /// It was done.
    End,
    /// It reached the largest output that the request allowed.
    MaxTokens,
    /// It filled the model's context window.
    ContextWindow,
    /// It wrote a stop sequence of the request.
    StopSequence,
    /// It wants the caller to run a tool.
    ToolUse,
    /// A filter of the provider took the answer or the question away.
    ContentFilter,
    /// The model or its safety classifier declined.
    Refusal,
    /// It stopped half-way and wants to be called again: a paused turn, a compaction.
    Pause,
    /// It failed or was cancelled.
    Error,
    /// A word that tokenbook doesn't know.
    Other,
}

impl StopKind {
    /// The name as every language spells it, such as `max_tokens`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::MaxTokens => "max_tokens",
            Self::ContextWindow => "context_window",
            Self::StopSequence => "stop_sequence",
            Self::ToolUse => "tool_use",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Pause => "pause",
            Self::Error => "error",
            Self::Other => "other",
        }
    }

    /// Whether the answer was cut off by a limit on tokens.
    pub const fn is_truncation(self) -> bool {
        matches!(self, Self::MaxTokens | Self::ContextWindow)
    }

    /// Reads a provider's word, whichever the provider, in any case and with `-`, `_` or spaces.
    pub fn from_word(word: &str) -> Self {
        if word.len() > 64 {
            return Self::Other;
        }
        let word: String =
            word.chars().map(|c| if c == '-' || c == ' ' || c == '.' { '_' } else { c.to_ascii_lowercase() }).collect();
        match word.as_str() {
            "end_turn" | "stop" | "complete" | "completed" | "eos" | "eos_token" | "finish" | "finished" | "end"
            | "1" => Self::End,
            "max_tokens" | "length" | "max_output_tokens" | "max_length" | "token_limit" | "max_new_tokens" | "2" => {
                Self::MaxTokens
            }
            "model_context_window_exceeded"
            | "context_window_exceeded"
            | "context_length_exceeded"
            | "model_length"
            | "error_limit" => Self::ContextWindow,
            "stop_sequence" | "stop_sequence_reached" => Self::StopSequence,
            "tool_use" | "tool_calls" | "tool_call" | "function_call" => Self::ToolUse,
            "content_filter"
            | "content_filtered"
            | "guardrail_intervened"
            | "safety"
            | "blocklist"
            | "prohibited_content"
            | "spii"
            | "image_safety"
            | "image_prohibited_content"
            | "image_recitation"
            | "recitation"
            | "sensitive"
            | "error_toxic"
            | "model_armor"
            | "jailbreak"
            | "blocked"
            | "3"
            | "4"
            | "6"
            | "7"
            | "8" => Self::ContentFilter,
            "refusal" => Self::Refusal,
            "pause_turn" | "compaction" | "pause" => Self::Pause,
            "error"
            | "failed"
            | "cancelled"
            | "canceled"
            | "aborted"
            | "abort"
            | "timeout"
            | "user_cancel"
            | "network_error"
            | "malformed_function_call"
            | "malformed_tool_use"
            | "malformed_model_output"
            | "unexpected_tool_call"
            | "too_many_tool_calls"
            | "malformed_response"
            | "missing_thought_signature"
            | "no_image" => Self::Error,
            _ => Self::Other,
        }
    }
}

impl Serialize for StopKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_providers_word_for_a_cut_off_answer_is_a_truncation() {
        for word in
            ["max_tokens", "length", "MAX_TOKENS", "max_output_tokens", "model_length", "model_context_window_exceeded"]
        {
            assert!(StopKind::from_word(word).is_truncation(), "{word}");
        }
        for word in ["end_turn", "STOP", "tool-calls", "content_filter", "refusal", "COMPLETE", "whatever"] {
            assert!(!StopKind::from_word(word).is_truncation(), "{word}");
        }
    }

    #[test]
    fn an_unknown_word_is_other_and_not_the_end() {
        assert_eq!(StopKind::from_word("insufficient_system_resource"), StopKind::Other);
        assert_eq!(StopKind::from_word(&"x".repeat(1 << 20)), StopKind::Other);
    }
}
