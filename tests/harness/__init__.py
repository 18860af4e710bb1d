"""What the suites are made of: servers, bytes on a wire, nginx, comparisons."""
