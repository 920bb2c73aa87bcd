//! The only unsafe code of the crate: tables placed in the binary as bytes and read as words, and vector instructions.
#![expect(
    unsafe_code,
    reason = "tables are viewed in place, and vector instructions need a promise about the processor"
)]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64 as arch;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::cache::Known;
use super::fast::Job;
use super::scan::Portable;
#[cfg(test)]
use super::scan::{Masks, Scan, Window};
#[cfg(test)]
use super::split::Pattern;
#[cfg(not(target_family = "wasm"))]
use super::vocab::Tables;

/// What the code for 64 bytes at a time is compiled with.
#[cfg(target_arch = "x86_64")]
macro_rules! features {
    ($($item:item)*) => { $(
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl,avx512vbmi")]
        $item
    )* };
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
#[cfg(all(test, target_arch = "x86_64"))]
mod emulated;

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

    use super::Aligned;
    #[cfg(not(target_family = "wasm"))]
    use super::Tables;

    include!(concat!(env!("OUT_DIR"), "/tables.rs"));
}

#[cfg(not(target_family = "wasm"))]
pub(super) use built::{CL100K, O200K, R50K};
pub(super) use built::{CLASS, PAGES, UNPRINTED};

/// Asks for the memory of an entry, if there is one with this number.
#[inline]
pub(super) fn prefetch<T>(table: &[T], number: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use arch::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch of any address changes nothing that a program can see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(table.as_ptr().wrapping_add(number).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (table, number);
}

/// A large value of zeros that takes memory only where it is used: in large pages, where there are any, so that a core
/// finds them without a look-up and the system hands them out in few steps.
pub(super) struct Zeroed<T> {
    start: NonNull<T>,
    #[cfg(target_os = "linux")]
    _map: memmap2::MmapMut,
}

impl Zeroed<Known> {
    /// The value, of a type whose zeros are valid.
    #[cfg(target_os = "linux")]
    pub(super) fn new() -> Self {
        const PAGE: usize = 1 << 21;
        let mut map = memmap2::MmapMut::map_anon(size_of::<Known>() + PAGE).expect("the system has memory");
        // Small pages do as well.
        let _ = map.advise(memmap2::Advice::HugePage);
        let start = map.as_ptr().align_offset(PAGE);
        let start = NonNull::from(&mut map[start]).cast();
        Self { start, _map: map }
    }

    /// The value, of a type whose zeros are valid.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn new() -> Self {
        use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
        let layout = Layout::new::<Known>();
        // SAFETY: the type has a size.
        let start = unsafe { alloc_zeroed(layout) };
        Self { start: NonNull::new(start.cast()).unwrap_or_else(|| handle_alloc_error(layout)) }
    }
}

#[cfg(not(target_os = "linux"))]
impl<T> Drop for Zeroed<T> {
    fn drop(&mut self) {
        // SAFETY: it was allocated so, and has nothing of its own to drop.
        unsafe { std::alloc::dealloc(self.start.as_ptr().cast(), std::alloc::Layout::new::<T>()) };
    }
}

impl<T> Deref for Zeroed<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `new` made it valid, large enough and aligned, and it is this value's own.
        unsafe { self.start.as_ref() }
    }
}

impl<T> DerefMut for Zeroed<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { self.start.as_mut() }
    }
}

// SAFETY: it owns its memory as a box does.
unsafe impl<T: Send> Send for Zeroed<T> {}

/// Instructions to count with, which this processor has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instructions(Set);

#[derive(Debug, Clone, Copy)]
enum Set {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(all(test, target_arch = "x86_64"))]
    Emulated,
}

impl Instructions {
    /// All that this processor has, the best last.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        {
            macro_rules! has {
                ($($feature:tt),*) => { $(std::arch::is_x86_feature_detected!($feature))&&* };
            }
            let avx2 = has!("avx2", "bmi1", "bmi2", "lzcnt", "popcnt");
            let avx512 = avx2 && has!("avx512f", "avx512bw", "avx512vl", "avx512vbmi");
            let own = [
                (true, Set::Portable),
                #[cfg(test)]
                (avx2, Set::Emulated),
                (avx2, Set::Avx2),
                (avx512, Set::Avx512),
            ];
            own.into_iter().filter(|&(has, _)| has).map(|(_, set)| Self(set))
        }
        #[cfg(not(target_arch = "x86_64"))]
        std::iter::once(Self(Set::Portable))
    }

    /// Counts a text.
    pub(super) fn count(self, job: &mut Job<'_>, text: &[u8]) {
        match self.0 {
            Set::Portable => job.count::<Portable>(text),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => job.count::<avx2::Avx2>(text),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => job.count::<avx512::Avx512>(text),
            #[cfg(all(test, target_arch = "x86_64"))]
            Set::Emulated => job.count::<emulated::avx512::Avx512>(text),
        }
    }

    /// Whether they are not the processor's.
    #[cfg(test)]
    pub(super) fn is_written_out(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self.0, Set::Emulated);
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// The masks of a window in a pattern.
    #[cfg(test)]
    pub(super) fn masks(self, pattern: Pattern, window: &Window) -> Masks {
        fn all<S: Scan>(pattern: Pattern, window: &Window) -> Masks {
            S::with_others(S::masks(window), pattern, window)
        }
        match self.0 {
            Set::Portable => all::<Portable>(pattern, window),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => all::<avx2::Avx2>(pattern, window),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => all::<avx512::Avx512>(pattern, window),
            #[cfg(target_arch = "x86_64")]
            Set::Emulated => all::<emulated::avx512::Avx512>(pattern, window),
        }
    }

    /// Counts many texts.
    pub(super) fn count_many(self, job: &mut Job<'_>, texts: &mut dyn Iterator<Item = &[u8]>) {
        match self.0 {
            Set::Portable => job.count_many::<Portable>(texts),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => job.count_many::<avx2::Avx2>(texts),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => job.count_many::<avx512::Avx512>(texts),
            #[cfg(all(test, target_arch = "x86_64"))]
            Set::Emulated => job.count_many::<emulated::avx512::Avx512>(texts),
        }
    }
}
