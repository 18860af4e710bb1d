-- Exact counts instead of wrk's rounded report. Only done() is defined: wrk leaves its fast path,
-- a prepared request and no call into Lua per response, as soon as request() or response() exist.
function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    'WRK-SUMMARY {"requests": %d, "duration_us": %d, "non_2xx": %d, "socket_errors": %d, '
      .. '"p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
