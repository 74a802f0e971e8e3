//! A hostile length never makes a decoder allocate more than a few frames' worth, measured by counting.
#![expect(unsafe_code, reason = "a global allocator can only be written with unsafe; this one forwards")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use muster_protocol::codec::decode;
use muster_protocol::frame::read_body;
use muster_protocol::limits::FRAME_MAX_BYTES;
use muster_protocol::{ToSupervisor, ToWorker};

/// Remembers the largest single request.
struct Watching;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

// One test, so that no other thread's allocations are counted.
#[test]
fn hostile_lengths_allocate_within_bounds() {
    let lengths = [1 << 20, 1 << 24, 1 << 30, 1 << 40, u64::MAX / 100, u64::MAX];
    for length in lengths {
        for index in 0..12_u32 {
            // Every eight-byte step of a short body is tried as the hostile length.
            for at in (4..60).step_by(4) {
                let mut body = vec![0_u8; 80];
                body[..4].copy_from_slice(&index.to_le_bytes());
                body[at..at + 8].copy_from_slice(&u64::to_le_bytes(length));
                let _ = decode::<ToSupervisor>(&body);
                let _ = decode::<ToWorker>(&body);
            }
        }
    }
    let decoding = LARGEST.swap(0, Ordering::Relaxed);
    assert!(decoding <= 4 * FRAME_MAX_BYTES, "{decoding} bytes for a body of 80");

    // The largest legal header and nothing behind it: memory follows the bytes, not the promise.
    let mut stream: &[u8] = &[0, 0xff, 0xff, 0xff, 1, 2, 3];
    read_body(&mut stream, &mut Vec::new()).unwrap_err();
    let reading = LARGEST.load(Ordering::Relaxed);
    assert!(reading <= 64 * 1024, "{reading} bytes for three that came");
}
