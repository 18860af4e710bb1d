//! What the C library does with memory that was freed.

/// Freed memory above this at the end of the heap goes back to the system.
#[cfg(target_env = "gnu")]
const TRIM_ABOVE: i32 = 4 << 20;
/// Blocks above this are mappings of their own.
#[cfg(target_env = "gnu")]
const MAP_ABOVE: i32 = 1 << 20;
/// Whoever sets one of these knows better.
#[cfg(target_env = "gnu")]
const TUNED_BY: [&str; 3] = ["MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"];

/// Keeps some megabytes of freed memory in the process.
///
/// By default glibc returns everything above 128 KiB to the system at once: the buffers of a
/// 64 KiB upload, and Python's `bytes` of it, would be given back and faulted in again for every
/// request, which costs more than the rest of it. Not for a process that is to fork.
pub fn keep_freed() {
    #[cfg(target_env = "gnu")]
    if TUNED_BY.iter().all(|name| std::env::var_os(name).is_none()) {
        // SAFETY: mallopt(3) may be called at any time; it takes the allocator's own lock.
        unsafe {
            libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_ABOVE);
            libc::mallopt(libc::M_MMAP_THRESHOLD, MAP_ABOVE);
        }
    }
}
