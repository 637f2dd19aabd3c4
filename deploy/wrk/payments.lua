-- A new payment with each request, for `cargo xtask compare floor`; at the end one line of
-- JSON on standard output.
--
--   wrk -t1 -c64 -d10s --latency -s deploy/wrk/payments.lua http://localhost:9999

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

-- The first digits are random, because Redis spreads payments by them; the last ones count,
-- so that no id comes twice in a run. /dev/urandom keeps two runs apart.
function init()
  local source = assert(io.open("/dev/urandom", "rb"))
  local a, b, c, d = source:read(4):byte(1, 4)
  source:close()
  math.randomseed(((a * 256 + b) * 256 + c) * 128 + d % 128 + number)
  run = math.random(0, 0xfff)
  count = 0
end

-- 71 bytes, always.
local body = '{"correlationId":"%08x-%04x-4%03x-8%03x-%012x","amount":19.90}'
local head = "POST /payments HTTP/1.1\r\nHost: feeway\r\n"
  .. "Content-Type: application/json\r\nContent-Length: 71\r\n\r\n"

function request()
  count = count + 1
  local random = math.random
  return head
    .. body:format(random(0, 0x7fffffff) * 2, random(0, 0xffff), run, number % 0x1000, count)
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(
    string.format(
      '\n{"ok":%d,"failed":%d,"seconds":%.6f,"p50Us":%d,"p99Us":%d}\n',
      summary.requests - errors.status,
      failed,
      summary.duration / 1e6,
      latency:percentile(50),
      latency:percentile(99)
    )
  )
end
