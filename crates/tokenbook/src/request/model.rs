//! Which family a model is of, read from its name.

use super::band::Band;
use super::body::Choice;
use super::draft::tokens;
use super::typescript::Style;
use crate::text::Encoding;
use crate::text::claude::Generation;

/// A Claude model, as far as counting tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claude {
    pub(super) generation: Generation,
    family: Family,
    /// Whether the name was one that figures were measured for.
    pub(super) known: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Claude2,
    Haiku3,
    Opus3,
    Sonnet3,
    Sonnet35June,
    Sonnet35,
    Claude4,
    Claude45,
    /// Keeps the thinking of earlier turns, as those after it do.
    Opus45,
    Claude46,
    Opus47,
    Opus48,
    Sonnet5,
    Opus5,
    Fable5,
}

/// Tokens around calls and their results: a call, a call after one in the same message, an argument, an only result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Calls {
    pub(super) first: i64,
    pub(super) further: i64,
    pub(super) argument: i64,
    pub(super) result: i64,
}

impl Claude {
    /// The Claude model of this name, in any provider's spelling.
    pub(super) fn parse(model: &str) -> Option<Self> {
        let model = model.to_ascii_lowercase().replace("%3a", ":");
        let name = &model[model.find("claude")?..];
        let mut tier = "";
        let mut version = Vec::new();
        for word in name.split(['-', '.', '@', ':', '/', '_', '[']).skip(1) {
            match word.parse::<u32>() {
                Ok(number) if word.len() <= 2 && version.len() < 2 => version.push(number),
                Ok(_) => break,
                Err(_) if matches!(word, "haiku" | "sonnet" | "opus" | "instant" | "fable" | "mythos") => tier = word,
                Err(_) if word.starts_with('v') && !version.is_empty() => break,
                Err(_) if word.starts_with('v') => version.extend(word[1..].parse::<u32>().ok()),
                Err(_) => {}
            }
        }
        let version = (version.first().copied(), version.get(1).copied().unwrap_or(0));
        let june = name.contains("20240620");
        let (family, known) = match (version, tier) {
            ((Some(0..=2), _), _) | (_, "instant") => (Family::Claude2, false),
            ((Some(3), 5), "sonnet") if june => (Family::Sonnet35June, true),
            ((Some(3), 5), "sonnet") | ((Some(3), 7), _) => (Family::Sonnet35, true),
            ((Some(3), _), "haiku") => (Family::Haiku3, true),
            ((Some(3), _), "opus") => (Family::Opus3, true),
            ((Some(3), _), _) => (Family::Sonnet3, true),
            ((Some(4), 0..=1), _) => (Family::Claude4, true),
            ((Some(4), 5), "opus") => (Family::Opus45, true),
            ((Some(4), 6), _) => (Family::Claude46, true),
            ((Some(4), 2..=5), _) => (Family::Claude45, true),
            ((Some(4), 7), "opus") => (Family::Opus47, true),
            ((Some(4), 8), "opus") => (Family::Opus48, true),
            ((Some(5), 0), "sonnet") => (Family::Sonnet5, true),
            ((Some(5), 0), "opus") => (Family::Opus5, true),
            ((Some(5), 0), "fable") => (Family::Fable5, true),
            (_, "sonnet") => (Family::Sonnet5, false),
            (_, "fable" | "mythos") => (Family::Fable5, false),
            _ => (Family::Opus5, false),
        };
        let generation = match family {
            Family::Opus47 | Family::Opus48 | Family::Sonnet5 | Family::Opus5 | Family::Fable5 => Generation::New,
            _ => Generation::Old,
        };
        Some(Self { generation, family, known })
    }

    /// The tokens of a request with one empty message, in units.
    pub(super) fn base(self, system: bool) -> i64 {
        match self.family {
            Family::Opus47 => tokens(11) + tokens(i64::from(system)),
            _ if self.generation == Generation::New => tokens(6) + tokens(i64::from(system)),
            _ => tokens(7),
        }
    }

