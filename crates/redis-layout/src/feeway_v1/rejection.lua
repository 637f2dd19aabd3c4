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

