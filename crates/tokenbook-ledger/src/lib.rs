//! A durable, exact ledger of LLM calls: records, rollups, reports. The only crate that touches a disk.
#![forbid(unsafe_code)]
