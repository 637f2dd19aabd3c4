-- An entry is `owner|processor|moves|cents|acceptedAt`.
local function read_entry(entry)
  return string.match(entry, '^([^|]*)|([^|]*)|(%d+)|(%d+)|(%d+)$')
end

local function write_entry(owner, processor, moves, cents, accepted_at)
  return owner .. '|' .. processor .. '|' .. moves .. '|' .. cents .. '|' .. accepted_at
end

-- A rejection is `cents|rejectedAt|why|acceptedAt|moves`. Those of earlier versions lack the
-- last two: such a payment was accepted then at the latest.
local function read_rejected(rejected)
  local cents, at, why, accepted_at, moves =
    string.match(rejected, '^(%d+)|(%d+)|(.*)|(%d+)|(%d+)$')
  if cents then return cents, why, accepted_at, moves end
  cents, at, why = string.match(rejected, '^(%d+)|(%d+)|(.*)$')
  return cents, why, at, '0'
end

-- Whether a hold is good, and the generation of the data, if the owner's record has it.
local function held(record, holder, epoch)
  local current = redis.call('HMGET', record, 'holder', 'epoch', 'generation')
  return current[1] == holder and current[2] == epoch, current[3]
end

