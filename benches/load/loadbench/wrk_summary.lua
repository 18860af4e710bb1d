-- Exact counts instead of wrk's rounded report, and a request with a body of N bytes when a number
-- follows the URL. Only init() and done() are defined: wrk leaves its fast path, a prepared request
-- and no call into Lua per response, as soon as request() or response() exist.
function init(args)
  if args[1] then
    wrk.method = "POST"
    wrk.body = string.rep("u", tonumber(args[1]))
  end
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    'WRK-SUMMARY {"requests": %d, "bytes": %d, "duration_us": %d, "non_2xx": %d, "socket_errors": %d, '
      .. '"p50_us": %d, "p99_us": %d}\n',
    summary.requests, summary.bytes, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
