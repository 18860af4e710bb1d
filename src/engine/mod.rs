//! Floor 2: the event loop that serves connections.
