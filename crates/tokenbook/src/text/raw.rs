//! The tables that the build script made, read in place: the only unsafe code of the crate.
#![expect(unsafe_code, reason = "tables are placed in the binary as bytes and viewed as words")]

use super::vocab::Tables;

/// Starts a table at a cache line.
#[repr(C, align(64))]
struct Aligned<T>(T);

macro_rules! table {
    ($kind:ty, $length:expr, $file:literal) => {{
        const BYTES: &[u8; $length * size_of::<$kind>()] = include_bytes!(concat!(env!("OUT_DIR"), $file));
        // SAFETY: the sizes are equal by the type above, and every bit pattern is a valid number.
        Aligned(unsafe { std::mem::transmute::<[u8; $length * size_of::<$kind>()], [$kind; $length]>(*BYTES) })
    }};
}

mod built {
    //! What the build script wrote.
    #![expect(clippy::unreadable_literal, reason = "written by a program")]

    use super::{Aligned, Tables};

    include!(concat!(env!("OUT_DIR"), "/tables.rs"));
}

pub(super) use built::{CL100K, CLASS, O200K, PAGES, R50K};
