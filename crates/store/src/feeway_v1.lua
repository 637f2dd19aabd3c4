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

-- An entry is `owner|processor|moves|cents|acceptedAt`.
local function read_entry(entry)
  return string.match(entry, '^([^|]*)|([^|]*)|(%d+)|(%d+)|(%d+)$')
end

local function write_entry(owner, processor, moves, cents, accepted_at)
  return owner .. '|' .. processor .. '|' .. moves .. '|' .. cents .. '|' .. accepted_at
end

-- A rejection is `cents|rejectedAt|why|acceptedAt|moves`. Those of earlier versions lack the
-- last two: such a payment was accepted then at the latest.
local function read_rejected(rejected)
  local cents, at, why, accepted_at, moves =
    string.match(rejected, '^(%d+)|(%d+)|(.*)|(%d+)|(%d+)$')
  if cents then return cents, why, accepted_at, moves end
  cents, at, why = string.match(rejected, '^(%d+)|(%d+)|(.*)$')
  return cents, why, at, '0'
end

-- Whether a hold is good, and the generation of the data, if the owner's record has it.
local function held(record, holder, epoch)
  local current = redis.call('HMGET', record, 'holder', 'epoch', 'generation')
  return current[1] == holder and current[2] == epoch, current[3]
end

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

local function end_entry(open, id, entry)
  redis.call('HDEL', open, id)
  tidy(string.match(entry, '^[^|]*'), { id })
end

-- The cents an id is known with: by its open entry, its settlement or its rejection.
local function known_cents(entry, settled, rejected)
  if entry then
    local _, _, _, cents = read_entry(entry)
    return cents
  end
  if settled then return string.match(settled, ':(%d+):%d+$') end
  if rejected then return string.match(rejected, '^(%d+)|') end
  return nil
end

-- What a run did with a payment: `settled`, `undone` or `confirmed`; its time, cents, and the
-- entry that it had, or an empty text.
local function read_stated(run, id)
  local text = redis.call('HGET', stated_of(run), id)
  if not text then return nil end
  return string.match(text, '^(%a+):(%d+):(%d+)|?(.*)$')
end

-- The run that can take a payment's settlement back, the settlement as the run notes it, and the
-- entry. Almost always there are no runs.
local function settling_run_with(id)
  for _, run in ipairs(redis.call('ZRANGE', SETTLING_RUNS, 0, -1, 'REV')) do
    local what, micros, cents, entry = read_stated(run, id)
    if what == 'settled' then return run, ':' .. micros .. ':' .. cents, entry end
  end
  return nil
end

-- A processor says that it holds what a run settled: the run can take it back no longer.
local function confirm_stated(id)
  local run, settled = settling_run_with(id)
  if run then redis.call('HSET', stated_of(run), id, 'confirmed' .. settled) end
end

-- A payment that is settled is promised to a client, or was before this server forgot that. If a
-- run settled it, it is open with this entry once that is taken back. False when nothing may be
-- written and that would be needed.
local function promise_stated(id, entry, only_reads)
  local run, settled, known = settling_run_with(id)
  if not run or redis.call('EXISTS', rejected_of(id)) == 1 then return true end
  local _, _, known_moves = read_entry(known)
  local _, _, moves = read_entry(entry)
  if known_moves and tonumber(known_moves) >= tonumber(moves) then return true end
  if only_reads then return false end
  redis.call('HSET', stated_of(run), id, 'settled' .. settled .. '|' .. entry)
  return true
end

-- Promises a payment that is settled; gives back why it cannot be, if so.
local function promise_settled(id, entry, only_reads)
  local fine, promised = pcall(promise_stated, id, entry, only_reads)
  if not fine then return failed(promised) end
  return not promised and 'full' or nil
end

