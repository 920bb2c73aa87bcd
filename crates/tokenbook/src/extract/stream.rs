//! Reading a stream as it comes.

use serde::Serialize;

use super::draft::Draft;
use super::framing::{Framing, Sink};
use super::{Extraction, Warning};
use crate::api::Api;
use crate::error::{Error, Result};
use crate::request::{OutputCounter, TextCount};
use crate::usage::Usage;

/// Reads a stream of any provider: raw bytes cut anywhere, or decoded events.
///
/// The framing is found out from the first byte: server-sent events, JSON values one a line or in one list, or AWS's
/// binary event stream. A stream that ends before its final usage gives what is known, marked `partial`.
///
/// ```
/// use tokenbook::Api;
/// use tokenbook::extract::StreamExtractor;
/// let mut stream = StreamExtractor::new(Api::OpenaiChat);
/// stream.push(b"data: {\"id\": \"c1\", \"choices\": [{\"delta\": {\"content\": \"h\xc3")?;
/// stream.push(b"\xb6\"}, \"finish_reason\": \"stop\"}]}\n\nda")?;
/// stream.push(b"ta: {\"choices\": [], \"usage\": {\"prompt_tokens\": 9, \"completion_tokens\": 1}}\n\ndata: [DONE]\n\n")?;
/// assert_eq!(stream.so_far().output_chars, 2);
/// let extraction = stream.finish()?;
/// assert_eq!(extraction.usage.expect("it came").total_input_tokens()?.get(), 9);
/// assert!(!extraction.partial);
/// # Ok::<(), tokenbook::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct StreamExtractor {
    framing: Framing,
    events: Events,
}

/// What a stream has told so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Progress {
    /// The usage as last stated; `None` where nothing is known yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The characters of output that came: text, thinking, and arguments of tool calls.
    pub output_chars: u64,
    /// The tokens of that output, where they are counted as they come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_counted: Option<TextCount>,
    /// The events that came.
    pub events: u64,
    /// Whether the final usage has come.
    pub is_final: bool,
}

#[derive(Debug, Clone)]
struct Events {
    draft: Draft,
    count: u64,
    fault: Option<Error>,
}

impl StreamExtractor {
    /// Starts reading a stream.
    pub fn new(api: Api) -> Self {
        let mut draft = Draft::new(api);
        draft.is_stream = true;
        Self { framing: Framing::Unknown, events: Events { draft, count: 0, fault: None } }
    }

    /// Counts the output's tokens as they come, as those of a model.
    #[must_use]
    pub fn counting(mut self, model: &str) -> Self {
        self.events.draft.counter = Some(OutputCounter::new(model));
        self
    }

    /// Takes the next bytes, cut anywhere.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when a whole event is no UTF-8 or no JSON, or
    /// an AWS message is corrupt. What else the bytes hold is still taken, so the caller may go on; the extraction then
    /// has [`Warning::UnreadableEvent`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let may_be_binary = matches!(self.events.draft.api, Api::BedrockConverse | Api::BedrockInvokeAnthropic);
        let framed = self.framing.push(bytes, may_be_binary, &mut self.events);
        if let Err(error) = framed {
            self.events.fault(error);
        }
        self.events.fault.take().map_or(Ok(()), Err)
    }

    /// Takes one decoded event: a JSON object as an SDK or an SSE reader hands it out.
    ///
    /// # Errors
    ///
    /// As [`StreamExtractor::push`].
    pub fn push_event(&mut self, event: &str) -> Result<()> {
        self.events.event(None, event.as_bytes());
        self.events.fault.take().map_or(Ok(()), Err)
    }

    /// What the stream has told so far, for a live display.
    pub fn so_far(&self) -> Progress {
        let draft = &self.events.draft;
        Progress {
            usage: draft.read_usage().ok().flatten().map(|reading| reading.usage),
            output_chars: draft.chars,
            output_counted: self.output_counted(),
            events: self.events.count,
            is_final: draft.is_final,
        }
    }

    /// The tokens of the output that came, where they are counted as they come.
    pub fn output_counted(&self) -> Option<TextCount> {
        self.events.draft.counter.as_ref().and_then(|counter| counter.total().ok())
    }

    /// The characters of output that came.
    pub fn output_chars(&self) -> u64 {
        self.events.draft.chars
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when a number is no count and when numbers
    /// contradict each other.
    pub fn finish(mut self) -> Result<Extraction> {
        // What the end cut off is no event, so that it can't be read is no fault.
        let warnings = self.events.draft.warnings.clone();
        self.framing.end(&mut self.events);
        if self.events.fault.is_some() {
            self.events.draft.warnings = warnings;
        }
        self.events.draft.finish()
    }
}

impl Events {
    fn fault(&mut self, error: Error) {
        if !self.draft.warnings.contains(&Warning::UnreadableEvent) {
            self.draft.warnings.push(Warning::UnreadableEvent);
        }
        self.fault.get_or_insert(error);
    }

    fn take(&mut self, name: Option<&str>, data: &str) -> Result<()> {
        match data.trim() {
            "" | "ping" | "heartbeat" => Ok(()),
            "[DONE]" => {
                self.draft.is_final |= self.draft.usage.is_some() && self.draft.is_chat();
                Ok(())
            }
            data if data.starts_with('"') => {
                // A list of events may hold the data of each as a text.
                let inner: String = super::json::parse(data)?;
                if inner.trim_start().starts_with('"') {
                    return Err(Error::invalid("an event is a text in a text"));
                }
                self.take(name, &inner)
            }
            data => self.draft.event(name, data),
        }
    }
}

impl Sink for Events {
    fn event(&mut self, name: Option<&str>, data: &[u8]) {
        self.count += 1;
        let number = self.count;
        let Ok(data) = std::str::from_utf8(data) else {
            self.fault(Error::invalid(format!("event {number} of the stream is no UTF-8")));
            return;
        };
        let Err(error) = self.take(name, data) else { return };
        // Some servers end a data line without the blank line that ends an event.
        if data.contains('\n') && data.lines().all(|line| self.take(name, line).is_ok()) {
            return;
        }
        self.fault(error.context(format!("event {number} of the stream")));
    }

    fn exception(&mut self, class: &str) {
        self.count += 1;
        self.draft.error = Some(class.chars().take(80).collect());
    }
}
