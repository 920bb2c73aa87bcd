//! The wire formats of providers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Error, Result};

macro_rules! apis {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A wire format: how one kind of endpoint spells requests, responses and usage.
        ///
        /// It names the *format*, not the host: an OpenAI-compatible server speaks [`Api::OpenaiChat`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Api {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Api {
            /// Every wire format.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name as every language spells it, such as `anthropic.messages`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

apis! {
    /// Anthropic Messages, also through compatible hosts.
    AnthropicMessages = "anthropic.messages",
    /// Anthropic's token counting endpoint.
    AnthropicCountTokens = "anthropic.count_tokens",
    /// Anthropic Messages through Amazon Bedrock's `InvokeModel`.
    BedrockInvokeAnthropic = "bedrock.invoke.anthropic",
    /// Anthropic Messages through Vertex AI's `rawPredict`.
    VertexRawPredictAnthropic = "vertex.rawPredict.anthropic",
    /// OpenAI Chat Completions, also Azure, DeepSeek, xAI, Groq, OpenRouter and other compatible hosts.
    OpenaiChat = "openai.chat",
    /// OpenAI Responses.
    OpenaiResponses = "openai.responses",
    /// OpenAI's token counting endpoint for Responses.
    OpenaiInputTokens = "openai.responses.input_tokens",
    /// OpenAI (text) Completions.
    OpenaiCompletions = "openai.completions",
    /// OpenAI Embeddings.
    OpenaiEmbeddings = "openai.embeddings",
    /// Google `generateContent` and `streamGenerateContent`, Gemini API and Vertex AI.
    GoogleGenerateContent = "google.generateContent",
    /// Google's token counting endpoint.
    GoogleCountTokens = "google.countTokens",
    /// Amazon Bedrock `Converse` and `ConverseStream`.
    BedrockConverse = "bedrock.converse",
    /// Amazon Bedrock's token counting endpoint.
    BedrockCountTokens = "bedrock.countTokens",
    /// Mistral chat completions.
    MistralChat = "mistral.chat",
    /// Cohere chat, versions 1 and 2.
    CohereChat = "cohere.chat",
    /// Ollama's own chat and generate endpoints.
    OllamaChat = "ollama.chat",
    /// Results of the Vercel AI SDK (`generateText`, `streamText`), usage objects of versions 4 to 6.
    AiSdk = "ai_sdk",
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Api {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.iter().find(|api| api.name() == text).copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|api| api.name()).collect();
            let got: String = text.chars().take(60).collect();
            Error::invalid(format!("expected one of {}, got {got:?}", names.join(", ")))
        })
    }
}

impl Serialize for Api {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Api {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_str(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Api;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a wire format such as \"anthropic.messages\"")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> std::result::Result<Api, E> {
        value.parse().map_err(E::custom)
    }
}
