//! The rules by which a model's name finds its prices.

use std::borrow::Cow;

use serde::Serialize;

use super::catalog::{Catalog, Entry, Layer};

/// The rule by which a name was found. There are no others: a name is never matched because it looks like another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// The name stands in the catalog, in any case of letters.
    Name,
    /// The name without a version of the hosting service, such as Bedrock's `-v1:0`.
    Version,
    /// The name without a date: `-20250929`, `-2025-09-29` or Vertex AI's `@20250929`.
    Date,
    /// The name without `-latest`, `@latest` or `@default`.
    Latest,
}

/// A model that was found.
#[derive(Debug, Clone)]
pub(super) struct Match<'c> {
    /// In the newest layer that names it.
    pub(super) newest: (&'c Layer, &'c Entry),
    /// In the layers below, newest first; nearly always none.
    pub(super) older: Vec<(&'c Layer, &'c Entry)>,
    pub(super) matched: Matched,
}

/// What a search without a provider found.
pub(super) enum Search<'c> {
    Found(Match<'c>),
    /// Several providers price the name and none of them makes the model.
    Several(Vec<u16>),
    Nothing,
}

/// More than one provider has the name.
struct Several;

/// Tries the rules on a name, strictest first.
fn by_rule<T>(name: &str, mut attempt: impl FnMut(&str, Matched) -> Option<T>) -> Option<T> {
    attempt(name, Matched::Name)
        .or_else(|| undated(name).and_then(|name| attempt(name, Matched::Date)))
        .or_else(|| unversioned(name).and_then(|name| attempt(name, Matched::Version)))
        .or_else(|| unversioned(name).and_then(undated).and_then(|name| attempt(name, Matched::Date)))
        .or_else(|| unaliased(name).and_then(|name| attempt(name, Matched::Latest)))
}

/// The name without a date at its end.
fn undated(name: &str) -> Option<&str> {
    let bytes = name.as_bytes();
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    let year = |text: &[u8]| digits(text) && text.starts_with(b"20");
    let compact = bytes.len().checked_sub(9).map(|at| &bytes[at..]);
    if let Some([b'-' | b'@', date @ ..]) = compact
        && year(date)
    {
        return Some(&name[..name.len() - 9]);
    }
    let dashed = bytes.len().checked_sub(11).map(|at| &bytes[at..]);
    if let Some([b'-' | b'@', y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]) = dashed
        && year(&[*y1, *y2, *y3, *y4])
        && digits(&[*m1, *m2, *d1, *d2])
    {
        return Some(&name[..name.len() - 11]);
    }
    None
}

