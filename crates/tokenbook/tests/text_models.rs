//! Which encoding a model has.

use tokenbook::Encoding::{self, Cl100kBase, O200kBase, O200kHarmony, P50kBase, R50kBase};

#[test]
fn models_of_openai_have_their_encoding_by_any_of_their_names() {
    let known = [
        ("gpt-4o", O200kBase),
        ("gpt-4o-mini-2024-07-18", O200kBase),
        ("chatgpt-4o-latest", O200kBase),
        ("gpt-4.1-nano", O200kBase),
        ("gpt-5", O200kBase),
        ("gpt-5.1-codex", O200kBase),
        ("o1-preview", O200kBase),
        ("o3", O200kBase),
        ("o4-mini-deep-research", O200kBase),
        ("openai/gpt-4o", O200kBase),
        ("openrouter/openai/gpt-4.1", O200kBase),
        ("GPT-4o", O200kBase),
        ("ft:gpt-4o-mini-2024-07-18:acme::9AbC", O200kBase),
        ("gpt-4", Cl100kBase),
        ("gpt-4-turbo-2024-04-09", Cl100kBase),
        ("gpt-4-32k", Cl100kBase),
        ("gpt-3.5-turbo-0125", Cl100kBase),
        ("azure/gpt-35-turbo", Cl100kBase),
        ("ft:gpt-3.5-turbo:acme", Cl100kBase),
        ("text-embedding-3-small", Cl100kBase),
        ("davinci-002", Cl100kBase),
        ("gpt-oss-20b", O200kHarmony),
        ("gpt-oss:120b", O200kHarmony),
        ("openai.gpt-oss-120b-1:0", O200kHarmony),
        ("groq/openai/gpt-oss-120b", O200kHarmony),
        ("text-davinci-003", P50kBase),
        ("code-davinci-002", P50kBase),
        ("text-davinci-001", R50kBase),
        ("davinci:ft-acme-2023-01-01", R50kBase),
        ("gpt2", R50kBase),
    ];
    for (model, encoding) in known {
        assert_eq!(Encoding::for_model(model), Some(encoding), "{model}");
    }
}

#[test]
fn models_with_open_weights_have_their_encoding_behind_any_host() {
    use tokenbook::Encoding::{DeepseekV3, KimiK2, Qwen, Qwen35, Tekken};

    let known = [
        ("Qwen/Qwen3-235B-A22B", Qwen),
        ("qwen3", Qwen),
        ("qwen3:4b", Qwen),
        ("qwen-3-coder-480b", Qwen),
        ("Qwen/Qwen2.5-72B-Instruct-Turbo", Qwen),
        ("accounts/fireworks/models/qwen3-32b", Qwen),
        ("Qwen/QwQ-32B", Qwen),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", Qwen),
        ("qwen/qwen3.5-397b-a17b", Qwen35),
        ("Qwen/Qwen3.6-35B-A3B-FP8", Qwen35),
        ("deepseek-chat", DeepseekV3),
        ("deepseek-v4-flash", DeepseekV3),
        ("deepseek-ai/DeepSeek-V3.1", DeepseekV3),
        ("us.deepseek.r1-v1:0", DeepseekV3),
        ("deepseek/deepseek-r1:free", DeepseekV3),
        ("moonshotai/Kimi-K2-Instruct-0905:groq", KimiK2),
        ("kimi-k2.5", KimiK2),
        ("open-mistral-nemo", Tekken),
        ("mistralai/Mistral-Nemo-Instruct-2407", Tekken),
        ("mistral-small-latest", Tekken),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", Tekken),
        ("mistral-small3.1:24b", Tekken),
        ("mistral-small:24b", Tekken),
        ("mistral-medium-2508", Tekken),
        ("mistralai/mistral-medium-3.1:batch", Tekken),
        ("mistral.mistral-large-3-675b-instruct", Tekken),
        ("mistral.ministral-3-14b-instruct", Tekken),
        ("labs-devstral-small-2512", Tekken),
        ("magistral-medium-2506:thinking", Tekken),
        ("pixtral-12b-2409", Tekken),
        ("mistral-tiny-latest", Tekken),
    ];
    for (model, encoding) in known {
        assert_eq!(Encoding::for_model(model), Some(encoding), "{model}");
    }
}

#[test]
fn other_models_are_never_guessed() {
    for model in [
        "",
        "claude-3-5-sonnet",
        "gemini-2.5-pro",
        "gpt-6",
        "gpt-4.7",
        "gpt",
        "o2",
        "o10",
        "my/gpt-4o",
        "gpt-4omni",
        "llama-3",
        "qwen3-max",
        "qwen-plus",
        "qwen3-5-9b",
        "qwen4",
        "deepseek-coder",
        "deepseek-v2",
        "deepseek-r1:7b",
        "deepseek-r1-distill-llama-70b",
        "kimi-latest",
        "mistral",
        "mistral-7b-instruct-v0.3",
        "mistral.mistral-7b-instruct-v0:2",
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
        "mistral-tiny-2312",
        "mistral-small",
        "mistral-small:22b",
        "mistral-small-2402",
        "mistral-small-2409",
        "mistral-medium-2312",
        "mistral-large",
        "mistral-large-2411",
        "mistral-large2",
        "pixtral-large-2411",
        "us.mistral.pixtral-large-2502-v1:0",
        "codestral-2405",
        "codestral-latest",
        "mistral-saba-latest",
        "mistral-embed",
        "v3",
        "r1",
    ] {
        assert_eq!(Encoding::for_model(model), None, "{model}");
    }
}

#[test]
fn names_give_back_their_encoding() {
    for &encoding in Encoding::ALL {
        assert_eq!(Encoding::from_name(encoding.name()), Some(encoding));
    }
    assert!("o300k".parse::<Encoding>().is_err());
}
