-- At maxmemory intake is refused; what ends a payment, or keeps a promise, is not.
local function register(name, callback)
  redis.register_function({
    function_name = name, callback = guarded(callback), flags = { 'allow-oom' },
  })
end

-- FUNCTION LIST shows the description, so that the version is read without a call.
redis.register_function({
  function_name = 'feeway_version', callback = function() return VERSION end,
  flags = { 'no-writes', 'allow-stale' }, description = 'version ' .. VERSION,
})
redis.register_function('accept_all', guarded(accept_all))
redis.register_function({ function_name = 'rights', callback = rights, flags = { 'no-writes' } })
redis.register_function({
  function_name = 'known_all', callback = guarded(known_all), flags = { 'no-writes' },
})
redis.register_function({
  function_name = 'read_together', callback = read_together, flags = { 'no-writes' },
})
redis.register_function({ function_name = 'queued', callback = queued, flags = { 'no-writes' } })
redis.register_function({ function_name = 'lines', callback = lines, flags = { 'no-writes' } })
redis.register_function({ function_name = 'freed', callback = freed, flags = { 'no-writes' } })
redis.register_function({ function_name = 'census', callback = census, flags = { 'no-writes' } })
redis.register_function({
  function_name = 'stand_backs', callback = stand_backs, flags = { 'no-writes' },
})
redis.register_function({
  function_name = 'last_stand_back', callback = last_stand_back, flags = { 'no-writes' },
})
redis.register_function({
  function_name = 'settling_runs', callback = settling_runs, flags = { 'no-writes' },
})
redis.register_function({
  function_name = 'run_state', callback = run_state, flags = { 'no-writes' },
})
redis.register_function({ function_name = 'fronts', callback = fronts, flags = { 'no-writes' } })
register('meet', meet)
register('adopt_store', adopt_store)
register('note_reconciled', note_reconciled)
register('rename', rename)
register('settle_all', settle_all)
register('reject', reject)
register('note_answered', note_answered)
register('note_freed', note_freed)
register('note_restamp', note_restamp)
register('forget_freed', forget_freed)
register('trust_look_up', trust_look_up)
register('enlist', enlist)
register('enlist_at', enlist_at)
register('beat', beat)
register('resign', resign)
register('adopt', adopt)
register('discharge', discharge)
register('resolve_held', resolve_held)
register('resolve_not_held', resolve_not_held)
register('reopen', reopen)
register('stand_back', stand_back)
register('end_stand_back', end_stand_back)
register('confirm_stand_back', confirm_stand_back)
register('decide_held', decide_held)
register('decide_not_held', decide_not_held)
register('settle_stated', settle_stated)
register('restore_stated', restore_stated)
register('undo_stated', undo_stated)
register('tell_fees', tell_fees)
register('retire', retire)
register('purge', purge)
register('restore_entry', restore_entry)
register('restore_rename', restore_rename)
register('restore_reject', restore_reject)
register('restore_settle', restore_settle)
register('restore_purge', restore_purge)
register('restore_hold', restore_hold)
register('restore_sites', restore_sites)
register('lease', lease)
register('vacate', vacate)
register('ask', ask)
register('asked', asked)
register('publish', publish)
