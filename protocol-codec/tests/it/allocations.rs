//! An allocator that counts what each thread holds, to check what decoding allocates. The fuzz
//! targets use this file too.

#![allow(unsafe_code, reason = "an allocator is unsafe by its nature; this one adds counters only")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

/// What `work` gives, and the most bytes that this thread held during it beyond what it held before.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let result = work();
    (result, usize::try_from(PEAK.get() - before).unwrap_or(0))
}

fn add(bytes: usize) {
    // A thread that is ending has no counters any more, and needs none.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes.cast_signed());
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

fn subtract(bytes: usize) {
    let _ = HELD.try_with(|held| held.set(held.get() - bytes.cast_signed()));
}

// SAFETY: every call is passed to the system's allocator unchanged, and its answer back; the
// counters are plain cells of the thread, which do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // The old and the new room may exist at the same moment.
        add(new_size);
        subtract(layout.size());
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}
