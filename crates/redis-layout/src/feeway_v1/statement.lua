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