-- Payments that are accepted in one step, under one hold. An id that comes twice meets
-- itself. What most of them need is read once for all: together, sixteen cost Redis a
-- third of what they cost alone.
-- keys: open, owner's record, owner's queue
-- args: owner, holder, epoch, max open, then id, cents and processor (or empty) of each; and one
-- more of whoever wants to know the generation
local function accept_all(keys, args, only_reads)
  local call, try = redis.call, redis.pcall
  -- Without room nothing is to be written.
  if IS_OPEN == nil then
    if args[4] == '0' then known_run() else find_run(now(), LAPSE) end
  end
  local ids, count = {}, math.floor((#args - 4) / 3)
  for each = 1, count do
    local id = args[each * 3 + 2]
    check_id(id)
    check_digits(args[each * 3 + 3], 'cents')
    ids[each] = id
  end
  local open = call('HMGET', keys[1], unpack(ids))
  local rejections = call('ZMSCORE', REJECTIONS, unpack(ids))
  local is_held, generation = held(keys[2], args[2], args[3])
  local room = tonumber(args[4]) - call('HLEN', keys[1])
  local at = now()
  local kept, entries, places, replies = {}, {}, {}, { 'accepted', at }
  -- A number that becomes text costs a tenth of an intake, so that none does here.
  local start, last = args[1] .. '|', 0
  for each = 1, count do
    local id, cents = ids[each], args[each * 3 + 3]
    local entry = open[each] or kept[id]
    local settled = not entry and try('HGET', settled_of(id), id)
    local rejected = not (entry or settled) and rejections[each] and try('GET', rejected_of(id))
    local fault = settled and fault_of(settled) or rejected and fault_of(rejected)
    local is_new = fault or not (entry or settled or rejected)
    local known = not is_new and known_cents(entry, settled, rejected)
    local reply = 'kept'
    if fault then
      reply = failed(fault)
    elseif known == cents then
      reply = 'known ' .. (entry or '')
      if settled then
        local promised = start .. '|0|' .. cents .. '|' .. at
        reply = promise_settled(id, promised, only_reads) or reply
      end
    elseif known then
      reply = 'differs'
    elseif not is_held then
      reply = 'fenced'
    elseif not IS_OPEN then
      reply = 'closed'
    elseif last >= room * 2 then
      reply = 'full'
    else
      -- As write_entry does it, with no moves.
      entry = start .. args[each * 3 + 4] .. '|0|' .. cents .. '|' .. at
      kept[id] = entry
      places[last + 1], places[last + 2] = at, id
      entries[last + 1], entries[last + 2] = id, entry
      last = last + 2
    end
    replies[each + 2] = reply
  end
  if last > 0 then
    call('ZADD', keys[3], unpack(places))
    call('HSET', keys[1], unpack(entries))
    HAS_TAKEN = true
  end
  if #args > count * 3 + 4 then replies[count + 3] = generation or generation_of_data() end
  return replies
end

-- What is known of payments that memory is lacking for: as accept_all with room for none.
-- keys and args: those of accept_all
local function known_all(keys, args)
  args[4] = '0'
  local replies = accept_all(keys, args, true)
  for at = 3, #replies do
    if replies[at] == 'full' then replies[at] = 'no-memory' end
  end
  return replies
end

-- A hold that is repeated is of a front that has not repeated everything yet.
local function give_hold(record, holder, epoch, is_repeating)
  redis.call('HSET', record, 'holder', holder, 'epoch', epoch, 'beat', now())
  if is_repeating then redis.call('HSET', record, 'run', '0') end
end

-- An entry that was promised to a client before this server forgot it: neither the limit
-- nor the hold can take the promise back. Of two states of one entry the one with more
-- moves is the later. An entry of another lineage, which is another owner or another time of
-- acceptance, stays as it is, and is the reply to whoever knows of that.
-- keys: open, settled, rejected, owners; args: id, entry, the hold it was accepted or found
-- under: owner, holder, epoch; and the generation; and one more of whoever knows of lineages
local function restore_entry(keys, args)
  local id, entry = args[1], args[2]
  check_id(id)
  if is_purged(args[6]) then return { 'purged' } end
  local owner, _, moves, _, at = read_entry(entry)
  check(owner, 'not an entry')
  local current, settled = redis.call('HGET', keys[1], id), redis.call('HGET', keys[2], id)
  local cents = known_cents(current, settled, redis.call('GET', keys[3]))
  if current then
    local current_owner, _, current_moves, _, current_at = read_entry(current)
    if args[7] and (current_owner ~= owner or current_at ~= at) then
      return { 'other', current }
    end
    if tonumber(current_moves) >= tonumber(moves) then return { 'known' } end
  elseif cents then
    if settled then promise_stated(id, entry) end
    return { 'known' }
  else
    local record = record_of(owner)
    if redis.call('EXISTS', record) == 0 then
      -- A hold on somebody else's owner is not ours to restore: theirs is, or it lapses.
      if owner == args[3] then
        give_hold(record, args[4], args[5], args[7])
      else
        give_hold(record, owner, '0')
      end
    end
    redis.call('SADD', keys[4], owner)
    redis.call('ZADD', queue_of(owner), at, id)
  end
  redis.call('HSET', keys[1], id, entry)
  return { 'kept' }
end

-- How many runs of a server are remembered.
local STARTS_KEPT = 100

-- A front meets the data behind a new connection. Data without an identity gets the one that the
-- front brings, if the front knows none or knows that this one may have been forgotten. The pulse
-- is the time of the latest heartbeat: of each run of a server the one that it began with is kept,
-- so that a front can tell whether heartbeats are missing that were acknowledged to it.
-- keys: meta, starts; args: run, the identity that the caller expects, or brings for data that has
-- that of the third argument (empty: none), and by an adoption what is to be noted of that
local function meet(keys, args)
  check(string.find(args[1], '^[%x:]+$') and string.find(args[2], '^%x+$') and args[4],
    'a malformed meeting')
  local meta = redis.call('HMGET', keys[1], 'identity', 'made', 'pulse')
  local identity, made, at = meta[1] or '', meta[2] or '0', now()
  if identity ~= args[2] then
    if identity ~= args[3] then return { 'other', identity } end
    redis.call('HSET', keys[1], 'identity', args[2], 'instead-of', args[4], 'made', at)
    made = at
  end
  local last = redis.call('LRANGE', keys[2], -1, -1)[1]
  if not last or string.match(last, '^[^|]*') ~= args[1] then
    redis.call('RPUSH', keys[2], args[1] .. '|' .. (meta[3] or '0'))
    redis.call('LTRIM', keys[2], -STARTS_KEPT, -1)
  end
  return { 'met', made, at }
end

-- What an adopted identity stands in place of is a list, the latest last: whoever has seen any of it
-- has seen this data. It begins with this word, since all data was empty once.
local NOTHING = 'none'

-- So many adoptions are remembered.
local ADOPTIONS_KEPT = 8

local function one_adoption_more(list, identity)
  local words = {}
  for word in string.gmatch(list or NOTHING, '%S+') do words[#words + 1] = word end
  if identity ~= '' then words[#words + 1] = identity end
  return table.concat(words, ' ', math.max(#words - ADOPTIONS_KEPT, 1))
end

-- An operator says that the fronts are to go on with this data, whatever it lacks.
-- keys: meta; args: the identity that was seen (empty: none), the one that takes its place, by whom
local function adopt_store(keys, args)
  check(string.find(args[2], '^%x+$') and args[3], 'a malformed adoption')
  local meta = redis.call('HMGET', keys[1], 'identity', 'instead-of')
  local identity = meta[1] or ''
  if identity == args[2] then return { 'adopted' } end
  if identity ~= args[1] then return { 'other', identity } end
  local instead_of = one_adoption_more(meta[2] ~= '' and meta[2], identity)
  redis.call('HSET', keys[1], 'identity', args[2], 'instead-of', instead_of, 'made', now(),
    'by', args[3])
  return { 'adopted' }
end

-- A processor's whole export was found equal to the ledger of this data.
-- keys: reconciled, meta; args: processor
local function note_reconciled(keys, args)
  local identity = redis.call('HGET', keys[2], 'identity') or ''
  redis.call('HSET', keys[1], args[1], now() .. '|' .. identity)
  return { 'noted' }
end

-- A heartbeat was carried out at this time.
local function raise_pulse(at)
  local meta = redis.call('HMGET', META, 'identity', 'pulse')
  if meta[1] and tonumber(meta[2] or '0') < tonumber(at) then
    redis.call('HSET', META, 'pulse', at)
  end
end

-- A step whose caller says which data it belongs to is not carried out on any other.
local IDENTITY = 'identity:'

local function guarded(step)
  return function(keys, args)
    local last = args[#args]
    if last and string.sub(last, 1, #IDENTITY) == IDENTITY then
      args[#args] = nil
      if redis.call('HGET', META, 'identity') ~= string.sub(last, #IDENTITY + 1) then
        return redis.error_reply('ELSEWHERE this is not the data that the caller belongs to')
      end
    end
    return step(keys, args)
  end
end

-- keys: open, owner's record; args: id, moves, to, owner, holder, epoch; and one more of whoever
-- is to be told that an entry of another lineage stands, also when its own hold is lost
local function rename(keys, args)
  local id, to = args[1], args[3]
  check_id(id)
  check_digits(args[2], 'moves')
  check(to ~= '' and args[4], 'a malformed renaming')
  local entry = redis.call('HGET', keys[1], id)
  if not entry then return { 'gone' } end
  local owner, processor, moves, cents, at = read_entry(entry)
  if args[7] and owner ~= args[4] then return { 'other' } end
  local is_held, generation = held(keys[2], args[5], args[6])
  if not is_held then return { 'fenced' } end
  -- Another owner's entry: it was rejected meanwhile, and somebody reopened it.
  if owner ~= args[4] then return { 'gone' } end
  local more = string.format('%.0f', tonumber(args[2]) + 1)
  if processor ~= to or moves ~= more then
    if moves ~= args[2] then return { 'differs', processor } end
    redis.call('HSET', keys[1], id, write_entry(owner, to, more, cents, at))
  end
  return { 'named', generation or generation_of_data(), cents, at }
end

-- A renaming that was answered before this server forgot it. The attempt it allowed may
-- be under way whoever holds the entry now, so no hold is asked for; nor does it matter that a run
-- has settled the payment, since that may be taken back.
-- keys: open; args: id, moves, to, generation
local function restore_rename(keys, args)
  local id, to = args[1], args[3]
  check_id(id)
  check_digits(args[2], 'moves')
  if is_purged(args[4]) then return { 'purged' } end
  local key, start, entry = keys[1], '', redis.call('HGET', keys[1], id)
  if not entry then
    local run, settled, known = settling_run_with(id)
    if not run or known == '' then return { 'gone' } end
    key, start, entry = stated_of(run), 'settled' .. settled .. '|', known
  end
  local owner, processor, moves, cents, at = read_entry(entry)
  if tonumber(moves) > tonumber(args[2]) then return { 'differs', processor } end
  local more = string.format('%.0f', tonumber(args[2]) + 1)
  redis.call('HSET', key, id, start .. write_entry(owner, to, more, cents, at))
  return { 'named' }
end

-- Every attempt at the processor that an entry names has ended, the last one with a no. The
-- next renaming makes the note void, since the moves differ then.
-- keys: open, owner's record, owner's notes; args: id, moves, owner, holder, epoch
local function note_answered(keys, args)
  local id = args[1]
  check_id(id)
  check_digits(args[2], 'moves')
  check(args[5], 'a malformed note')
  local entry = redis.call('HGET', keys[1], id)
  if not entry then return { 'stale' } end
  local owner, _, moves = read_entry(entry)
  if not held(keys[2], args[4], args[5]) then return { 'fenced' } end
  if owner ~= args[3] then return { 'stale' } end
  if moves ~= args[2] then return { 'stale' } end
  redis.call('HSET', keys[3], id, moves)
  return { 'noted' }
end

-- A payment leaves a processor, or left it before this server forgot that. Of the same
-- payment and processor the latest counts; of all the newest are kept.
-- keys: freed; args: id, processor, ':' and cents in one; how many are kept; when it is
-- repeated the generation
local function note_freed(keys, args)
  check(string.find(args[1], '^[^:]+:%d+$', 17), 'a malformed member')
  check_digits(args[2], 'the limit')
  if is_purged(args[3]) then return { 'purged' } end
  redis.call('ZADD', keys[1], now(), args[1])
  redis.call('ZREMRANGEBYRANK', keys[1], 0, string.format('-%.0f', tonumber(args[2]) + 1))
  return { 'noted', generation_of_data() }
end

-- Who left a processor long enough ago, the oldest first, each with its time.
-- keys: freed; args: least age in µs, limit
local function freed(keys, args)
  check_digits(args[1], 'the age')
  check_digits(args[2], 'the limit')
  local latest = string.format('%.0f', tonumber(now()) - tonumber(args[1]))
  return redis.call('ZRANGEBYSCORE', keys[1], '-inf', latest, 'WITHSCORES',
    'LIMIT', 0, args[2])
end

-- keys: freed; args: member, and when it was noted as far as the caller knows
local function forget_freed(keys, args)
  check_digits(args[2], 'the time')
  local at = redis.call('ZSCORE', keys[1], args[1])
  if at and tonumber(at) == tonumber(args[2]) then redis.call('ZREM', keys[1], args[1]) end
  return { 'forgotten' }
end

-- A payment is about to be settled at another time than its processor says, or was before
-- this server forgot that. The newest are kept.
-- keys: restamped; args: `id|processor|theirs|ours`, how many are kept; when it is repeated the
-- generation
local function note_restamp(keys, args)
  check(string.find(args[1], '^[%x-]+|[^|]+|%d+|%d+$'), 'a malformed restamp')
  check_digits(args[2], 'the limit')
  if is_purged(args[3]) then return { 'purged' } end
  redis.call('ZADD', keys[1], 'NX', now(), args[1])
  redis.call('ZREMRANGEBYRANK', keys[1], 0, string.format('-%.0f', tonumber(args[2]) + 1))
  return { 'noted', generation_of_data() }
end

-- keys: look-ups; args: processor, URL, trusted (0 or 1)
local function trust_look_up(keys, args)
  check(args[3] == '0' or args[3] == '1', 'trusted or not')
  if args[3] == '1' then
    redis.call('HSET', keys[1], args[1], args[2])
  elseif redis.call('HGET', keys[1], args[1]) == args[2] then
    redis.call('HDEL', keys[1], args[1])
  end
  return { 'noted' }
end

-- keys: open, owner's record, rejected; args: id, owner, holder, epoch, why, kept for ms
local function reject(keys, args)
  local id = args[1]
  check_id(id)
  check_digits(args[6], 'the time to live')
  local entry = redis.call('HGET', keys[1], id)
  if not entry then return { 'gone' } end
  local owner, _, moves, cents, accepted_at = read_entry(entry)
  local is_held, generation = held(keys[2], args[3], args[4])
  if not is_held then return { 'fenced' } end
  -- Another owner's entry: an earlier call rejected it, and somebody reopened it since.
  if owner ~= args[2] then return { 'gone' } end
  local at = now()
  local rejected = cents .. '|' .. at .. '|' .. args[5] .. '|' .. accepted_at .. '|' .. moves
  redis.call('ZADD', REJECTIONS, at, id)
  redis.call('SET', keys[3], rejected, 'PX', args[6])
  end_entry(keys[1], id, entry)
  return { 'rejected', accepted_at, moves, generation or generation_of_data() }
end

-- A rejection that was answered before this server forgot it. If the payment was reopened
-- since, its entry, or a later rejection, has more moves.
-- keys: open, settled, rejected; args: id, cents, why, kept for ms, and as fronts of earlier
-- versions do not tell: acceptedAt, moves, generation, owner
local function restore_reject(keys, args)
  local id = args[1]
  check_id(id)
  if is_purged(args[7]) then return { 'purged' } end
  check_digits(args[2], 'cents')
  check_digits(args[4], 'the time to live')
  local entry = redis.call('HGET', keys[1], id)
  if redis.call('HEXISTS', keys[2], id) == 1 then return { 'gone' } end
  if entry and args[8] then
    local owner, _, _, _, accepted_at = read_entry(entry)
    if owner ~= args[8] or accepted_at ~= args[5] then return { 'other', entry } end
  end
  local at, lineage = now(), ''
  if args[6] then
    check_digits(args[5], 'the time of acceptance')
    check_digits(args[6], 'moves')
    local current, moves = redis.call('GET', keys[3]), '0'
    if entry then
      moves = select(3, read_entry(entry))
    elseif current then
      moves = select(4, read_rejected(current))
    end
    if tonumber(moves) > tonumber(args[6]) then return { 'gone' } end
    lineage = '|' .. args[5] .. '|' .. args[6]
  end
  redis.call('ZADD', REJECTIONS, at, id)
  redis.call('SET', keys[3], args[2] .. '|' .. at .. '|' .. args[3] .. lineage, 'PX', args[4])
  if entry then end_entry(keys[1], id, entry) end
  return { 'rejected' }
end

-- The bytes of an hour's roll-up: for each second 4 of count and 8 of cents.
local HOUR_BYTES = 3600 * 12

-- The arguments of a settlement before its payments, and of each of them.
local SETTLE_HEAD, SETTLE_EACH = 7, 5

-- The first of an hour: the roll-up of its seconds gets its whole size at once, since one that grows
-- is given twice what it needs.
local function begin_hour(keys, processor)
  redis.call('SETRANGE', keys[3], HOUR_BYTES - 1, '\0')
  local hour, quarter = string.match(keys[2], '%d+$'), string.match(keys[4], '%d+$')
  redis.call('ZADD', HOURS, hour, processor .. ':' .. hour)
  redis.call('HSETNX', PROCESSORS, processor .. ':' .. quarter, hour)
end

-- Counts some payments in the seconds of their hour and lists them in the ledger. Gives back why
-- not, if nothing was done.
local function enter(keys, args, first, last)
  local call, try, processor = redis.call, redis.pcall, args[1]
  local seconds, members = {}, {}
  for each = first, last do
    local at, second, member = SETTLE_HEAD + (each - 1) * SETTLE_EACH, #seconds, #members
    local id, micros, own = args[at + 1], args[at + 2], args[at + 3]
    seconds[second + 1], seconds[second + 2] = 'INCRBY', 'i64'
    seconds[second + 3], seconds[second + 4] = args[at + 4], own
    seconds[second + 5], seconds[second + 6] = 'INCRBY', 'u32'
    seconds[second + 7], seconds[second + 8] = args[at + 5], '1'
    members[member + 1], members[member + 2] = micros, id .. processor .. ':' .. own
  end
  local counted = try('BITFIELD', keys[3], unpack(seconds))
  if counted.err then return counted end
  local listed = try('ZADD', keys[2], unpack(members))
  if type(listed) ~= 'table' then return nil end
  for amount = 4, #seconds, 4 do seconds[amount] = '-' .. seconds[amount] end
  call('BITFIELD', keys[3], unpack(seconds))
  return listed
end

-- Counts some payments in the roll-ups and lists them in the ledger. A day's cents are the
-- largest sum: when they fit, all do. Gives back what to reply when nothing stays written,
-- because they do not, or a key has another type.
local function book(call, keys, args, first, last, cents)
  local count, why = tostring(last - first + 1), nil
  local sums = redis.pcall('BITFIELD', keys[4], 'OVERFLOW', 'FAIL',
    'INCRBY', 'i64', args[3], cents, 'INCRBY', 'i64', args[4], count,
    'INCRBY', 'i64', args[5], cents, 'INCRBY', 'i64', args[6], count)
  if sums.err then return failed(sums) end
  if sums[1] then
    if sums[4] == last - first + 1 then
      local fine, fault = pcall(begin_hour, keys, args[1])
      why = not fine and fault
    end
    why = why or enter(keys, args, first, last)
    if not why then return nil end
    call('BITFIELD', keys[4], 'INCRBY', 'i64', args[3], '-' .. cents)
  end
  call('BITFIELD', keys[4], 'INCRBY', 'i64', args[4], '-' .. count,
    'INCRBY', 'i64', args[5], '-' .. cents, 'INCRBY', 'i64', args[6], '-' .. count)
  return why and failed(why) or 'unfit'
end

-- A settlement whose hour is closed. It counts nowhere; it is put beside the payments of
-- this hour, so that its id is known for as long as theirs.
local function lay_aside(id, processor, micros, cents)
  local hour = math.floor(tonumber(now()) / HOUR)
  redis.call('ZADD', HOURS, hour, string.format('%s:%.0f', processor, hour))
  redis.call('ZADD', ledger_of(hour), micros, id .. processor .. ':' .. cents)
end

-- Lists a payment that two processors hold, once for each.
local function list_conflict(first, id, second, micros, cents)
  local processor, first_micros, first_cents = string.match(first, '^([^:]+):(%d+):(%d+):')
  redis.call('ZADD', CONFLICTED, first_micros, id .. processor .. ':' .. first_cents,
    micros, id .. second .. ':' .. cents)
end

-- Settles one payment of several, or of one, for which there is something special: it is
-- known already, its hour is closed, the sums are full, or a key has another type, which makes an
-- error. Its record is new or was there.
local function settle_apart(call, keys, args, each, is_new, record, horizon, generation)
  local at, processor = SETTLE_HEAD + (each - 1) * SETTLE_EACH, args[1]
  local id, micros, cents = args[at + 1], args[at + 2], args[at + 3]
  local function refusal()
    if not horizon then return book(call, keys, args, each, each, cents) end
    lay_aside(id, processor, micros, cents)
    return nil
  end
  if is_new then
    return refusal() or horizon and 'late ' .. horizon or 'settled ' .. generation
  end
  local first = call('HGET', settled_of(id), id)
  check(first, 'the same payment failed in this step')
  local holder = string.match(first, '^([^:]+):')
  if holder == processor then
    confirm_stated(id)
    return 'known ' .. generation
  end
  local others = call('HGET', CONFLICTS, id) or holder
  if not string.find(others, '|' .. processor .. ':', 1, true) then
    call('ZCARD', CONFLICTED)
    local refused = refusal()
    if refused then return refused end
    call('HSET', CONFLICTS, id, others .. '|' .. record)
    list_conflict(first, id, processor, micros, cents)
  end
  return 'conflict ' .. holder
end

-- A payment is settled, and its entry names another processor, which may have it as well: that
-- one is asked in a while, whoever has it in hand now.
local function look_up_later(id, processor, entry)
  local _, _, _, cents = read_entry(entry)
  redis.call('ZADD', FREED, now(), id .. processor .. ':' .. cents)
  redis.call('ZREMRANGEBYRANK', FREED, 0, '-10001')
end

-- The entries of payments that are settled, whoever's they are, and their notes. Almost
-- always there are none: the call that finds that out is 1 % of a settlement that comes alone,
-- less of one in a group, and not to be seen in `cargo bench --bench settle`.
local function end_entries(call, open, entries, ids, not_settled, holder)
  local ended = {}
  for each, entry in ipairs(entries) do
    if entry and not not_settled[each] then
      local owner, named = string.match(entry, '^([^|]*)|([^|]*)|')
      if named ~= '' and named ~= holder then look_up_later(ids[each], named, entry) end
      local of_owner = ended[owner] or {}
      of_owner[#of_owner + 1] = ids[each]
      ended[owner] = of_owner
    end
  end
  for owner, of_owner in pairs(ended) do
    call('HDEL', open, unpack(of_owner))
    tidy(owner, of_owner)
  end
end

-- Payments that one processor holds, with `requestedAt` in one hour. Eight calls, and one
-- for each: this is the busiest function, so that what can be done once is done once.
-- keys: open, ledger of the hour, sums of the hour and of the quarter, horizon
-- args: processor, fee in millionths, where cents and count are counted (in bits) of the
--       day and of the hour, the cents of all; then of each id, requestedAt, cents, and
--       where cents and count of its second are counted
local function settle_all(keys, args)
  local call, try, processor = redis.call, redis.pcall, args[1]
  local count = (#args - SETTLE_HEAD) / SETTLE_EACH
  if #keys ~= 5 or count < 1 or count % 1 ~= 0 or not tonumber(args[7]) then
    error('a malformed settlement', 0)
  end
  local ids, records = {}, {}
  for each = 1, count do
    local at = SETTLE_HEAD + (each - 1) * SETTLE_EACH
    local id, micros, cents = args[at + 1], args[at + 2], args[at + 3]
    if #id ~= 16 or not (tonumber(micros) and tonumber(cents)) then
      error('a malformed settlement', 0)
    end
    ids[each] = id
    records[each] = processor .. ':' .. micros .. ':' .. cents .. ':' .. args[2]
  end
  local entries = call('HMGET', keys[1], unpack(ids))
  local horizon, generation = unpack(call('MGET', keys[5], GENERATION))
  generation = generation or '0'
  -- A horizon is a whole hour: all of these are behind it, or none.
  if horizon and tonumber(args[SETTLE_HEAD + 2]) >= tonumber(horizon) then horizon = nil end
  local is_new, all_new, replies = {}, true, {}
  for each = 1, count do
    local id = ids[each]
    -- Not with a bucket of another type. Whoever is alone with it hears why.
    is_new[each] = try('HSETNX', settled_of(id), id, records[each]) == 1
    all_new = all_new and is_new[each]
  end
  local not_settled = {}
  if all_new and not horizon and not book(call, keys, args, 1, count, args[7]) then
    local settled = 'settled ' .. generation
    for each = 1, count do replies[each] = settled end
  else
    for each = 1, count do
      local is_done, reply = pcall(settle_apart, call, keys, args, each, is_new[each],
        records[each], horizon, generation)
      replies[each] = is_done and reply or failed(reply)
      not_settled[each] = is_refused(replies[each])
      if not_settled[each] and is_new[each] then try('HDEL', settled_of(ids[each]), ids[each]) end
    end
  end
  end_entries(call, keys[1], entries, ids, not_settled, processor)
  return replies
end

-- A settlement that was answered before this server forgot it.
-- keys: those of settle_all for one payment
-- args: those of settle_all, then the generation
local function restore_settle(keys, args)
  local settlement = SETTLE_HEAD + SETTLE_EACH
  check_digits(args[settlement + 1], 'the generation')
  if is_purged(args[settlement + 1]) then return { 'purged' } end
  return settle_all(keys, { unpack(args, 1, settlement) })
end

-- An incarnation of a program that has nothing to repeat in this run says the run's id.
-- keys: owners, owner's record, epoch; args: owner; then, as fronts of earlier versions do not
-- tell, lapse in µs, the run, and 1 if everything is on the disk before it is answered
local function enlist(keys, args)
  local owner, at = args[1], now()
  check(not string.find(owner, '|', 1, true), 'an incarnation has no bar in its name')
  local current = redis.call('HMGET', keys[2], 'holder', 'epoch')
  local epoch = current[2]
  if current[1] ~= owner then
    epoch = string.format('%.0f', redis.call('INCR', keys[3]))
  end
  redis.call('HSET', keys[2], 'holder', owner, 'epoch', epoch, 'beat', at,
    'generation', generation_of_data())
  redis.call('SADD', keys[1], owner)
  if not args[3] then return { 'enlisted', epoch } end
  local run = known_run() or begin_run(at)
  redis.call('HSET', keys[2], 'run', repeated_in(run, args[3]))
  run = find_run(at, args[2], args[4])
  return { 'enlisted', epoch, run[1], run[4] }
end

-- A list of URLs, the newest first, is one text with a space between each.
local function has_url(list, url)
  return string.find(' ' .. list .. ' ', ' ' .. url .. ' ', 1, true) ~= nil
end

local function with_url(list, url, limit)
  local urls = { url }
  for known in string.gmatch(list, '%S+') do
    if #urls < limit then urls[#urls + 1] = known end
  end
  return table.concat(urls, ' ')
end

-- The URL to which an incarnation sends payments of a processor, as it said when it enlisted.
-- Its record has ` name url name url `. Nothing when it never said any, and an empty text when
-- it has no such processor.
local function url_used(incarnation, processor)
  local sites = redis.call('HGET', record_of(incarnation), 'sites')
  if not sites then return nil end
  local _, last = string.find(sites, ' ' .. processor .. ' ', 1, true)
  return last and string.match(sites, '^%S+', last + 1) or ''
end

-- A holder that lives, but for one, and sends payments of a processor to another URL, or of
-- which nobody knows where it sends them. Whoever holds an owner sends with its own URLs.
local function other_user(owners, but_for, processor, url, at, lapse)
  for _, owner in ipairs(redis.call('SMEMBERS', owners)) do
    local holder = redis.call('HGET', record_of(owner), 'holder')
    if holder and holder ~= but_for and not lapsed(record_of(owner), at, lapse) then
      local used = url_used(holder, processor)
      if used ~= '' and used ~= url then return holder end
    end
  end
  return nil
end

-- Whoever is silent can do nothing any more, should it wake up, before it enlists again.
local function fence_silent(owners, epoch, at, lapse)
  for _, owner in ipairs(redis.call('SMEMBERS', owners)) do
    local record = record_of(owner)
    if redis.call('HGET', record, 'holder') ~= NOBODY and lapsed(record, at, lapse) then
      local next = string.format('%.0f', redis.call('INCR', epoch))
      redis.call('HSET', record, 'holder', NOBODY, 'epoch', next, 'beat', '0')
    end
  end
end

-- The arguments of an enlistment before its processors, and of each of them.
local ENLIST_HEAD, ENLIST_EACH = 4, 4

-- An incarnation comes with its processors. For one that was at another URL it has to come
-- twice, with what the first call replied. If somebody vouches for the URL, that shows which
-- known ones the vouching is about. If nobody does, nobody may live who sends elsewhere, and
-- whoever is silent is fenced; when the second call finds that nobody came or adopted since the
-- first, nobody can have named that processor, and the caller has seen that no entry does.
-- keys: owners, owner's record, epoch, urls
-- args: owner, lapse in µs, how many URLs of a processor are kept, the epoch of the earlier
--       reply or nothing; then of each processor name, URL, 1 if it is vouched for, and the
--       URLs of the earlier reply or nothing; and the last two of `enlist`
local function enlist_at(keys, args)
  local owner, lapse = args[1], args[2]
  check_digits(lapse, 'lapse')
  check_digits(args[3], 'the limit')
  local more = (#args - ENLIST_HEAD) % ENLIST_EACH
  check(more == 0 or more == 2, 'a malformed enlistment')
  local last = #args - more
  local at, is_same = now(), args[4] == (redis.call('GET', keys[3]) or '0')
  local sites, lists, names, relocated, must_fence = ' ', {}, {}, {}, false
  local is_relocating = false
  for start = ENLIST_HEAD + 1, last, ENLIST_EACH do
    local name, url, vouched, seen = unpack(args, start, start + ENLIST_EACH - 1)
    check(string.find(name, '^%S+$') and string.find(url, '^%S+$'), 'a malformed processor')
    sites = sites .. name .. ' ' .. url .. ' '
    local known = redis.call('HGET', keys[4], name)
    local list = known or url
    if known and not has_url(known, url) then
      local may_enter = seen == known
      if vouched == '1' then
        list = with_url(known, url, tonumber(args[3]))
      else
        local user = other_user(keys[1], owner, name, url, at, lapse)
        if user then return { 'in-use', name, known, user } end
        list, may_enter = url, may_enter and is_same
        must_fence = must_fence or not may_enter
      end
      is_relocating = is_relocating or vouched ~= '1'
      if not may_enter then
        relocated[#relocated + 1] = name
        relocated[#relocated + 1] = known
      end
    end
    names[#names + 1], lists[#lists + 1] = name, list
  end
  -- In a run that is closed entries that name the processor may be forgotten.
  if is_relocating and stays_closed() then return { 'closed' } end
  if #relocated > 0 then
    if must_fence then fence_silent(keys[1], keys[3], at, lapse) end
    return { 'relocated', redis.call('GET', keys[3]) or '0', relocated }
  end
  local enlistment = { owner }
  if more == 2 then enlistment = { owner, lapse, args[last + 1], args[last + 2] } end
  local enlisted = enlist({ keys[1], keys[2], keys[3] }, enlistment)
  redis.call('HSET', keys[2], 'sites', sites)
  for each, name in ipairs(names) do redis.call('HSET', keys[4], name, lists[each]) end
  return { 'enlisted', enlisted[2], lists, enlisted[3], enlisted[4] }
end

-- Open entries of one page of the journal, by the processor that they name. An entry that is
-- there all the time is on one page at least.
-- keys: open; args: cursor, entries a page
local function census(keys, args)
  check_digits(args[1], 'the cursor')
  check_digits(args[2], 'the size of a page')
  local page = redis.call('HSCAN', keys[1], args[1], 'COUNT', args[2])
  local named, reply = {}, {}
  for at = 2, #page[2], 2 do
    local _, processor = read_entry(page[2][at])
    if processor and processor ~= '' then named[processor] = (named[processor] or 0) + 1 end
  end
  for processor, count in pairs(named) do
    reply[#reply + 1] = processor
    reply[#reply + 1] = string.format('%.0f', count)
  end
  return { page[1], reply }
end

-- A hold that was given before this server forgot it; a later one stands.
-- keys: owners, owner's record, epoch; args: owner, holder, epoch; and one more of whoever knows
-- of runs
local function restore_hold(keys, args)
  check_digits(args[3], 'epoch')
  local epoch = tonumber(args[3])
  local current = tonumber(redis.call('HGET', keys[2], 'epoch') or '0')
  if current >= epoch then return { 'known' } end
  if tonumber(redis.call('GET', keys[3]) or '0') < epoch then
    redis.call('SET', keys[3], args[3])
  end
  redis.call('SADD', keys[1], args[1])
  give_hold(keys[2], args[2], args[3], args[4])
  redis.call('HSET', keys[2], 'generation', generation_of_data())
  return { 'restored' }
end

-- An incarnation that came with its processors before this server forgot it. What is known of
-- a processor by now stands if the incarnation's URL is in it.
-- keys: owners, owner's record, epoch, urls
-- args: owner, holder, epoch, then of each processor name, URL and the URLs known then; and the
-- last one of `restore_hold`
local function restore_sites(keys, args)
  local last = #args - #args % 3
  local hold = { args[1], args[2], args[3], args[last + 1] }
  local restored = restore_hold({ keys[1], keys[2], keys[3] }, hold)
  local sites = ' '
  for start = 4, last, 3 do
    local name, url, list = unpack(args, start, start + 2)
    check(list, 'a malformed enlistment')
    sites = sites .. name .. ' ' .. url .. ' '
    if not has_url(redis.call('HGET', keys[4], name) or '', url) then
      redis.call('HSET', keys[4], name, list)
    end
  end
  if redis.call('EXISTS', keys[2]) == 1 then redis.call('HSET', keys[2], 'sites', sites) end
  return restored
end

-- keys: owners, then record and queue of each hold; args: lapse in µs, then owner, holder
-- and epoch of each hold; then, as fronts of earlier versions do not tell, the run in which the
-- holder has repeated everything, and 1 if everything is on the disk before it is answered
local function beat(keys, args)
  check_digits(args[1], 'lapse')
  local at = now()
  local ours, queued, silent = {}, {}, {}
  local count, run = math.floor((#args - 1) / 3), known_run() or begin_run(at)
  local tells_run = #args == count * 3 + 3
  for hold = 1, count do
    local owner, holder, epoch = args[hold * 3 - 1], args[hold * 3], args[hold * 3 + 1]
    if held(keys[hold * 2], holder, epoch) then
      redis.call('HSET', keys[hold * 2], 'beat', at)
      if tells_run then
        redis.call('HSET', keys[hold * 2], 'run', repeated_in(run, args[#args - 1]))
      else
        redis.call('HDEL', keys[hold * 2], 'run')
      end
      ours[owner] = true
      queued[hold] = redis.call('ZCARD', keys[hold * 2 + 1])
    else
      queued[hold] = -1
    end
  end
  run = find_run(at, args[1], tells_run and args[#args] or nil)
  for _, owner in ipairs(redis.call('SMEMBERS', keys[1])) do
    if not ours[owner] and lapsed(record_of(owner), at, args[1]) then
      silent[#silent + 1] = owner
    end
  end
  raise_pulse(at)
  return { at, queued, silent, generation_of_data(), run[1], run[4] }
end

-- The id of this run, and 1 if it is open or could be: nobody may have been there yet.
local function run_state(_, _)
  local at = now()
  local run = known_run() or { id_of_run(), '', seen_since(at), '0' }
  local is_open = run[4] == '1' or not anybody_may_remember(run, at, LAPSE)
  return { run[1], is_open and '1' or '0' }
end

-- keys: owner's record; args: holder, epoch
local function resign(keys, args)
  if held(keys[1], args[1], args[2]) then redis.call('HSET', keys[1], 'beat', '0') end
  return { 'resigned' }
end

-- keys: owners, owner's record, epoch; args: owner, holder, lapse in µs
local function adopt(keys, args)
  check_digits(args[3], 'lapse')
  if stays_closed() then return { 'closed' } end
  if redis.call('SISMEMBER', keys[1], args[1]) == 0 then return { 'refused' } end
  local at = now()
  if not lapsed(keys[2], at, args[3]) then return { 'refused' } end
  local epoch = string.format('%.0f', redis.call('INCR', keys[3]))
  redis.call('HSET', keys[2], 'holder', args[2], 'epoch', epoch, 'beat', at,
    'generation', generation_of_data())
  return { 'adopted', epoch }
end

-- Whether an entry is as an operator saw it, and its holder has not been heard of since and
-- is silent. Seen are: entry, holder, epoch, beat; then lapse in µs.
local function abandoned(entry, record, seen, at)
  local current = redis.call('HMGET', record, 'holder', 'epoch', 'beat')
  return entry == seen[1] and (current[1] or '') == seen[2]
    and (current[2] or '') == seen[3] and (current[3] or '0') == seen[4]
    and lapsed(record, at, seen[5])
end

-- This life of the server. What was answered in an earlier one may be forgotten.
local LIFE = nil

local function life()
  LIFE = LIFE or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  return LIFE
end

-- An order to stand back is `token|at|by`. What fronts confirm has the run in it, so that a
-- confirmation counts only where nothing can have been forgotten since. Of one that has ended
-- `-token` stays, which reads as no order.
local function read_stand_back(text)
  local token, at, by = string.match(text, '^([^|]*)|(%d+)|(.*)$')
  return token and token .. '@' .. life(), at, by
end

local function token_of(stand_backs, processor)
  local text = redis.call('HGET', stand_backs, processor)
  return text and read_stand_back(text)
end

-- What the next order builds on: `token` of one in force, `-token` of one that has ended. Without
-- the run, so that an order of before a restart can be given anew.
local function last_of(stand_backs, processor)
  local text = redis.call('HGET', stand_backs, processor)
  return text and string.match(text, '^[^|]*') or nil
end

-- keys: stand-back; replies processor, token, time and name of each order
local function stand_backs(keys, _)
  local all, found = redis.call('HGETALL', keys[1]), {}
  for at = 1, #all, 2 do
    local token, given_at, by = read_stand_back(all[at + 1])
    if token then
      local last = #found
      found[last + 1], found[last + 2] = all[at], token
      found[last + 3], found[last + 4] = given_at, by
    end
  end
  return found
end

-- keys: stand-back; args: processor
local function last_stand_back(keys, args)
  local last = last_of(keys[1], args[1])
  return last and { 'last', last } or { 'none' }
end

-- An order builds on the last one. So a call that arrives when its caller has given up does
-- nothing once somebody else has given an order or ended one.
-- keys: stand-back; args: processor, token, by, and the last order unless there never was one
local function stand_back(keys, args)
  check(string.find(args[2], '^[^%-|@][^|@]*$') and args[3], 'a malformed order')
  local last = last_of(keys[1], args[1])
  if last ~= args[2] then
    if last ~= args[4] then return { 'other' } end
    redis.call('HSET', keys[1], args[1], args[2] .. '|' .. now() .. '|' .. args[3])
  end
  return { 'ordered', read_stand_back(redis.call('HGET', keys[1], args[1])) }
end

-- An order of before a restart is still the same one: whoever wants it ended means this one.
-- keys: stand-back; args: processor, token as it was read
local function end_stand_back(keys, args)
  local token, last = string.match(args[2], '^([^|@]+)@'), last_of(keys[1], args[1])
  if not token then return { 'other' } end
  local mark = '-' .. token
  if last ~= token and last ~= mark then return { 'other' } end
  redis.call('HSET', keys[1], args[1], mark)
  return { 'ended' }
end

-- A confirmation stands in the front's record of its own payments, with the epoch of its hold:
-- it is void for whoever gets that record later.
local function confirmation(processor) return 'back:' .. processor end

-- keys: stand-back, owner's record; args: processor, token, holder, epoch
local function confirm_stand_back(keys, args)
  check(args[4], 'a malformed confirmation')
  if not held(keys[2], args[3], args[4]) then return { 'fenced' } end
  if token_of(keys[1], args[1]) ~= args[2] then return { 'stale' } end
  redis.call('HSET', keys[2], confirmation(args[1]), args[2] .. ' ' .. args[4])
  return { 'confirmed' }
end

-- Whether a front has confirmed that it stands back, under its present hold of its own payments.
local function has_confirmed(front, processor, token)
  local own = redis.call('HMGET', record_of(front), 'holder', 'epoch', confirmation(processor))
  return own[1] == front and own[2] and own[3] == token .. ' ' .. own[2]
end

-- Whether nobody lives but for those who have confirmed this token of the order to stand back
-- from a processor; without a token, whether nobody lives.
local function nobody_sends(keys, processor, token, at, lapse)
  if token ~= '' and token_of(keys.stand_backs, processor) ~= token then return false end
  for _, owner in ipairs(redis.call('SMEMBERS', keys.owners)) do
    local record = record_of(owner)
    if not lapsed(record, at, lapse) then
      local living = redis.call('HGET', record, 'holder')
      local stands_back = token ~= '' and living and has_confirmed(living, processor, token)
      if not stands_back then return false end
    end
  end
  return true
end

-- Whether the order to stand back has this token, all who live have confirmed it, and so has
-- whoever has an owner's entries in hand, living or not.
local function all_stand_back(keys, owner, processor, token, at, lapse)
  local holder = redis.call('HGET', record_of(owner), 'holder')
  return holder and has_confirmed(holder, processor, token)
    and nobody_sends(keys, processor, token, at, lapse)
end

-- keys: owners; replies the time, then of each owner its name, how many payments it has open,
-- and the fields of its record
local function fronts(keys, _)
  local found = { now() }
  for _, owner in ipairs(redis.call('SMEMBERS', keys[1])) do
    found[#found + 1] = {
      owner, tostring(redis.call('ZCARD', queue_of(owner))),
      unpack(redis.call('HGETALL', record_of(owner))),
    }
  end
  return found
end

-- A resolution is `at|id|cents|processor|requestedAt|fee|by`; without the two in the middle
-- the processor does not hold the payment. Without a processor it is a reopening, and why the
-- payment was rejected stands in the place of `requestedAt`.
local function note_resolution(at, resolution, limit)
  redis.call('RPUSH', RESOLUTIONS, at .. '|' .. resolution)
  redis.call('LTRIM', RESOLUTIONS, '-' .. limit, -1)
end

-- Nothing is decided that cannot be recorded.
local function check_resolutions() redis.call('LRANGE', RESOLUTIONS, 0, 0) end

-- The reply to an operator's yes about a payment that is not open: the same yes may be in the
-- ledger already.
local function settled_before(id, processor)
  local settled = redis.call('HGET', settled_of(id), id)
  local same = settled and string.match(settled, '^[^:]+') == processor
  return { same and 'known' or 'gone' }
end

-- Settles one payment by an operator's word, and records that.
-- keys, args: those of settle_all for one payment, and whatever comes after them
local function settle_by_word(keys, args, at, resolution, limit)
  local settlement = SETTLE_HEAD + SETTLE_EACH
  check_resolutions()
  local replies = settle_all({ unpack(keys, 1, 5) }, { unpack(args, 1, settlement) })
  if not is_refused(replies[1]) then note_resolution(at, resolution, limit) end
  return replies
end

local function one_more(moves) return string.format('%.0f', tonumber(moves) + 1) end

-- The reply to an operator's no about an entry that names no processor: the same no may have
-- let it go already.
local function released_before(entry, seen)
  local owner, _, moves, cents, accepted_at = read_entry(seen)
  local same = entry == write_entry(owner, '', one_more(moves), cents, accepted_at)
  return { same and 'released' or 'unnamed' }
end

-- Lets a payment go by an operator's word, and records that.
local function release_by_word(open, id, entry, at, resolution, limit)
  local owner, _, moves, cents, accepted_at = read_entry(entry)
  note_resolution(at, resolution, limit)
  redis.call('HSET', open, id, write_entry(owner, '', one_more(moves), cents, accepted_at))
  return { 'released' }
end

-- An operator vouches that the processor which an entry names holds the payment.
-- keys: those of settle_all for one payment, then owner's record
-- args: those of settle_all, then what was seen, the resolution, and how many are kept
local function resolve_held(keys, args)
  local id, at = args[SETTLE_HEAD + 1], now()
  local settlement = SETTLE_HEAD + SETTLE_EACH
  check_id(id)
  check_digits(args[settlement + 5], 'lapse')
  check_digits(args[settlement + 7], 'the limit')
  if stays_closed() then return { 'closed' } end
  local entry = redis.call('HGET', keys[1], id)
  if not entry then return settled_before(id, args[1]) end
  local _, processor = read_entry(entry)
  if processor == '' then return { 'unnamed' } end
  local seen = { unpack(args, settlement + 1, settlement + 5) }
  if processor ~= args[1] or not abandoned(entry, keys[6], seen, at) then
    return { 'changed' }
  end
  return settle_by_word(keys, args, at, args[settlement + 6], args[settlement + 7])
end

-- An operator vouches that the processor which an entry names will never take the payment.
-- The owner gets a new epoch under a holder that does not live: whoever held it is fenced,
-- and whoever comes next adopts it at once.
-- keys: open, owner's record, owners, epoch
-- args: id, what was seen, the resolution, and how many are kept
local function resolve_not_held(keys, args)
  local id, at = args[1], now()
  check_id(id)
  check(read_entry(args[2]), 'not an entry')
  check_digits(args[6], 'lapse')
  check_digits(args[8], 'the limit')
  if stays_closed() then return { 'closed' } end
  local entry = redis.call('HGET', keys[1], id)
  if not entry then return { 'gone' } end
  local owner, processor = read_entry(entry)
  if processor == '' then return released_before(entry, args[2]) end
  if not abandoned(entry, keys[2], { unpack(args, 2, 6) }, at) then return { 'changed' } end
  local epoch = string.format('%.0f', redis.call('INCR', keys[4]))
  redis.call('HSET', keys[2], 'holder', 'feeway-ctl', 'epoch', epoch, 'beat', '0')
  redis.call('SADD', keys[3], owner)
  return release_by_word(keys[1], id, entry, at, args[7], args[8])
end

-- An operator takes a rejection back. The owner is one of this decision alone, whose holder
-- does not live, so that whoever beats next adopts it. Of several payments that are reopened
-- together the first may have been adopted already: then its holder finds the others. The
-- entry has more moves than it ever had, so that what is repeated of before changes nothing.
-- keys: open, settled, rejected, owners, epoch, owner's record, owner's queue
-- args: id, owner, by whom, and how many resolutions are kept
local function reopen(keys, args)
  local id, owner, at = args[1], args[2], now()
  check_id(id)
  check(string.find(owner, '^[^|]+$') and args[3], 'a malformed reopening')
  check_digits(args[4], 'the limit')
  if stays_closed() then return { 'closed' } end
  local entry = redis.call('HGET', keys[1], id)
  if entry then
    local current = read_entry(entry)
    return { current == owner and 'reopened' or 'open' }
  end
  if redis.call('HEXISTS', keys[2], id) == 1 then return { 'settled' } end
  local rejected = redis.call('GET', keys[3])
  if not rejected then return { 'unknown' } end
  local cents, why, accepted_at, moves = read_rejected(rejected)
  check(cents, 'not a rejection')
  check_resolutions()
  redis.call('ZSCORE', REJECTIONS, id)
  if redis.call('EXISTS', keys[6]) == 0 then
    local epoch = string.format('%.0f', redis.call('INCR', keys[5]))
    redis.call('HSET', keys[6], 'holder', 'feeway-ctl', 'epoch', epoch, 'beat', '0')
  end
  redis.call('SADD', keys[4], owner)
  redis.call('ZADD', keys[7], accepted_at, id)
  redis.call('HSET', keys[1], id, write_entry(owner, '', one_more(moves), cents, accepted_at))
  redis.call('DEL', keys[3])
  redis.call('ZREM', REJECTIONS, id)
  HAS_TAKEN = true
  local text = string.format(UUID, string.byte(id, 1, 16))
  why = string.gsub(why, '|', '/')
  note_resolution(at, text .. '|' .. cents .. '||' .. why .. '||' .. args[3], args[4])
  return { 'reopened' }
end

-- As resolve_held, while the fronts live and all stand back from the processor.
-- keys: those of settle_all for one payment, then stand-back, owners
-- args: those of settle_all, then the entry as seen, token, lapse, the resolution, and how
-- many are kept
local function decide_held(keys, args)
  local id, at = args[SETTLE_HEAD + 1], now()
  local settlement = SETTLE_HEAD + SETTLE_EACH
  check_id(id)
  check_digits(args[settlement + 3], 'lapse')
  check_digits(args[settlement + 5], 'the limit')
  if stays_closed() then return { 'closed' } end
  local entry = redis.call('HGET', keys[1], id)
  if not entry then return settled_before(id, args[1]) end
  local owner, processor = read_entry(entry)
  if processor == '' then return { 'unnamed' } end
  local seen, token, lapse = unpack(args, settlement + 1, settlement + 3)
  local proof = { stand_backs = keys[6], owners = keys[7] }
  if processor ~= args[1] or entry ~= seen
    or not all_stand_back(proof, owner, processor, token, at, lapse) then
    return { 'changed' }
  end
  return settle_by_word(keys, args, at, args[settlement + 4], args[settlement + 5])
end

-- As resolve_not_held, while the fronts live and all stand back from the processor. The hold
-- stays good: whoever has it has nothing of this payment in hand, and what it still believes of
-- the entry fails by its moves.
-- keys: open, stand-back, owners
-- args: id, the entry as seen, token, lapse, the resolution, and how many are kept
local function decide_not_held(keys, args)
  local id, at = args[1], now()
  check_id(id)
  check(read_entry(args[2]), 'not an entry')
  check_digits(args[4], 'lapse')
  check_digits(args[6], 'the limit')
  if stays_closed() then return { 'closed' } end
  local entry = redis.call('HGET', keys[1], id)
  if not entry then return { 'gone' } end
  local owner, processor = read_entry(entry)
  if processor == '' then return released_before(entry, args[2]) end
  local proof = { stand_backs = keys[2], owners = keys[3] }
  if entry ~= args[2] or not all_stand_back(proof, owner, processor, args[3], at, args[4]) then
    return { 'changed' }
  end
  return release_by_word(keys[1], id, entry, at, args[5], args[6])
end

-- The processor that holds a payment if another one does, and whether this one does.
local function holders(id, processor)
  local first = redis.call('HGET', settled_of(id), id)
  if not first then return nil, false end
  local holder = string.match(first, '^([^:]+):')
  local others = redis.call('HGET', CONFLICTS, id) or ''
  local is_second = string.find(others, '|' .. processor .. ':', 1, true) ~= nil
  return holder ~= processor and holder or nil, holder == processor or is_second
end

-- When a payment that is not settled was accepted, as far as that is known: a rejection of an
-- earlier version does not tell.
local function acceptance_of(entry, rejected)
  if entry then return select(5, read_entry(entry)) end
  return rejected and string.match(rejected, '^%d+|%d+|.*|(%d+)|%d+$')
end

-- The arguments that tell of a run, from the first of them: the run, its file, by whom, how many
-- payments are expected, and how many ids and runs are kept.
local function read_run(args, first)
  local run, file, by, expected, ids, runs = unpack(args, first, first + 5)
  check(string.find(run, '^%x+$') and by, 'a malformed run')
  check_digits(expected, 'what is expected')
  check_digits(ids, 'the limit of ids')
  check_digits(runs, 'the limit of runs')
  return {
    name = run, file = file, by = by,
    expected = tonumber(expected), ids = tonumber(ids), runs = tonumber(runs),
  }
end

-- Begins the record of a run, unless it has begun; gives back whether it did. The oldest runs make
-- room: the ids go first.
local function begin_run(run, at, processor, fee)
  local key = settling_run_of(run.name)
  if redis.call('HEXISTS', key, 'at') == 1 then return false end
  local room = run.ids - run.expected
  for each, other in ipairs(redis.call('ZRANGE', SETTLING_RUNS, 0, -1, 'REV')) do
    room = room - redis.call('HLEN', stated_of(other))
    if room < 0 or each >= run.runs then redis.call('UNLINK', stated_of(other)) end
    if each >= run.runs then
      redis.call('UNLINK', settling_run_of(other))
      redis.call('ZREM', SETTLING_RUNS, other)
    end
  end
  redis.call('ZADD', SETTLING_RUNS, at, run.name)
  redis.call('HSET', key, 'at', at, 'processor', processor, 'fee', fee, 'file', run.file,
    'by', run.by, 'count', '0', 'cents', '0')
  return true
end

-- Settles a payment by an operator's word, and records it with its run.
-- keys, args: those of settle_all for one payment
local function settle_in_run(keys, args, run, at)
  local id, micros, cents = unpack(args, SETTLE_HEAD + 1, SETTLE_HEAD + 3)
  local entry = redis.call('HGET', keys[1], id)
  local has_begun = begin_run(run, at, args[1], args[2])
  local replies = settle_all(keys, args)
  local key = settling_run_of(run.name)
  if string.match(replies[1], '^%a+') == 'settled' then
    local stated = 'settled:' .. micros .. ':' .. cents .. (entry and '|' .. entry or '')
    redis.call('HSET', stated_of(run.name), id, stated)
    redis.call('HINCRBY', key, 'count', 1)
    redis.call('HINCRBY', key, 'cents', cents)
  elseif has_begun then
    redis.call('UNLINK', key)
    redis.call('ZREM', SETTLING_RUNS, run.name)
  end
  return replies
end

-- Settles a payment that a processor's export has and the ledger has not, by an operator's
-- word. Whatever may be wrong with that word makes it do nothing. A run settles a payment once,
-- also when that was taken back before the run heard of it.
-- keys: those of settle_all for one payment, then stand-back, owners
-- args: those of settle_all, then the token of the order to stand back or nothing, lapse, by
-- how much the processor's clock may be off, in µs, and the run, which those of earlier versions
-- do not tell
local function settle_stated(keys, args)
  local settlement, processor = SETTLE_HEAD + SETTLE_EACH, args[1]
  local id, micros, cents = unpack(args, SETTLE_HEAD + 1, SETTLE_HEAD + 3)
  local token, lapse, slip = unpack(args, settlement + 1, settlement + 3)
  check_id(id)
  check_digits(lapse, 'lapse')
  check_digits(slip, 'the slip of the clocks')
  if stays_closed() then return { 'closed' } end
  local at, run = now(), args[settlement + 4] and read_run(args, settlement + 4)
  if run and read_stated(run.name, id) then return { 'settled ' .. generation_of_data() } end
  local other, is_known = holders(id, processor)
  if is_known then return { 'known' } end
  if other then return { 'elsewhere', other } end
  if not nobody_sends({ stand_backs = keys[6], owners = keys[7] }, processor, token, at, lapse) then
    return { 'changed' }
  end
  local entry, rejected = redis.call('HGET', keys[1], id), redis.call('GET', rejected_of(id))
  local known = known_cents(entry, nil, rejected)
  if known and known ~= cents then return { 'differs', known } end
  local instant, accepted_at = tonumber(micros), acceptance_of(entry, rejected)
  if instant > tonumber(at) + tonumber(slip)
    or accepted_at and instant < tonumber(accepted_at) - tonumber(slip) then
    return { 'impossible' }
  end
  local horizon = redis.call('GET', keys[5]) or '0'
  if instant < tonumber(horizon) then return { 'late', horizon } end
  HAS_TAKEN = true
  local settle_keys, settle_args = { unpack(keys, 1, 5) }, { unpack(args, 1, settlement) }
  if not run then return settle_all(settle_keys, settle_args) end
  return settle_in_run(settle_keys, settle_args, run, at)
end

-- A settlement of a run that was answered before this server forgot it.
-- keys: those of settle_all for one payment
-- args: those of settle_all, then the run and the generation
local function restore_stated(keys, args)
  local settlement = SETTLE_HEAD + SETTLE_EACH
  local run = read_run(args, settlement + 1)
  if is_purged(args[settlement + 7]) then return { 'purged' } end
  if read_stated(run.name, args[SETTLE_HEAD + 1]) then return { 'known' } end
  return settle_in_run(keys, { unpack(args, 1, settlement) }, run, now())
end

-- Opens a payment again as it was, under an owner that waits for an adopter.
local function open_again(keys, id, entry, owner)
  local _, processor, moves, cents, accepted_at = read_entry(entry)
  local record = record_of(owner)
  if redis.call('EXISTS', record) == 0 then
    local epoch = string.format('%.0f', redis.call('INCR', keys.epoch))
    redis.call('HSET', record, 'holder', 'feeway-ctl', 'epoch', epoch, 'beat', '0')
  end
  redis.call('SADD', keys.owners, owner)
  redis.call('ZADD', queue_of(owner), accepted_at, id)
  local again = write_entry(owner, processor, one_more(moves), cents, accepted_at)
  redis.call('HSET', keys.open, id, again)
  HAS_TAKEN = true
end

-- Whether a payment may be in the sums at the places where it would have been counted.
local function is_counted(keys, args)
  local days = redis.call('BITFIELD', keys[4], 'GET', 'i64', args[4], 'GET', 'i64', args[6])
  local second = redis.call('BITFIELD', keys[3], 'GET', 'u32', args[SETTLE_HEAD + 5])
  return days[1] > 0 and days[2] > 0 and second[1] > 0
end

-- Takes a payment out of the ledger and of every sum that `book` has put it into. Gives back how
-- many are left in its hour.
local function take_out(keys, args)
  local id, _, cents, second_cents, second_count =
    unpack(args, SETTLE_HEAD + 1, SETTLE_HEAD + SETTLE_EACH)
  local left = redis.call('BITFIELD', keys[4],
    'INCRBY', 'i64', args[3], '-' .. cents, 'INCRBY', 'i64', args[4], '-1',
    'INCRBY', 'i64', args[5], '-' .. cents, 'INCRBY', 'i64', args[6], '-1')
  redis.call('BITFIELD', keys[3], 'INCRBY', 'i64', second_cents, '-' .. cents,
    'INCRBY', 'u32', second_count, '-1')
  redis.call('ZREM', keys[2], id .. args[1] .. ':' .. cents)
  redis.call('HDEL', settled_of(id), id)
  return left[4]
end

-- Leaves nothing of an hour in which nothing of a processor counts any longer, and nothing of its
-- quarter either if that goes for all of it.
local function clear_hour(keys, processor)
  local hour, quarter = string.match(keys[2], '%d+$'), string.match(keys[4], '%d+$')
  redis.call('DEL', keys[3])
  -- What was laid aside there is found by the hour.
  if redis.call('EXISTS', keys[2]) == 0 then
    redis.call('ZREM', HOURS, processor .. ':' .. hour)
  end
  local days = redis.call('GET', keys[4])
  if days == string.rep('\0', #days) then
    redis.call('DEL', keys[4])
    redis.call('HDEL', PROCESSORS, processor .. ':' .. quarter)
  end
end

-- Takes a settlement of a run back, if nothing else has touched the payment since. It is asked for
-- the very record that the run wrote.
-- keys: those of settle_all for one payment, then owners, epoch
-- args: those of settle_all, then the run, the owner of what is open again, by whom
local function undo_stated(keys, args)
  local settlement, processor = SETTLE_HEAD + SETTLE_EACH, args[1]
  local id, micros, cents = unpack(args, SETTLE_HEAD + 1, SETTLE_HEAD + 3)
  local run, owner, by = unpack(args, settlement + 1, settlement + 3)
  check_id(id)
  check(string.find(owner, '^[^|]+$') and by, 'a malformed undo')
  local key = settling_run_of(run)
  local state, was_micros, was_cents, entry = read_stated(run, id)
  if not state or redis.call('HEXISTS', key, 'at') == 0 then return { 'unknown' } end
  if state ~= 'settled' then return { state } end
  if redis.call('HEXISTS', CONFLICTS, id) == 1 then return { 'conflict' } end
  if tonumber(micros) < tonumber(redis.call('GET', keys[5]) or '0') then return { 'late' } end
  local record = processor .. ':' .. micros .. ':' .. cents .. ':' .. args[2]
  if was_micros ~= micros or was_cents ~= cents
    or redis.call('HGET', settled_of(id), id) ~= record
    or not redis.call('ZSCORE', keys[2], id .. processor .. ':' .. cents)
    or not is_counted(keys, args) then
    return { 'changed' }
  end
  if entry ~= '' then
    open_again({ open = keys[1], owners = keys[6], epoch = keys[7] }, id, entry, owner)
  end
  local left = take_out(keys, args)
  redis.call('HSET', stated_of(run), id, 'undone:' .. micros .. ':' .. cents)
  redis.call('HSET', key, 'undone-at', now(), 'undone-by', by)
  redis.call('HINCRBY', key, 'undone-count', 1)
  redis.call('HINCRBY', key, 'undone-cents', cents)
  if left == 0 then clear_hour(keys, processor) end
  return { 'undone' }
end

-- Replies of each run, oldest first, its name, how many of its ids are kept, and the fields of
-- its record.
-- keys: settling runs
local function settling_runs(keys, _)
  local found = {}
  for _, run in ipairs(redis.call('ZRANGE', keys[1], 0, -1)) do
    found[#found + 1] = {
      run, tostring(redis.call('HLEN', stated_of(run))),
      unpack(redis.call('HGETALL', settling_run_of(run))),
    }
  end
  return found
end

-- Forgets what runs settled that are older than all that can be taken back.
local function forget_stated(before)
  for _, run in ipairs(redis.call('ZRANGEBYSCORE', SETTLING_RUNS, '-inf', before)) do
    redis.call('UNLINK', stated_of(run))
  end
end

-- The fees of its processors, as the front that came last has them.
-- keys: fees; args: processor and fee in millionths of each
local function tell_fees(keys, args)
  check(#args % 2 == 0, 'malformed fees')
  for each = 2, #args, 2 do check_digits(args[each], 'a fee') end
  for each = 1, #args, 2 do redis.call('HSET', keys[1], args[each], args[each + 1]) end
  return { 'told' }
end

-- keys: owners, owner's record, owner's queue; args: owner, holder, epoch
local function discharge(keys, args)
  if stays_closed() then return { 'closed' } end
  if redis.call('ZCARD', keys[3]) > 0 then return { 'kept' } end
  if redis.call('EXISTS', keys[2]) == 1 and not held(keys[2], args[2], args[3]) then
    return { 'kept' }
  end
  redis.call('SREM', keys[1], args[1])
  redis.call('DEL', keys[2], answered_of(args[1]))
  return { 'discharged' }
end

-- Several reads of one moment, and the time. MULTI would do, but Redis 7.0 refuses it at
-- maxmemory.
-- keys: of each read its key; args: of each its command, how many arguments follow, and those
local function read_together(keys, args)
  local replies, at = {}, 1
  for each, key in ipairs(keys) do
    local last = at + 1 + tonumber(args[at + 1])
    replies[each] = redis.call(args[at], key, unpack(args, at + 2, last))
    at = last + 1
  end
  replies[#keys + 1] = now()
  return replies
end

-- What is called here and by programs themselves: with a key first, and without any. Whether
-- functions may be seen and loaded turns out when a program connects.
local KEYED = {
  'BITFIELD', 'DEL', 'EXISTS', 'GET', 'GETRANGE', 'HDEL', 'HEXISTS', 'HGET', 'HGETALL', 'HLEN',
  'HINCRBY', 'HMGET', 'HSCAN', 'HSET', 'HSETNX', 'INCR', 'LRANGE', 'LTRIM', 'MGET', 'PTTL', 'RPUSH',
  'SADD', 'SET', 'SETRANGE', 'SISMEMBER', 'SMEMBERS', 'SREM', 'UNLINK', 'ZADD', 'ZCARD', 'ZMSCORE', 'ZRANGE',
  'ZRANGEBYSCORE', 'ZRANK', 'ZREM', 'ZREMRANGEBYRANK', 'ZSCORE',
}
local KEYLESS = { { 'INFO' }, { 'SCAN', '0' }, { 'TIME' } }

-- What the caller may not do of all this. Redis checks rights with each call, so that a function
-- that lacks one would end half-way.
local function rights(_, _)
  local missing = {}
  for _, command in ipairs(KEYED) do
    for _, prefix in ipairs({ '{0}:', 'feeway:' }) do
      if not redis.acl_check_cmd(command, prefix .. 'x') then
        missing[#missing + 1] = command .. ' ' .. prefix .. '*'
      end
    end
  end
  for _, words in ipairs(KEYLESS) do
    if not redis.acl_check_cmd(unpack(words)) then
      missing[#missing + 1] = words[1]
    end
  end
  return missing
end

-- Whether one id comes after another. Lua's own comparison follows the locale.
local function comes_after(id, other)
  for at = 1, #id do
    local one, two = string.byte(id, at), string.byte(other, at)
    if one ~= two then return one > two end
  end
  return false
end

-- keys: open, owner's queue; args: limit, then accepted-at and id of the entry to go on after
local function queued(keys, args)
  check_digits(args[1], 'limit')
  local limit, after, after_id = tonumber(args[1]), args[2], args[3]
  local found, offset = {}, 0
  while #found < limit * 2 do
    -- A chunk is small enough for unpack. Entries of the same microsecond are in the
    -- order of their ids, those up to the given one are skipped.
    local ids = redis.call('ZRANGEBYSCORE', keys[2], after or '-inf', '+inf', 'WITHSCORES',
      'LIMIT', offset, 500)
    if #ids == 0 then break end
    offset = offset + #ids / 2
    local wanted = {}
    for at = 1, #ids, 2 do
      local same = after and tonumber(ids[at + 1]) == tonumber(after)
      if not (same and not comes_after(ids[at], after_id)) then wanted[#wanted + 1] = ids[at] end
    end
    if #wanted > 0 then
      local entries = redis.call('HMGET', keys[1], unpack(wanted))
      for at, entry in ipairs(entries) do
        if entry and #found < limit * 2 then
          found[#found + 1] = wanted[at]
          found[#found + 1] = entry
        end
      end
    end
  end
  return found
end

-- Adds members of a sorted set, each with its score, that lie between two scores and behind
-- a place. The member at that place tells it exactly, also among others of the same score.
local function add_members(found, key, from, to, limit, after)
  local rank = after and redis.call('ZRANK', key, after.member)
  if not rank then
    if after then from = '(' .. after.at end
    local more = redis.call('ZRANGEBYSCORE', key, from, to, 'WITHSCORES', 'LIMIT', 0, limit)
    for at = 1, #more do found[#found + 1] = more[at] end
    return
  end
  local more = redis.call('ZRANGE', key, rank + 1, rank + limit, 'WITHSCORES')
  for at = 1, #more, 2 do
    if tonumber(more[at + 1]) > tonumber(to) then return end
    found[#found + 1] = more[at]
    found[#found + 1] = more[at + 1]
  end
end

-- Lists what is not closed yet, or what was rejected.
-- keys: horizon, then nothing for the ledger, else the one sorted set to list
-- args: from, to, limit, then score and member to go on behind
local function lines(keys, args)
  local horizon, from, to, limit = redis.call('GET', keys[1]) or '0', args[1], args[2], args[3]
  check_digits(limit, 'limit')
  if keys[2] ~= REJECTIONS and tonumber(from) < tonumber(horizon) then from = horizon end
  local found, after = {}, nil
  if args[4] and tonumber(args[4]) >= tonumber(from) then
    after = { at = args[4], member = args[5] }
  end
  if keys[2] then
    add_members(found, keys[2], from, to, limit, after)
    return { horizon, found }
  end
  local hour = math.floor(tonumber(after and after.at or from) / HOUR)
  local last = math.floor(tonumber(to) / HOUR)
  while #found < limit * 2 do
    local next = redis.call('ZRANGEBYSCORE', HOURS, hour, last, 'WITHSCORES', 'LIMIT', 0, 1)
    if not next[1] then break end
    local same = after and tonumber(next[2]) == hour
    hour = tonumber(next[2])
    add_members(found, ledger_of(hour), from, to, limit - #found / 2, same and after or nil)
    hour, after = hour + 1, nil
  end
  return { horizon, found }
end

-- One of several holders of a payment is forgotten; of those that are left the first takes
-- its place. A single one is in conflict no longer.
local function forget_holder(settled, id, member, others)
  local gone, left = string.match(member, '^([^:]+):', 17), {}
  left[1] = redis.call('HGET', settled, id) or nil
  for record in string.gmatch(others, '|([^|]+)') do left[#left + 1] = record end
  for at = #left, 1, -1 do
    if string.match(left[at], '^[^:]+') == gone then table.remove(left, at) end
  end
  redis.call('ZREM', CONFLICTED, member)
  if #left == 0 then return redis.call('HDEL', CONFLICTS, id) end
  redis.call('HSET', settled, id, left[1])
  local first, cents = string.match(left[1], '^([^:]+):%d+:(%d+)')
  if #left == 1 then
    redis.call('HDEL', CONFLICTS, id)
    redis.call('ZREM', CONFLICTED, id .. first .. ':' .. cents)
  else
    redis.call('HSET', CONFLICTS, id, first .. '|' .. table.concat(left, '|', 2))
  end
end

-- Forgets a member of the ledger whose time is over, and what is known by its id.
local function forget(member, score, conflicts)
  local id, processor = string.sub(member, 1, 16), string.match(member, '^([^:]+):', 17)
  local settled = settled_of(id)
  local others = conflicts and redis.call('HGET', CONFLICTS, id)
  if others then return forget_holder(settled, id, member, others) end
  local record = redis.call('HGET', settled, id)
  local start = processor .. ':' .. score .. ':'
  if record and string.sub(record, 1, #start) == start then redis.call('HDEL', settled, id) end
end

-- Forgets an hour, as far as so many steps go; gives back how many are left.
local function forget_hour(name, hour, steps)
  local ledger = ledger_of(hour)
  local conflicts = redis.call('EXISTS', CONFLICTS) == 1
  local members = redis.call('ZRANGE', ledger, 0, steps - 1, 'WITHSCORES')
  -- Nothing of a payment whose bucket is none keeps the others.
  for at = 1, #members, 2 do pcall(forget, members[at], members[at + 1], conflicts) end
  local forgotten = #members / 2
  if forgotten > 0 then redis.call('ZREMRANGEBYRANK', ledger, 0, forgotten - 1) end
  if forgotten == steps then return 0 end
  local processor = string.match(name, '^([^:]+):')
  redis.call('DEL', string.format('{0}:sum:%s:s:%.0f', processor, hour))
  redis.call('ZREM', HOURS, name)
  return steps - forgotten - 1
end

-- Where the horizon goes from where it is. It follows this server's clock; but one that
-- leaps far ahead may be wrong, and a horizon never goes back. So a leap is followed by an
-- hour at a time, so far apart that somebody can look before much is closed. A retention that
-- is shorter now is no leap: what counts is how far time alone would have moved the horizon.
local function next_horizon(closed, target, at, retention, leap, pace)
  if target < closed then return closed end
  local before = redis.call('GET', HORIZON_RETENTION) or retention
  local by_time = target - closed - math.max(tonumber(before) - tonumber(retention), 0)
  if closed == 0 or by_time <= leap then
    redis.call('SET', HORIZON_RETENTION, retention)
    return target
  end
  local passed = tonumber(at) - tonumber(redis.call('GET', HORIZON_MOVED) or '0')
  if passed >= 0 and passed < pace then return closed end
  redis.call('SET', HORIZON_MOVED, at)
  return closed + HOUR
end

-- Closes the hours that are older than the retention: from then on nothing is counted
-- there. What they hold of single payments goes a day later. Each call takes a bounded
-- number of steps, of about 2 µs. Also replies by how much the horizon is behind the clock.
-- keys: horizon; args: retention in µs, grace in µs, steps, leap in µs, pace in µs
local function retire(keys, args)
  for at = 1, 5 do check_digits(args[at], 'an argument') end
  local at, steps = now(), tonumber(args[3])
  local oldest = tonumber(at) - tonumber(args[1])
  local target = math.max(math.floor(oldest / HOUR) * HOUR, 0)
  local closed = tonumber(redis.call('GET', keys[1]) or '0')
  local horizon = next_horizon(closed, target, at, args[1], tonumber(args[4]), tonumber(args[5]))
  if horizon > closed then redis.call('SET', keys[1], string.format('%.0f', horizon)) end
  local behind = string.format('%.0f', math.max(target - horizon, 0))
  oldest = math.min(oldest, horizon + HOUR)
  local rejected = redis.call('ZRANGEBYSCORE', REJECTIONS, '-inf', oldest, 'LIMIT', 0, steps)
  if #rejected > 0 then redis.call('ZREM', REJECTIONS, unpack(rejected)) end
  steps = steps - #rejected
  forget_stated(string.format('%.0f', horizon - tonumber(args[2])))
  local last = math.floor((horizon - tonumber(args[2])) / HOUR) - 1
  while steps > 0 do
    local next = redis.call('ZRANGEBYSCORE', HOURS, '-inf', last, 'WITHSCORES', 'LIMIT', 0, 1)
    if not next[1] then return { 'done', behind } end
    steps = forget_hour(next[1], tonumber(next[2]), steps)
  end
  return { 'more', behind }
end

-- keys: open
local function purge(keys, _)
  if stays_closed() then return { 'closed' } end
  local open = redis.call('HLEN', keys[1])
  if open > 0 then return { 'open', string.format('%.0f', open) } end
  local generation = string.format('%.0f', tonumber(generation_of_data()) + 1)
  raise_generation(generation)
  forget_all()
  return { 'purged', generation }
end

-- keys: lease; args: token, time to live in ms
local function lease(keys, args)
  check_digits(args[2], 'the time to live')
  local holder = redis.call('GET', keys[1])
  if holder and holder ~= args[1] then
    return { 'others', tostring(redis.call('PTTL', keys[1])) }
  end
  redis.call('SET', keys[1], args[1], 'PX', args[2])
  return { 'ours' }
end

-- keys: lease; args: token
local function vacate(keys, args)
  if redis.call('GET', keys[1]) == args[1] then redis.call('DEL', keys[1]) end
  return { 'vacated' }
end

-- A processor's health is `lastAsk|report`: µs, and `at:failing:minResponseTime` or nothing.
local function read_health(key)
  local ask, report = string.match(redis.call('GET', key) or '', '^(%d+)|(.*)$')
  return ask or '0', report or ''
end

-- keys: lease, health; args: token, gap in µs
local function ask(keys, args)
  check_digits(args[2], 'gap')
  if redis.call('GET', keys[1]) ~= args[1] then return { 'not-holder' } end
  local at, gap = now(), tonumber(args[2])
  local last, report = read_health(keys[2])
  local passed = tonumber(at) - tonumber(last)
  if passed < 0 then
    -- The clock was set back: the gap is counted from now.
    redis.call('SET', keys[2], at .. '|' .. report)
    return { 'wait', args[2] }
  end
  if passed < gap then return { 'wait', string.format('%.0f', gap - passed) } end
  redis.call('SET', keys[2], at .. '|' .. report)
  return { 'go' }
end

-- keys: health
local function asked(keys, _)
  local _, report = read_health(keys[1])
  redis.call('SET', keys[1], now() .. '|' .. report)
  return { 'noted' }
end

-- keys: health; args: failing (0 or 1), least response time in µs
local function publish(keys, args)
  check_digits(args[2], 'the response time')
  local last = read_health(keys[1])
  redis.call('SET', keys[1], last .. '|' .. now() .. ':' .. args[1] .. ':' .. args[2])
  return { 'published' }
end

-- At maxmemory intake is refused; what ends a payment, or keeps a promise, is not.
local function register(name, callback)
  redis.register_function({
    function_name = name, callback = guarded(callback), flags = { 'allow-oom' },
  })
end

-- FUNCTION LIST shows the description, so that the version is read without a call.
redis.register_function({
  function_name = 'feeway_version', callback = function() return VERSION end,
  flags = { 'no-writes', 'allow-stale' }, description = 'version ' .. VERSION,
})
redis.register_function('accept_all', guarded(accept_all))
redis.register_function({ function_name = 'rights', callback = rights, flags = { 'no-writes' } })
redis.register_function({
  function_name = 'known_all', callback = guarded(known_all), flags = { 'no-writes' },
})
redis.register_function({
  function_name = 'read_together', callback = read_together, flags = { 'no-writes' },
})
redis.register_function({ function_name = 'queued', callback = queued, flags = { 'no-writes' } })
redis.register_function({ function_name = 'lines', callback = lines, flags = { 'no-writes' } })
redis.register_function({ function_name = 'freed', callback = freed, flags = { 'no-writes' } })
redis.register_function({ function_name = 'census', callback = census, flags = { 'no-writes' } })
redis.register_function({
  function_name = 'stand_backs', callback = stand_backs, flags = { 'no-writes' },
})
redis.register_function({
  function_name = 'last_stand_back', callback = last_stand_back, flags = { 'no-writes' },
})
redis.register_function({
  function_name = 'settling_runs', callback = settling_runs, flags = { 'no-writes' },
})
redis.register_function({
  function_name = 'run_state', callback = run_state, flags = { 'no-writes' },
})
redis.register_function({ function_name = 'fronts', callback = fronts, flags = { 'no-writes' } })
register('meet', meet)
register('adopt_store', adopt_store)
register('note_reconciled', note_reconciled)
register('rename', rename)
register('settle_all', settle_all)
register('reject', reject)
register('note_answered', note_answered)
register('note_freed', note_freed)
register('note_restamp', note_restamp)
register('forget_freed', forget_freed)
register('trust_look_up', trust_look_up)
register('enlist', enlist)
register('enlist_at', enlist_at)
register('beat', beat)
register('resign', resign)
register('adopt', adopt)
register('discharge', discharge)
register('resolve_held', resolve_held)
register('resolve_not_held', resolve_not_held)
register('reopen', reopen)
register('stand_back', stand_back)
register('end_stand_back', end_stand_back)
register('confirm_stand_back', confirm_stand_back)
register('decide_held', decide_held)
register('decide_not_held', decide_not_held)
register('settle_stated', settle_stated)
register('restore_stated', restore_stated)
register('undo_stated', undo_stated)
register('tell_fees', tell_fees)
register('retire', retire)
register('purge', purge)
register('restore_entry', restore_entry)
register('restore_rename', restore_rename)
register('restore_reject', restore_reject)
register('restore_settle', restore_settle)
register('restore_purge', restore_purge)
register('restore_hold', restore_hold)
register('restore_sites', restore_sites)
register('lease', lease)
register('vacate', vacate)
register('ask', ask)
register('asked', asked)
register('publish', publish)
