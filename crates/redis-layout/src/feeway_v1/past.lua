-- A front meets the data behind a new connection. Data without an identity gets the one that the
-- front brings, if the front knows none or knows that this one may have been forgotten. The pulse
-- is the time of the latest heartbeat: of each run of a server the one that it began with is kept,
-- so that a front can tell whether heartbeats are missing that were acknowledged to it.
-- keys: meta, starts; args: run, the identity that the caller expects, or brings for data that has
-- that of the third argument (empty: none), and by an adoption what is to be noted of that
local function meet(keys, args)
  check(string.find(args[1], '^[%x:]+$') and string.find(args[2], '^%x+$') and args[4],
    'a malformed meeting')
  local meta = redis.call('HMGET', keys[1], 'identity', 'made', 'pulse')
  local identity, made, at = meta[1] or '', meta[2] or '0', now()
  if identity ~= args[2] then
    if identity ~= args[3] then return { 'other', identity } end
    redis.call('HSET', keys[1], 'identity', args[2], 'instead-of', args[4], 'made', at)
    made = at
  end
  local last = redis.call('LRANGE', keys[2], -1, -1)[1]
  if not last or string.match(last, '^[^|]*') ~= args[1] then
    redis.call('RPUSH', keys[2], args[1] .. '|' .. (meta[3] or '0'))
    redis.call('LTRIM', keys[2], -STARTS_KEPT, -1)
  end
  return { 'met', made, at }
end

-- What an adopted identity stands in place of is a list, the latest last: whoever has seen any of it
-- has seen this data. It begins with this word, since all data was empty once.
local NOTHING = 'none'

-- So many adoptions are remembered.
local ADOPTIONS_KEPT = 8

local function one_adoption_more(list, identity)
  local words = {}
  for word in string.gmatch(list or NOTHING, '%S+') do words[#words + 1] = word end
  if identity ~= '' then words[#words + 1] = identity end
  return table.concat(words, ' ', math.max(#words - ADOPTIONS_KEPT, 1))
end

-- An operator says that the fronts are to go on with this data, whatever it lacks.
-- keys: meta; args: the identity that was seen (empty: none), the one that takes its place, by whom
local function adopt_store(keys, args)
  check(string.find(args[2], '^%x+$') and args[3], 'a malformed adoption')
  local meta = redis.call('HMGET', keys[1], 'identity', 'instead-of')
  local identity = meta[1] or ''
  if identity == args[2] then return { 'adopted' } end
  if identity ~= args[1] then return { 'other', identity } end
  local instead_of = one_adoption_more(meta[2] ~= '' and meta[2], identity)
  redis.call('HSET', keys[1], 'identity', args[2], 'instead-of', instead_of, 'made', now(),
    'by', args[3])
  return { 'adopted' }
end

-- A processor's whole export was found equal to the ledger of this data.
-- keys: reconciled, meta; args: processor
local function note_reconciled(keys, args)
  local identity = redis.call('HGET', keys[2], 'identity') or ''
  redis.call('HSET', keys[1], args[1], now() .. '|' .. identity)
  return { 'noted' }
end

-- A heartbeat was carried out at this time.
local function raise_pulse(at)
  local meta = redis.call('HMGET', META, 'identity', 'pulse')
  if meta[1] and tonumber(meta[2] or '0') < tonumber(at) then
    redis.call('HSET', META, 'pulse', at)
  end
end

-- A step whose caller says which data it belongs to is not carried out on any other.
local IDENTITY = 'identity:'

local function guarded(step)
  return function(keys, args)
    local last = args[#args]
    if last and string.sub(last, 1, #IDENTITY) == IDENTITY then
      args[#args] = nil
      if redis.call('HGET', META, 'identity') ~= string.sub(last, #IDENTITY + 1) then
        return redis.error_reply('ELSEWHERE this is not the data that the caller belongs to')
      end
    end
    return step(keys, args)
  end
end

