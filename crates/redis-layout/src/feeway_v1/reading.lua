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

