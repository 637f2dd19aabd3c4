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

