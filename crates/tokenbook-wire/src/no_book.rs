//! What stands for a ledger where there is none.

/// The handle of an open ledger, of which there is none: the operations on it are listed and can't be run.
#[derive(Clone, Copy)]
pub(crate) enum Book {}
