//! Floor 1: system calls.
