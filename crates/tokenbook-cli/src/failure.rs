//! What went wrong, as a person reads it and as a program sees it in the exit code.

use std::fmt;
use std::process::ExitCode;

use tokenbook_wire::{Error, ErrorCode};

/// An error with a code of the core, and a hint where one helps.
#[derive(Debug)]
pub(crate) struct Failure {
    error: Error,
    hint: Option<String>,
    broken_pipe: bool,
}

impl Failure {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Error::invalid(message).into()
    }

    /// A failure of the surroundings: a file that can't be read, a full disk.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorCode::NotFound,
            std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => ErrorCode::InvalidArgument,
            _ => ErrorCode::Unavailable,
        };
        let broken_pipe = error.kind() == std::io::ErrorKind::BrokenPipe;
        Self { broken_pipe, ..Self::from(Error::new(code, format!("{what}: {error}"))) }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn is_unknown_model(&self) -> bool {
        self.error.code() == ErrorCode::UnknownModel
    }

    pub(crate) fn into_error(self) -> Error {
        self.error
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self.error.code() {
            ErrorCode::InvalidArgument => 2,
            ErrorCode::UnknownModel | ErrorCode::NotFound => 3,
            ErrorCode::Conflict => 4,
            ErrorCode::BudgetExceeded => 5,
            ErrorCode::Unavailable => 6,
            ErrorCode::CorruptData => 7,
            _ => 70,
        })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, hint: None, broken_pipe: false }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.error.message())?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}
