-- Spends the marks of many uses, each use as a whole or not at all. Nothing runs in between.
-- KEYS: token, high, then the marks of all uses, one or two for each.
-- ARGV: the token that the caller judged by, its clock in ms, then for each use how many marks it has and until when, in
-- ms, it is known.
-- Answers our clock in ms and what became of it: "other" or "clock", where nothing was spent, or a letter for each use:
-- F the first, A known already, L too late to be remembered.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('MGET', KEYS[1], KEYS[2])
if held[1] ~= ARGV[1] or not held[2] or now < held[2] - 30000 then
    return {now, 'other'}
end
if math.abs(now - ARGV[2]) > 30000 then
    return {now, 'clock'}
end
local seen, key = {}, 3
for use = 3, #ARGV, 2 do
    local left = ARGV[use + 1] - now
    local first, second = KEYS[key], nil
    if ARGV[use] == '2' then
        second = KEYS[key + 1]
        key = key + 1
    end
    key = key + 1
    local letter = 'A'
    if left <= 0 then
        letter = 'L'
    elseif not second then
        if redis.call('SET', first, '', 'PX', left, 'NX') then
            letter = 'F'
        end
    elseif redis.call('EXISTS', first, second) == 0 then
        redis.call('SET', first, '', 'PX', left)
        redis.call('SET', second, '', 'PX', left)
        letter = 'F'
    end
    seen[#seen + 1] = letter
end
return {now, table.concat(seen)}
