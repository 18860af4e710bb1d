-- Each request has a name: the word after `--`, and a number.
local count, word = 0, ""

function init(args)
  word = args[1]
end

function request()
  count = count + 1
  wrk.headers["X-Request-ID"] = word .. "-" .. count
  return wrk.format("GET", "/bytes/200")
end

function done(summary)
  local e = summary.errors
  io.write(string.format("counted %d %d %d\n", summary.requests, e.status,
    e.connect + e.read + e.write + e.timeout))
end
