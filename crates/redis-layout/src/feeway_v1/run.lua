local function id_of_run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') .. ':'
    .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end

-- The id of this run, its number, since when it is, and 1 if it is open; nothing when nobody has
-- begun it yet. Writes nothing.
local function known_run()
  local id, known = id_of_run(), redis.call('HMGET', RUN, 'id', 'number', 'since', 'open')
  if known[1] ~= id then
    IS_OPEN = nil
    return nil
  end
  IS_OPEN = known[4] == '1'
  return known
end

-- Since when this run is known to take calls, before anybody has written that down: whoever may
-- only read asks as well, and where no front lives nobody else does.
local SEEN, SEEN_AT = nil, nil

local function seen_since(at)
  local id = id_of_run()
  if SEEN ~= id or tonumber(SEEN_AT) > tonumber(at) then SEEN, SEEN_AT = id, at end
  return SEEN_AT
end

-- Where the last run was on the disk before it was answered, nothing is forgotten.
local function begin_run(at)
  local last = redis.call('HMGET', RUN, 'number', 'always')
  local number = string.format('%.0f', tonumber(last[1] or '0') + 1)
  redis.call('HSET', RUN, 'id', id_of_run(), 'number', number, 'since', seen_since(at),
    'open', last[2] == '1' and '1' or '0')
  return known_run()
end

-- How long an owner has been silent within this run. Silence is counted from now when the clock
-- was set back behind the last beat.
local function lapsed(record, at, lapse)
  local beat = tonumber(redis.call('HGET', record, 'beat') or '0') or 0
  local here = tonumber(at)
  if beat == 0 then return true end
  if beat > here then
    redis.call('HSET', record, 'beat', at)
    return false
  end
  if IS_OPEN == nil and not known_run() then begin_run(at) end
  local since = tonumber(redis.call('HGET', RUN, 'since'))
  return here - math.max(beat, since) >= tonumber(lapse)
end

-- What is left of payments of an owner that are not open any longer. Whatever may be wrong with
-- it, it says nothing.
local function tidy(owner, ids)
  redis.pcall('ZREM', queue_of(owner), unpack(ids))
  redis.pcall('HDEL', answered_of(owner), unpack(ids))
end

-- Whether somebody may still remember what this run forgot: the holder of a record has neither
-- repeated it nor resigned nor been silent for long enough.
local function may_remember(record, run, at, lapse)
  local known = redis.call('HMGET', record, 'run', 'holder', 'beat')
  if not known[1] or known[1] == run[2] then return false end
  if known[2] == NOBODY or known[2] == RELEASED then return false end
  local beat, here = tonumber(known[3] or '0') or 0, tonumber(at)
  return beat ~= 0 and here - math.max(math.min(beat, here), tonumber(run[3])) < tonumber(lapse)
end

local function anybody_may_remember(run, at, lapse)
  for _, owner in ipairs(redis.call('SMEMBERS', OWNERS)) do
    if may_remember(record_of(owner), run, at, lapse) then return true end
  end
  return false
end

-- Finds out the run, and opens it when nobody has to be waited for any longer. Whoever calls tells
-- whether everything is on the disk before it is answered, if it knows.
local function find_run(at, lapse, always)
  local run = known_run() or begin_run(at)
  if always and redis.call('HGET', RUN, 'always') ~= always then
    redis.call('HSET', RUN, 'always', always)
  end
  -- The clock was set back.
  if tonumber(run[3]) > tonumber(at) then
    redis.call('HSET', RUN, 'since', at)
    run[3] = at
  end
  if run[4] == '1' or anybody_may_remember(run, at, lapse) then return run end
  redis.call('HSET', RUN, 'open', '1')
  return known_run()
end

-- For functions that write. Where no front lives nobody else would find that nobody remembers.
local function stays_closed()
  if not IS_OPEN then find_run(now(), LAPSE) end
  return not IS_OPEN
end

-- The number that a record gets from a front which has repeated everything in the run of this id.
local function repeated_in(run, id) return run[1] == id and run[2] or '0' end

