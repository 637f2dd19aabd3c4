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

