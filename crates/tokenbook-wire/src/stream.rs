//! The handle of one streamed response.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use tokenbook::extract::StreamExtractor;
use tokenbook::{Api, Count, Error, Result};

use crate::{guard, text};

/// A reader of one streamed response, with JSON text for what it tells.
pub struct UsageStream {
    /// `None` once it has ended.
    stream: Mutex<Option<StreamExtractor>>,
    max_tokens: Option<Count>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Args {
    api: Api,
    max_tokens: Option<Count>,
}

impl UsageStream {
    /// Starts reading a response: `{"api": …, "max_tokens"?: …}`.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) for an unknown wire format.
    pub fn open(args: &str) -> Result<Self> {
        guard(|| {
            let args: Args = text::read(args)?;
            Ok(Self { stream: Mutex::new(Some(StreamExtractor::new(args.api))), max_tokens: args.max_tokens })
        })
    }

    /// A panic while it was held is reported by that call; the reader itself stays usable.
    fn lock(&self) -> MutexGuard<'_, Option<StreamExtractor>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next bytes, cut anywhere.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) for numbers that contradict each other, and
    /// after the end.
    pub fn push(&self, chunk: &[u8]) -> Result<()> {
        guard(|| self.lock().as_mut().ok_or_else(ended)?.push(chunk))
    }

    /// Takes the next event, decoded, as JSON text.
    ///
    /// # Errors
    ///
    /// As [`UsageStream::push`].
    pub fn push_event(&self, event: &str) -> Result<()> {
        guard(|| {
            text::shallow(event)?;
            self.lock().as_mut().ok_or_else(ended)?.push_event(event)
        })
    }

    /// What is known so far.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) after the end.
    pub fn so_far(&self) -> Result<String> {
        guard(|| text::write(&self.lock().as_ref().ok_or_else(ended)?.so_far()))
    }

    /// Ends the stream and tells what it used.
    ///
    /// # Errors
    ///
    /// As [`UsageStream::push`].
    pub fn finish(&self) -> Result<String> {
        guard(|| {
            let extraction = self.lock().take().ok_or_else(ended)?.finish()?;
            text::write(&match self.max_tokens {
                Some(max_tokens) => extraction.with_max_tokens(max_tokens),
                None => extraction,
            })
        })
    }
}

#[cold]
fn ended() -> Error {
    Error::invalid("the stream has ended")
}
