#!lua name=feeway_v1

-- Which of two texts is the newer. Every change of this file raises it, here and in
-- `library.rs`: a program replaces only functions of a lower version.
local VERSION = '9'

-- The journal of open payments, the ledger of settled ones, and the leader's lease.
--
-- Redis does not roll back: each function checks all it can before its first write. A key of
-- another type makes a command an error, so that what is only written to is read first; or what
-- makes a step done is written last, and done again it does the rest. Where neither is to be had
-- without a call more, what was written is taken back.
-- Lua's numbers are doubles: instants and amounts travel as text, HINCRBY adds, and only
-- instants (microseconds since 1970, below 2^53) are ever compared as numbers.
-- All keys share the tag {0}. What is known only once something has been read, or rarely
-- needed, is named here instead of being declared.

local CONFLICTS = '{0}:conflicts'     -- hash: id → first|record|record…
local CONFLICTED = '{0}:conflicted'   -- their lines of the ledger, once more
local PROCESSORS = '{0}:processors'   -- hash: processor:quarter of every roll-up of days
local HOURS = '{0}:hours'             -- sorted set: processor:hour of every roll-up of seconds
local REJECTIONS = '{0}:rejections'   -- sorted set: rejected ids by the time of that
local HORIZON = '{0}:horizon'         -- the oldest exact instant, a whole hour
local HORIZON_MOVED = '{0}:horizon-moved' -- when it last followed a leap of the clock
local HORIZON_RETENTION = '{0}:horizon-retention' -- the retention by which it last moved, in µs
local RESOLUTIONS = '{0}:resolutions' -- list: what operators decided, oldest first
local FREED = '{0}:freed'             -- sorted set: who left a processor, by the time of that
local RESTAMPED = '{0}:restamped'     -- sorted set: whose time is ours, by the time of that
local SETTLING_RUNS = '{0}:settling-runs' -- sorted set: runs that settled by an export, by their time
local OWNERS = '{0}:owners'           -- set: who owns open payments, or may come to own some
local GENERATION = '{0}:generation'   -- how often everything was purged
local META = '{0}:meta'               -- hash: which data this is, see `meet`
local STARTS = '{0}:starts'           -- list: `run|pulse` of each run of a server, the newest last
local RUN = '{0}:run'                 -- hash: the present life of this server

local HOUR = 3600000000

-- An id as people write it, of its bytes.
local UUID = '%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x'

-- The two digits of each byte that was met so far: to format them anew would cost an intake
-- a tenth.
local DIGITS = {}

local function digits_of(byte)
  local digits = DIGITS[byte]
  if not digits then
    digits = string.format('%02x', byte)
    DIGITS[byte] = digits
  end
  return digits
end

local function ledger_of(hour) return string.format('{0}:ledger:%.0f', hour) end
local function settled_of(id)
  local first, second = string.byte(id, 1, 2)
  return '{0}:settled:' .. digits_of(first) .. digits_of(second)
end
local function rejected_of(id)
  return string.format('{0}:rejected:' .. UUID, string.byte(id, 1, 16))
end
local function queue_of(owner) return '{0}:queue:' .. owner end
local function record_of(owner) return '{0}:owner:' .. owner end
-- What an operator's run was that settled by an export, and a hash of what it settled:
-- id → `what:requestedAt:cents|entry`, or without the last part if the payment was not open.
local function settling_run_of(run) return '{0}:settling-run:' .. run end
local function stated_of(run) return '{0}:stated:' .. run end
-- A hash of an owner: id → moves of the entry whose attempts have all ended with an answer.
local function answered_of(owner) return '{0}:answered:' .. owner end

-- What an error says, or the reply of a command that failed.
local function words_of(fault)
  return type(fault) == 'table' and (fault.err or 'an error') or tostring(fault)
end

-- The reply of a command that failed, of what may be one.
local function fault_of(reply) return type(reply) == 'table' and reply or nil end

-- The reply of one payment of several that could not be carried out for its own sake.
local function failed(fault) return 'failed ' .. words_of(fault) end

-- Whether a payment was not settled, by its reply.
local function is_refused(reply)
  return reply == 'unfit' or string.sub(reply, 1, 7) == 'failed '
end

local function check(fine, what)
  if not fine then error(what, 0) end
end

local function check_id(id) check(#id == 16, 'an id has 16 bytes') end

local function check_digits(text, what)
  if not string.find(text, '^%d+$') then error(what .. ' is not a whole number', 0) end
end

-- Microseconds since 1970 by this server's clock, as text.
local function now()
  local time = redis.call('TIME')
  return time[1] .. string.sub('00000' .. time[2], -6)
end

