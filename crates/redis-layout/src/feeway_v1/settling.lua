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

