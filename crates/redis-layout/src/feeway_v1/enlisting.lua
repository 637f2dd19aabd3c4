-- An incarnation of a program that has nothing to repeat in this run says the run's id.
-- keys: owners, owner's record, epoch; args: owner; then, as fronts of earlier versions do not
-- tell, lapse in µs, the run, and 1 if everything is on the disk before it is answered
local function enlist(keys, args)
  local owner, at = args[1], now()
  check(not string.find(owner, '|', 1, true), 'an incarnation has no bar in its name')
  local current = redis.call('HMGET', keys[2], 'holder', 'epoch')
  local epoch = current[2]
  if current[1] ~= owner then
    epoch = string.format('%.0f', redis.call('INCR', keys[3]))
  end
  redis.call('HSET', keys[2], 'holder', owner, 'epoch', epoch, 'beat', at,
    'generation', generation_of_data())
  redis.call('SADD', keys[1], owner)
  if not args[3] then return { 'enlisted', epoch } end
  local run = known_run() or begin_run(at)
  redis.call('HSET', keys[2], 'run', repeated_in(run, args[3]))
  run = find_run(at, args[2], args[4])
  return { 'enlisted', epoch, run[1], run[4] }
end

-- A list of URLs, the newest first, is one text with a space between each.
local function has_url(list, url)
  return string.find(' ' .. list .. ' ', ' ' .. url .. ' ', 1, true) ~= nil
end

local function with_url(list, url, limit)
  local urls = { url }
  for known in string.gmatch(list, '%S+') do
    if #urls < limit then urls[#urls + 1] = known end
  end
  return table.concat(urls, ' ')
end

-- The URL to which an incarnation sends payments of a processor, as it said when it enlisted.
-- Its record has ` name url name url `. Nothing when it never said any, and an empty text when
-- it has no such processor.
local function url_used(incarnation, processor)
  local sites = redis.call('HGET', record_of(incarnation), 'sites')
  if not sites then return nil end
  local _, last = string.find(sites, ' ' .. processor .. ' ', 1, true)
  return last and string.match(sites, '^%S+', last + 1) or ''
end

-- A holder that lives, but for one, and sends payments of a processor to another URL, or of
-- which nobody knows where it sends them. Whoever holds an owner sends with its own URLs.
local function other_user(owners, but_for, processor, url, at, lapse)
  for _, owner in ipairs(redis.call('SMEMBERS', owners)) do
    local holder = redis.call('HGET', record_of(owner), 'holder')
    if holder and holder ~= but_for and not lapsed(record_of(owner), at, lapse) then
      local used = url_used(holder, processor)
      if used ~= '' and used ~= url then return holder end
    end
  end
  return nil
end

-- Whoever is silent can do nothing any more, should it wake up, before it enlists again.
local function fence_silent(owners, epoch, at, lapse)
  for _, owner in ipairs(redis.call('SMEMBERS', owners)) do
    local record = record_of(owner)
    if redis.call('HGET', record, 'holder') ~= NOBODY and lapsed(record, at, lapse) then
      local next = string.format('%.0f', redis.call('INCR', epoch))
      redis.call('HSET', record, 'holder', NOBODY, 'epoch', next, 'beat', '0')
    end
  end
end

-- The arguments of an enlistment before its processors, and of each of them.
local ENLIST_HEAD, ENLIST_EACH = 4, 4

