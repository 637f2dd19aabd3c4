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

