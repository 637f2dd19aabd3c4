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