    /// What having any tool adds; with a system prompt, which then stands behind the tools, a little more.
    ///
    /// Source: <https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview>, July 2026; where it names no model,
    /// or another figure than what is billed (3 Opus, 3.5 Sonnet of June), measured.
    pub(super) fn tools(self, choice: Choice<'_>, one_call_at_a_time: bool, system: bool) -> i64 {
        let (auto, any) = match self.family {
            Family::Haiku3 => (264, 355),
            Family::Opus3 => (530, 298),
            Family::Sonnet3 => (159, 235),
            Family::Sonnet35June => (294, 274),
            Family::Sonnet35 | Family::Claude2 | Family::Claude4 => (313, 315),
            Family::Claude45 | Family::Opus45 => (496, 588),
            Family::Claude46 => (497, 589),
            Family::Opus47 => (675, 804),
            Family::Opus48 => (290, 410),
            Family::Sonnet5 => (354, 474),
            Family::Opus5 => (286, 406),
            Family::Fable5 => (289, 409),
        };
        let newest_old = matches!(self.family, Family::Claude45 | Family::Opus45 | Family::Claude46);
        // One token fewer than a further tool takes: the documented figure has it.
        let behind_tools = if self.generation == Generation::New { 0 } else { 2 * i64::from(system) - 1 };
        let chosen = match choice {
            Choice::Auto if newest_old && one_call_at_a_time => auto - 208,
            Choice::Auto | Choice::None => auto,
            Choice::Any => any,
            Choice::Named(_) if self.family == Family::Claude4 && one_call_at_a_time => any - 41,
            Choice::Named(_) if self.family == Family::Haiku3 => any + 5,
            Choice::Named(_) => any + 2,
        };
        chosen + behind_tools
    }

    /// What surrounds the definition of a tool.
    pub(super) fn around_tool(self) -> i64 {
        if self.generation == Generation::New { 9 } else { 7 }
    }

    /// What calls and their results are shown with.
    pub(super) fn calls(self) -> Calls {
        match (self.generation, self.family) {
            (Generation::Old, _) => Calls { first: 20, further: 15, argument: 15, result: 20 },
            (_, Family::Opus47) => Calls { first: 30, further: 20, argument: 19, result: 16 },
            _ => Calls { first: 18, further: 14, argument: 13, result: 10 },
        }
    }

    /// What an effort setting adds to adaptive thinking.
    pub(super) fn effort(self) -> i64 {
        if matches!(self.family, Family::Opus45 | Family::Claude46) { 17 } else { 0 }
    }

    /// What a schema for the answer costs, from the cost of its own text: it is shown with its lines indented.
    pub(super) fn output_schema(self, text: i64) -> i64 {
        let constant = if self.generation == Generation::New { 106 } else { 89 };
        tokens(constant) + text * 97 / 64
    }

    /// How far off an estimate can be.
    pub(super) fn band(self, tools: bool) -> Band {
        let band = match (self.generation, tools) {
            (Generation::Old, false) => Band::new(2, 50, 40),
            (Generation::Old, true) => Band::new(2, 25, 25),
            (Generation::New, false) => Band::new(2, 30, 30),
            (Generation::New, true) => Band::new(4, 10, 10),
        };
        if self.known { band } else { band.doubled() }
    }

    /// How far off an estimate of a mere text can be.
    pub(super) fn text_band(self) -> Band {
        let band = Band::new(3, 50, 50);
        if self.known { band } else { band.doubled() }
    }

    /// Whether the thinking of earlier turns stays in the prompt.
    ///
    /// Source: <https://docs.claude.com/en/docs/build-with-claude/extended-thinking>, November 2026, and measured.
    pub(super) fn keeps_thinking(self) -> bool {
        self.generation == Generation::New || matches!(self.family, Family::Opus45 | Family::Claude46)
    }
}

/// A chat model of OpenAI's, as far as counting tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenAi {
    pub(super) encoding: Encoding,
    /// The tokens of a request without messages.
    pub(super) base: i64,
    /// Tokens around every message: its start, its role, and its end.
    pub(super) around_message: i64,
    /// What an answer in the history costs more than a question, and what a tool call in it adds.
    pub(super) around_answer: i64,
    pub(super) around_call: i64,
    /// What a call in Responses adds that comes without the id that the provider gave it.
    pub(super) without_id: i64,
    /// What having any tool adds to their text: without and with a system message before them.
    pub(super) around_tools: (i64, i64),
    /// What a schema for the answer adds to its text: without and with a system message before it.
    pub(super) around_schema: (i64, i64),
    /// The same where tools stand before it.
    pub(super) around_schema_after_tools: i64,
    /// Whether answers that keep to a schema are addressed to its name.
    pub(super) addresses_schema: bool,
    /// What having to call some tool adds, being forbidden to, and having to call a named one in addition to its name.
    pub(super) must_call: i64,
    pub(super) must_not_call: i64,
    pub(super) must_call_named: Option<i64>,
    /// Whether the thinking of earlier turns stays in the prompt.
    pub(super) keeps_thinking: bool,
    /// How tools are shown.
    pub(super) style: Style,
    /// The tokens of a picture, and of each tile of it.
    pub(super) picture: (u64, u64),
}

impl OpenAi {
    /// How far off a count of a request with more than text can be.
    pub(super) const BAND: Band = Band::new(4, 12, 20);

