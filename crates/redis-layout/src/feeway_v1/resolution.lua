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

