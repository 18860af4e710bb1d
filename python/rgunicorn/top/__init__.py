"""A running server as others see it: `rgunicorn top`, `rgunicorn stats`. Reads, changes nothing."""
