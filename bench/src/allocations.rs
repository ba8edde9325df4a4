//! A global allocator that counts.

#![allow(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; this one hands every call to the system's and only counts"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What was asked of the allocator, by this thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Allocations, and reallocations that were asked for: each may be a new piece of memory.
    pub count: u64,
    /// Bytes that were asked for, never mind what was given back in between.
    pub bytes: u64,
}

impl Allocations {
    /// What has been asked for since this thread began.
    #[must_use]
    pub fn now() -> Self {
        ASKED.with(Cell::get)
    }

    /// What has been asked for since `earlier`.
    #[must_use]
    pub fn since(earlier: Self) -> Self {
        let now = Self::now();
        Self { count: now.count - earlier.count, bytes: now.bytes - earlier.bytes }
    }
}

thread_local! {
    static ASKED: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
}

fn count(bytes: usize) {
    ASKED.with(|asked| {
        let Allocations { count, bytes: before } = asked.get();
        asked.set(Allocations { count: count + 1, bytes: before + bytes as u64 });
    });
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: every call goes to `System` unchanged, which keeps the contract; counting touches a `Cell` of this thread that
// needs no allocation and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}
