//! What models are shown around the texts of a request: one file per family.

pub(super) mod claude;
pub(super) mod gemini;
pub(super) mod open;
pub(super) mod openai;
pub(super) mod other;
