//! The one error type of all tokenbook crates.

use std::collections::BTreeMap;
use std::fmt;

/// What went wrong, as far as a caller would act on it.
///
/// Codes are stable and few; messages may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Malformed input: fix the call.
    InvalidArgument,
    /// No price or encoding for the model: add an alias or a price.
    UnknownModel,
    /// No such record, budget or alert: check the id.
    NotFound,
    /// The same id with different content: nothing was written.
    Conflict,
    /// The enforcing call refused: do not send the request.
    BudgetExceeded,
    /// The store is busy or unreachable: try again later.
    Unavailable,
    /// Stored data can't be read: restore it.
    CorruptData,
    /// A bug in tokenbook: report it.
    Internal,
}

impl ErrorCode {
    /// Every code, in the order of the table in DESIGN.md.
    pub const ALL: [Self; 8] = [
        Self::InvalidArgument,
        Self::UnknownModel,
        Self::NotFound,
        Self::Conflict,
        Self::BudgetExceeded,
        Self::Unavailable,
        Self::CorruptData,
        Self::Internal,
    ];

    /// The code as every language spells it: `invalid_argument`, `unknown_model` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::UnknownModel => "unknown_model",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::BudgetExceeded => "budget_exceeded",
            Self::Unavailable => "unavailable",
            Self::CorruptData => "corrupt_data",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error: a stable [`ErrorCode`], a message for people, and details for programs.
///
/// It is one word wide, so that `Result` stays cheap on hot paths.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: ErrorCode,
    message: String,
    details: BTreeMap<&'static str, String>,
}

/// A result whose error is tokenbook's [`enum@ErrorCode`]-carrying [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error.
    #[cold]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, message: message.into(), details: BTreeMap::new() }))
    }

    /// Makes an [`ErrorCode::InvalidArgument`] error.
    #[cold]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArgument, message)
    }

    /// Adds a detail that a program may read, such as the numbers that contradict each other.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.details.insert(key, value.into());
        self
    }

    /// Puts `context` and a colon before the message, to say where in the input the fault lies.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    /// What went wrong, as far as a caller would act on it.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// The message for people, without a full stop.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Details for programs; the keys are stable.
    pub fn details(&self) -> &BTreeMap<&'static str, String> {
        &self.0.details
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}
