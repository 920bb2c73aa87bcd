//! Splitting an inclusive input number into disjoint kinds.

use super::{Reading, contradiction, sum};
use crate::error::Result;
use crate::quantity::Count;
use crate::usage::TokenKind;

/// The modalities that have kinds of their own.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Modalities {
    pub(super) audio: Count,
    pub(super) image: Count,
    pub(super) video: Count,
}

/// An input number that includes everything, with its details.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Inclusive {
    pub(super) total: Count,
    pub(super) cached: Count,
    /// Tokens written to a cache, over all times to live.
    pub(super) written: Count,
    pub(super) modalities: Modalities,
    /// How many of the cached tokens are of a modality, where the provider says so.
    pub(super) cached_modalities: Option<Modalities>,
}

impl Inclusive {
    /// Sets the input kinds except the cache writes, which the caller sets by their times to live.
    ///
    /// Without a split of the cached tokens by modality, they are text as far as there is text.
    pub(super) fn split(self, into: &mut Reading) -> Result<()> {
        let Self { total, cached, written, modalities, .. } = self;
        let of = [modalities.audio, modalities.image, modalities.video];
        let numbers = [
            ("input", total),
            ("cached", cached),
            ("cache_written", written),
            ("audio", of[0]),
            ("image", of[1]),
            ("video", of[2]),
        ];
        let fault = |what| contradiction(what, &numbers);
        let used = sum([cached, written])?;
        if used > total {
            return Err(fault("more cached than input"));
        }
        let of_modality = sum(of)?;
        if of_modality > total {
            return Err(fault("more audio, image and video than input"));
        }
        let cached_of = if let Some(split) = self.cached_modalities {
            [split.audio, split.image, split.video]
        } else {
            // Text is cached first; only what then doesn't fit is of a modality.
            let mut over = sum([used, of_modality])?.get().saturating_sub(total.get()).min(cached.get());
            let mut parts = [Count::ZERO; 3];
            for (part, all) in parts.iter_mut().zip(of) {
                let taken = over.min(all.get());
                *part = Count::new(taken)?;
                over -= taken;
            }
            parts
        };
        let cached_text =
            cached.checked_sub(sum(cached_of)?).map_err(|_| fault("more cached audio, image and video than cached"))?;
        let mut rest = total;
        let mut take = |tokens: Count| -> Result<Count> {
            rest = rest.checked_sub(tokens).map_err(|_| fault("the details add up to more than the input"))?;
            Ok(tokens)
        };
        into.set(TokenKind::CacheRead, take(cached_text)?);
        take(written)?;
        let kinds = [
            (TokenKind::InputAudio, TokenKind::CacheReadAudio),
            (TokenKind::InputImage, TokenKind::CacheReadImage),
            (TokenKind::InputVideo, TokenKind::CacheReadVideo),
        ];
        for (((fresh, read), all), cached) in kinds.into_iter().zip(of).zip(cached_of) {
            let new = all.checked_sub(cached).map_err(|_| fault("more cached of a modality than there is of it"))?;
            into.set(read, take(cached)?);
            into.set(fresh, take(new)?);
        }
        into.set(TokenKind::Input, rest);
        Ok(())
    }
}

/// Sets the output kinds from an output number that includes its details.
pub(super) fn split_output(
    into: &mut Reading,
    total: Count,
    reasoning: Count,
    audio: Count,
    image: Count,
) -> Result<()> {
    let visible = total.checked_sub(sum([reasoning, audio, image])?).map_err(|_| {
        let numbers = [("output", total), ("reasoning", reasoning), ("audio", audio), ("image", image)];
        contradiction("the details add up to more than the output", &numbers)
    })?;
    into.set(TokenKind::Output, visible);
    into.set(TokenKind::Reasoning, reasoning);
    into.set(TokenKind::OutputAudio, audio);
    into.set(TokenKind::OutputImage, image);
    Ok(())
}

/// Sets the cache writes by their times to live; what of `total` no detail names has an unknown one.
pub(super) fn split_writes(into: &mut Reading, total: Option<Count>, by_ttl: &[(TokenKind, Count)]) -> Result<Count> {
    let named = sum(by_ttl.iter().map(|(_, tokens)| *tokens))?;
    let total = total.unwrap_or(named);
    let unnamed = total.checked_sub(named).map_err(|_| {
        contradiction(
            "the cache writes by time to live add up to more than all",
            &[("cache_written", total), ("by_ttl", named)],
        )
    })?;
    for (kind, tokens) in by_ttl {
        into.set(*kind, *tokens);
    }
    into.set(TokenKind::CacheWrite, unnamed);
    Ok(total)
}