    /// The same model behind the Responses API.
    pub(super) fn in_responses(self) -> Self {
        let tools = match (self.base, self.around_answer) {
            (2, 2) => 9,
            (2, _) => 6,
            _ => 3,
        };
        let (schema, must_call) = if self.base == 2 { (0, 0) } else { (1, 9) };
        Self {
            around_tools: (tools - 4, tools),
            around_schema: (schema - 4, schema),
            addresses_schema: false,
            must_call,
            ..self
        }
    }

    /// The chat model of this name, behind any host.
    pub(super) fn parse(model: &str) -> Option<Self> {
        let encoding = Encoding::for_model(model).filter(|encoding| encoding.is_of_openai())?;
        let name = model.rsplit('/').next().unwrap_or(model);
        let usual = Self {
            encoding,
            base: 3,
            around_message: 4,
            around_answer: 0,
            around_call: 0,
            without_id: -3,
            around_tools: (5, 5),
            around_schema: (0, 0),
            around_schema_after_tools: 0,
            addresses_schema: true,
            must_call: 0,
            must_not_call: 1,
            must_call_named: Some(7),
            keeps_thinking: false,
            style: Style::Titled,
            picture: (85, 170),
        };
        Some(match name {
            _ if name.contains("gpt-oss") => return None,
            _ if name.contains("-search") => {
                Self { base: 0, around_message: 0, around_schema: (0, 0), addresses_schema: false, ..usual }
            }
            _ if name.starts_with("gpt-5") => Self {
                base: 2,
                around_answer: 2,
                around_call: 4,
                around_tools: (87, 90),
                around_schema: (0, 3),
                around_schema_after_tools: -1,
                addresses_schema: false,
                must_not_call: 0,
                must_call_named: None,
                without_id: if minor_of_gpt_5(name) >= 4 { 0 } else { -3 },
                keeps_thinking: minor_of_gpt_5(name) >= 6,
                picture: (70, 140),
                ..usual
            },
            _ if name.starts_with("o1-mini") || name.starts_with("o1-preview") => usual,
            _ if name.starts_with('o') => Self {
                base: 2,
                around_call: 3,
                without_id: 0,
                must_not_call: 0,
                around_tools: (6, 9),
                around_schema: (0, 3),
                around_schema_after_tools: -1,
                addresses_schema: false,
                picture: (75, 150),
                ..usual
            },
            "gpt-4" | "gpt-4-0613" | "gpt-4-0314" | "gpt-4-32k" => {
                Self { style: Style::Plain, around_call: -3, must_call: 2, must_call_named: Some(4), ..usual }
            }
            _ => usual,
        })
    }
}

/// The number behind `gpt-5.`.
fn minor_of_gpt_5(name: &str) -> u32 {
    let minor = name.strip_prefix("gpt-5.").map_or("", |rest| rest.split('-').next().unwrap_or(rest));
    minor.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_model_is_the_same_model() {
        let same = [
            "claude-haiku-4-5",
            "claude-haiku-4-5-20251001",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.anthropic.claude-haiku-4-5-20251001-v1%3A0",
            "anthropic/claude-haiku-4.5",
            "claude-haiku-4-5@20251001",
        ];
        for name in same {
            assert_eq!(Claude::parse(name), Claude::parse(same[0]), "{name}");
            assert_eq!(Claude::parse(name).map(|model| model.family), Some(Family::Claude45), "{name}");
        }
    }

    #[test]
    fn open_weights_are_no_models_of_the_api() {
        for name in ["gpt-oss-20b", "openai/gpt-oss-120b", "openai.gpt-oss-20b-1:0"] {
            assert_eq!(OpenAi::parse(name), None, "{name}");
        }
    }

    #[test]
    fn families_are_told_apart() {
        let family = |name| Claude::parse(name).map(|model| (model.family, model.known));
        assert_eq!(family("claude-3-haiku-20240307"), Some((Family::Haiku3, true)));
        assert_eq!(family("claude-3-5-sonnet-20240620"), Some((Family::Sonnet35June, true)));
        assert_eq!(family("claude-4-sonnet-20250514"), Some((Family::Claude4, true)));
        assert_eq!(family("claude-sonnet-4-0"), Some((Family::Claude4, true)));
        assert_eq!(family("claude-opus-4-6"), Some((Family::Claude46, true)));
        assert_eq!(family("claude-opus-4-8"), Some((Family::Opus48, true)));
        assert_eq!(family("claude-2.1"), Some((Family::Claude2, false)));
        assert_eq!(family("anthropic.claude-v2"), Some((Family::Claude2, false)));
        assert_eq!(family("claude-haiku-5"), Some((Family::Opus5, false)));
        assert_eq!(family("gpt-4o"), None);
    }
}
