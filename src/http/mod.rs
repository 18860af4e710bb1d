//! Floor 0: HTTP/1.1, bytes to events. No I/O.