/// The name without a version: Bedrock's `-v1:0`, `-v2:1`, `-v1` or `:0`, and Google's `-001`.
fn unversioned(name: &str) -> Option<&str> {
    if let Some((head, [b'0', b'0', b'1'..=b'9'])) = name.rsplit_once('-').map(|(head, tail)| (head, tail.as_bytes())) {
        return Some(head);
    }
    let (head, tail) = name.rsplit_once(':').map_or((name, None), |(head, tail)| (head, Some(tail)));
    if tail.is_some_and(|tail| tail.is_empty() || !tail.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let short = head
        .rsplit_once("-v")
        .filter(|(_, version)| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(head, |(head, _)| head);
    (short.len() < name.len()).then_some(short)
}

/// The name without a word for "the newest".
fn unaliased(name: &str) -> Option<&str> {
    ["-latest", "@latest", "@default"].into_iter().find_map(|alias| name.strip_suffix(alias))
}

/// The model's name at the end of a resource path: Google's `models/…` and `projects/…/models/…`, Bedrock's ARNs.
fn after_path(name: &str) -> Option<&str> {
    if name.starts_with("arn:") {
        // An application inference profile is an account's own id that names no model.
        return if name.contains(":application-inference-profile/") { None } else { Some(name.rsplit_once('/')?.1) };
    }
    let at = name.rfind("models/")?;
    let google = at == 0 || name.starts_with("publishers/") || name.starts_with("projects/");
    google.then(|| &name[at + "models/".len()..])
}

/// The name with the characters that a URL's path hides put back, for names that were read out of one.
pub(super) fn decoded(name: &str) -> Cow<'_, str> {
    const HIDDEN: [(&str, &str); 6] =
        [("%3A", ":"), ("%3a", ":"), ("%2F", "/"), ("%2f", "/"), ("%40", "@"), ("%20", " ")];
    if !name.contains('%') {
        return Cow::Borrowed(name);
    }
    Cow::Owned(HIDDEN.iter().fold(name.to_owned(), |name, (code, character)| name.replace(code, character)))
}

impl Catalog {
    /// The model of exactly this name at a provider.
    fn named(&self, provider: u16, name: &str, matched: Matched) -> Option<Match<'_>> {
        let mut found: Option<Match<'_>> = None;
        for layer in self.layers.iter().rev() {
            let mut entries = layer.index.all(name).map(|number| &layer.models[number as usize]);
            if let Some(entry) = entries.find(|entry| entry.provider == provider) {
                match &mut found {
                    Some(found) => found.older.push((layer, entry)),
                    None => found = Some(Match { newest: (layer, entry), older: Vec::new(), matched }),
                }
            }
        }
        found
    }

    /// A model at a provider, or at one whose list prices are the provider's own.
    pub(super) fn find_at(&self, provider: u16, name: &str) -> Option<Match<'_>> {
        self.find_listed(provider, name).or_else(|| {
            let like = &self.providers.list[usize::from(provider)].prices_like;
            like.iter().filter_map(|other| self.providers.find(other)).find_map(|other| self.find_listed(other, name))
        })
    }

    fn find_listed(&self, provider: u16, name: &str) -> Option<Match<'_>> {
        let here = |name: &str| by_rule(name, |name, matched| self.named(provider, name, matched));
        let unprefixed = || {
            let (prefix, rest) = name.split_once('/')?;
            (self.providers.find(prefix)? == provider).then_some(rest)
        };
        here(name).or_else(|| unprefixed().and_then(here)).or_else(|| after_path(name).and_then(here))
    }

    /// A model whose provider wasn't said.
    pub(super) fn find_anywhere(&self, name: &str) -> Search<'_> {
        if let Some((prefix, rest)) = name.split_once('/')
            && let Some(provider) = self.providers.find(prefix)
            && let Some(found) = self.find_at(provider, rest)
        {
            return Search::Found(found);
        }
        // The `@` is how Vertex AI writes a version, and nobody else does.
        if name.contains('@')
            && let Some(provider) = self.providers.find("vertex")
            && let Some(found) = self.find_at(provider, name)
        {
            return Search::Found(found);
        }
        // Whoever made the model first: a host that lists its dated name mustn't stand in for the maker's undated one.
        for makers in [true, false] {
            let mut several = false;
            let mut attempt = |name: &str, matched: Matched| {
                let sole = self.sole_provider(name, makers);
                several |= sole.is_err();
                self.named(sole.ok()??, name, matched)
            };
            let found =
                by_rule(name, &mut attempt).or_else(|| after_path(name).and_then(|name| by_rule(name, &mut attempt)));
            // A stricter rule that finds several models comes before a looser one that finds one.
            if several {
                return Search::Several(self.providers_of(name));
            }
            if let Some(found) = found {
                return Search::Found(found);
            }
        }
        Search::Nothing
    }

    /// The one provider that has the name, of the makers or of all.
    fn sole_provider(&self, name: &str, makers: bool) -> Result<Option<u16>, Several> {
        let mut sole = None;
        for layer in &self.layers {
            for number in layer.index.all(name) {
                let provider = layer.models[number as usize].provider;
                if makers && !self.providers.list[usize::from(provider)].maker {
                    continue;
                }
                match sole {
                    Some(other) if other != provider => return Err(Several),
                    _ => sole = Some(provider),
                }
            }
        }
        Ok(sole)
    }

    /// Every provider that a rule finds the name at.
    fn providers_of(&self, name: &str) -> Vec<u16> {
        let numbers = 0..u16::try_from(self.providers.list.len()).expect("fewer than 65,536 providers");
        numbers
            .filter(|provider| by_rule(name, |name, matched| self.named(*provider, name, matched)).is_some())
            .collect()
    }

    /// Names near one that wasn't found, nearest first, for people to choose from.
    pub(super) fn near(&self, provider: Option<u16>, wanted: &str) -> Vec<String> {
        /// Enough to choose from.
        const SHOWN: usize = 5;
        let wanted = wanted.rsplit('/').next().unwrap_or(wanted);
        // Longer names are nobody's typing mistake, and comparing them would cost time.
        if wanted.len() > 100 {
            return Vec::new();
        }
        let mut found: Vec<(usize, String)> = Vec::new();
        for layer in &self.layers {
            for (name, number) in layer.index.iter() {
                let entry = &layer.models[number as usize];
                let host = &self.providers.list[usize::from(entry.provider)];
                if provider.map_or(host.maker, |provider| provider == entry.provider)
                    && let Some(distance) = super::names::distance(wanted, name)
                {
                    found.push((distance, format!("{}/{name}", host.id)));
                }
            }
        }
        found.sort();
        found.dedup();
        found.truncate(SHOWN);
        found.into_iter().map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_versions_are_cut_off_and_nothing_else_is() {
        assert_eq!(undated("claude-sonnet-4-20250514"), Some("claude-sonnet-4"));
        assert_eq!(undated("claude-sonnet-4@20250514"), Some("claude-sonnet-4"));
        assert_eq!(undated("gpt-4o-2024-08-06"), Some("gpt-4o"));
        assert_eq!(undated("gpt-4-0613"), None);
        assert_eq!(undated("model-12345678"), None);
        assert_eq!(undated("é-20250101"), Some("é"));
        assert_eq!(undated("éééé"), None);
        assert_eq!(unversioned("anthropic.claude-v2:1"), Some("anthropic.claude"));
        assert_eq!(unversioned("amazon.nova-lite-v1:0"), Some("amazon.nova-lite"));
        assert_eq!(unversioned("gemini-2.0-flash-001"), Some("gemini-2.0-flash"));
        assert_eq!(unversioned("text-embedding-ada-002"), Some("text-embedding-ada"));
        assert_eq!(unversioned("llama3:latest"), None);
        assert_eq!(unversioned("o1-pro"), None);
        assert_eq!(unaliased("claude-3-5-haiku-latest"), Some("claude-3-5-haiku"));
    }

    #[test]
    fn paths_end_in_the_models_name() {
        assert_eq!(after_path("models/gemini-2.5-pro"), Some("gemini-2.5-pro"));
        assert_eq!(
            after_path("projects/p/locations/l/publishers/google/models/gemini-2.5-pro"),
            Some("gemini-2.5-pro")
        );
        assert_eq!(
            after_path("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-3-5-haiku-20241022-v1:0"),
            Some("us.anthropic.claude-3-5-haiku-20241022-v1:0")
        );
        assert_eq!(after_path("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"), None);
        assert_eq!(after_path("accounts/fireworks/models/x"), None);
    }
}
