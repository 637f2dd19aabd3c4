-- A purge raises the generation of the data. What is acknowledged carries it, so that what fronts
-- repeat of before a purge is known. An owner's record has it too, which an intake reads anyway.
local function generation_of_data() return redis.call('GET', GENERATION) or '0' end

local function raise_generation(generation)
  local records = {}
  for _, owner in ipairs(redis.call('SMEMBERS', OWNERS)) do
    local record = record_of(owner)
    if redis.call('HLEN', record) > 0 then records[#records + 1] = record end
  end
  for _, record in ipairs(records) do redis.call('HSET', record, 'generation', generation) end
  redis.call('SET', GENERATION, generation)
end

-- Whether what is repeated was purged since it was acknowledged. Fronts of earlier versions do
-- not tell the generation.
local function is_purged(generation)
  return generation and tonumber(generation) < tonumber(generation_of_data())
end

local KINDS_OF_PAYMENTS = { settled = true, ledger = true, sum = true, rejected = true,
  answered = true, stated = true }

-- Forgets all payments that are not open.
local function forget_all()
  local cursor = '0'
  repeat
    local page = redis.call('SCAN', cursor, 'MATCH', '{0}:*', 'COUNT', 1000)
    cursor = page[1]
    for _, key in ipairs(page[2]) do
      if KINDS_OF_PAYMENTS[string.match(key, '^{0}:(%l+):')] then redis.call('UNLINK', key) end
    end
  until cursor == '0'
  redis.call('UNLINK', CONFLICTS, CONFLICTED, PROCESSORS, HOURS, REJECTIONS, HORIZON,
    HORIZON_MOVED, HORIZON_RETENTION, FREED, RESTAMPED)
end

-- Whether this run of the server has taken anything new.
local HAS_TAKEN = false

-- A purge that was answered before this server forgot it. Nothing was open then, so that all it
-- has is from before, but for what it has taken new since it was started: by fronts that knew
-- nothing of the purge and were back first. That was promised, so nothing is forgotten then.
-- keys: open; args: generation
local function restore_purge(keys, args)
  check_digits(args[1], 'the generation')
  if tonumber(args[1]) <= tonumber(generation_of_data()) then return { 'known' } end
  if HAS_TAKEN then
    return redis.error_reply('UNDONE the last purge was forgotten, and there are new payments: purge again')
  end
  raise_generation(args[1])
  forget_all()
  for _, owner in ipairs(redis.call('SMEMBERS', OWNERS)) do
    redis.call('UNLINK', queue_of(owner))
  end
  redis.call('UNLINK', keys[1])
  return { 'purged' }
end

-- A run is one life of the server. In a new one the last second may be forgotten, so that no
-- payment that is unknown is accepted, and nobody is adopted, before all who may remember have
-- repeated what was acknowledged to them: until then the run is closed. `{0}:run` has its number,
-- id, since when, whether it is open, and whether everything is on the disk before it is answered.
-- An owner's record has the number of the run in which its holder last repeated everything; fronts
-- of earlier versions leave none there and are not waited for.

-- Whether this run is open, once that is known. It is this file's own, which a new server reads
-- anew, so that an intake pays nothing for it.
local IS_OPEN = nil

-- How long a front is waited for that says nothing, in µs, as fronts have it.
local LAPSE = 5000000

-- A holder that never lives: whoever comes next adopts the owner at once.
local NOBODY = 'nobody'

-- The same of an owner that an operator has released.
local RELEASED = 'feeway-ctl'

