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