-- An incarnation comes with its processors. For one that was at another URL it has to come
-- twice, with what the first call replied. If somebody vouches for the URL, that shows which
-- known ones the vouching is about. If nobody does, nobody may live who sends elsewhere, and
-- whoever is silent is fenced; when the second call finds that nobody came or adopted since the
-- first, nobody can have named that processor, and the caller has seen that no entry does.
-- keys: owners, owner's record, epoch, urls
-- args: owner, lapse in µs, how many URLs of a processor are kept, the epoch of the earlier
--       reply or nothing; then of each processor name, URL, 1 if it is vouched for, and the
--       URLs of the earlier reply or nothing; and the last two of `enlist`
local function enlist_at(keys, args)
  local owner, lapse = args[1], args[2]
  check_digits(lapse, 'lapse')
  check_digits(args[3], 'the limit')
  local more = (#args - ENLIST_HEAD) % ENLIST_EACH
  check(more == 0 or more == 2, 'a malformed enlistment')
  local last = #args - more
  local at, is_same = now(), args[4] == (redis.call('GET', keys[3]) or '0')
  local sites, lists, names, relocated, must_fence = ' ', {}, {}, {}, false
  local is_relocating = false
  for start = ENLIST_HEAD + 1, last, ENLIST_EACH do
    local name, url, vouched, seen = unpack(args, start, start + ENLIST_EACH - 1)
    check(string.find(name, '^%S+$') and string.find(url, '^%S+$'), 'a malformed processor')
    sites = sites .. name .. ' ' .. url .. ' '
    local known = redis.call('HGET', keys[4], name)
    local list = known or url
    if known and not has_url(known, url) then
      local may_enter = seen == known
      if vouched == '1' then
        list = with_url(known, url, tonumber(args[3]))
      else
        local user = other_user(keys[1], owner, name, url, at, lapse)
        if user then return { 'in-use', name, known, user } end
        list, may_enter = url, may_enter and is_same
        must_fence = must_fence or not may_enter
      end
      is_relocating = is_relocating or vouched ~= '1'
      if not may_enter then
        relocated[#relocated + 1] = name
        relocated[#relocated + 1] = known
      end
    end
    names[#names + 1], lists[#lists + 1] = name, list
  end
  -- In a run that is closed entries that name the processor may be forgotten.
  if is_relocating and stays_closed() then return { 'closed' } end
  if #relocated > 0 then
    if must_fence then fence_silent(keys[1], keys[3], at, lapse) end
    return { 'relocated', redis.call('GET', keys[3]) or '0', relocated }
  end
  local enlistment = { owner }
  if more == 2 then enlistment = { owner, lapse, args[last + 1], args[last + 2] } end
  local enlisted = enlist({ keys[1], keys[2], keys[3] }, enlistment)
  redis.call('HSET', keys[2], 'sites', sites)
  for each, name in ipairs(names) do redis.call('HSET', keys[4], name, lists[each]) end
  return { 'enlisted', enlisted[2], lists, enlisted[3], enlisted[4] }
end

-- Open entries of one page of the journal, by the processor that they name. An entry that is
-- there all the time is on one page at least.
-- keys: open; args: cursor, entries a page
local function census(keys, args)
  check_digits(args[1], 'the cursor')
  check_digits(args[2], 'the size of a page')
  local page = redis.call('HSCAN', keys[1], args[1], 'COUNT', args[2])
  local named, reply = {}, {}
  for at = 2, #page[2], 2 do
    local _, processor = read_entry(page[2][at])
    if processor and processor ~= '' then named[processor] = (named[processor] or 0) + 1 end
  end
  for processor, count in pairs(named) do
    reply[#reply + 1] = processor
    reply[#reply + 1] = string.format('%.0f', count)
  end
  return { page[1], reply }
end

-- A hold that was given before this server forgot it; a later one stands.
-- keys: owners, owner's record, epoch; args: owner, holder, epoch; and one more of whoever knows
-- of runs
local function restore_hold(keys, args)
  check_digits(args[3], 'epoch')
  local epoch = tonumber(args[3])
  local current = tonumber(redis.call('HGET', keys[2], 'epoch') or '0')
  if current >= epoch then return { 'known' } end
  if tonumber(redis.call('GET', keys[3]) or '0') < epoch then
    redis.call('SET', keys[3], args[3])
  end
  redis.call('SADD', keys[1], args[1])
  give_hold(keys[2], args[2], args[3], args[4])
  redis.call('HSET', keys[2], 'generation', generation_of_data())
  return { 'restored' }
end

-- An incarnation that came with its processors before this server forgot it. What is known of
-- a processor by now stands if the incarnation's URL is in it.
-- keys: owners, owner's record, epoch, urls
-- args: owner, holder, epoch, then of each processor name, URL and the URLs known then; and the
-- last one of `restore_hold`
local function restore_sites(keys, args)
  local last = #args - #args % 3
  local hold = { args[1], args[2], args[3], args[last + 1] }
  local restored = restore_hold({ keys[1], keys[2], keys[3] }, hold)
  local sites = ' '
  for start = 4, last, 3 do
    local name, url, list = unpack(args, start, start + 2)
    check(list, 'a malformed enlistment')
    sites = sites .. name .. ' ' .. url .. ' '
    if not has_url(redis.call('HGET', keys[4], name) or '', url) then
      redis.call('HSET', keys[4], name, list)
    end
  end
  if redis.call('EXISTS', keys[2]) == 1 then redis.call('HSET', keys[2], 'sites', sites) end
  return restored
end

-- keys: owners, then record and queue of each hold; args: lapse in µs, then owner, holder
-- and epoch of each hold; then, as fronts of earlier versions do not tell, the run in which the
-- holder has repeated everything, and 1 if everything is on the disk before it is answered
local function beat(keys, args)
  check_digits(args[1], 'lapse')
  local at = now()
  local ours, queued, silent = {}, {}, {}
  local count, run = math.floor((#args - 1) / 3), known_run() or begin_run(at)
  local tells_run = #args == count * 3 + 3
  for hold = 1, count do
    local owner, holder, epoch = args[hold * 3 - 1], args[hold * 3], args[hold * 3 + 1]
    if held(keys[hold * 2], holder, epoch) then
      redis.call('HSET', keys[hold * 2], 'beat', at)
      if tells_run then
        redis.call('HSET', keys[hold * 2], 'run', repeated_in(run, args[#args - 1]))
      else
        redis.call('HDEL', keys[hold * 2], 'run')
      end
      ours[owner] = true
      queued[hold] = redis.call('ZCARD', keys[hold * 2 + 1])
    else
      queued[hold] = -1
    end
  end
  run = find_run(at, args[1], tells_run and args[#args] or nil)
  for _, owner in ipairs(redis.call('SMEMBERS', keys[1])) do
    if not ours[owner] and lapsed(record_of(owner), at, args[1]) then
      silent[#silent + 1] = owner
    end
  end
  raise_pulse(at)
  return { at, queued, silent, generation_of_data(), run[1], run[4] }
end

-- The id of this run, and 1 if it is open or could be: nobody may have been there yet.
local function run_state(_, _)
  local at = now()
  local run = known_run() or { id_of_run(), '', seen_since(at), '0' }
  local is_open = run[4] == '1' or not anybody_may_remember(run, at, LAPSE)
  return { run[1], is_open and '1' or '0' }
end

-- keys: owner's record; args: holder, epoch
local function resign(keys, args)
  if held(keys[1], args[1], args[2]) then redis.call('HSET', keys[1], 'beat', '0') end
  return { 'resigned' }
end

-- keys: owners, owner's record, epoch; args: owner, holder, lapse in µs
local function adopt(keys, args)
  check_digits(args[3], 'lapse')
  if stays_closed() then return { 'closed' } end
  if redis.call('SISMEMBER', keys[1], args[1]) == 0 then return { 'refused' } end
  local at = now()
  if not lapsed(keys[2], at, args[3]) then return { 'refused' } end
  local epoch = string.format('%.0f', redis.call('INCR', keys[3]))
  redis.call('HSET', keys[2], 'holder', args[2], 'epoch', epoch, 'beat', at,
    'generation', generation_of_data())
  return { 'adopted', epoch }
end

-- Whether an entry is as an operator saw it, and its holder has not been heard of since and
-- is silent. Seen are: entry, holder, epoch, beat; then lapse in µs.
local function abandoned(entry, record, seen, at)
  local current = redis.call('HMGET', record, 'holder', 'epoch', 'beat')
  return entry == seen[1] and (current[1] or '') == seen[2]
    and (current[2] or '') == seen[3] and (current[3] or '0') == seen[4]
    and lapsed(record, at, seen[5])
end

-- This life of the server. What was answered in an earlier one may be forgotten.
local LIFE = nil

