-- Spends the marks of many uses, each use as a whole or not at all, and counts the first ones by the rate of their partner.
-- Nothing runs in between.
-- KEYS: token, high, then for each use its marks, none, one or two, and the key of its count, where it has one.
-- ARGV: the token that the caller judged by, its clock in ms, then for each use how many marks it has, until when, in ms,
-- it is known, and, in quarters of a microsecond, the step and the burst of its count, 0 and 0 for none.
-- Answers our clock in ms and what became of it: "other" or "clock", where nothing was spent, or a letter for each use:
-- F the first, A known already, L too late to be remembered, O the first and over its rate. Then how far ahead of now each
-- count is, in microseconds; -1 where nothing was counted.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('MGET', KEYS[1], KEYS[2])
if held[1] ~= ARGV[1] or not held[2] or now < held[2] - 30000 then
    return {now, 'other'}
end
if math.abs(now - ARGV[2]) > 30000 then
    return {now, 'clock'}
end

-- By the generic cell rate algorithm: kept is the moment at which all is worked off. A double holds it to a quarter of a
-- microsecond, so steps are whole quarters and nothing is rounded.
local micros = time[1] * 1000000 + time[2]
local function count(key, step, burst)
    local before = tonumber(redis.call('GET', key) or '0')
    local done = math.min(math.max(before, micros), micros + burst)
    local due, letter = done + step, 'F'
    if due - micros > burst then
        due, letter = done, 'O'
    end
    -- Of a refusal nothing is kept, unless the burst was larger before.
    if letter == 'F' or done < before then
        redis.call('SET', key, string.format('%.2f', due), 'PX', math.ceil((due - micros) / 1000))
    end
    return letter, math.floor(due - micros)
end

local seen, ahead, key = {}, {}, 3
for use = 3, #ARGV, 4 do
    local marks, left, burst = tonumber(ARGV[use]), ARGV[use + 1] - now, ARGV[use + 3] / 4
    local letter = 'A'
    if marks == 0 then
        letter = 'F'
    elseif left <= 0 then
        letter = 'L'
    elseif marks == 1 then
        if redis.call('SET', KEYS[key], '', 'PX', left, 'NX') then
            letter = 'F'
        end
    elseif redis.call('EXISTS', KEYS[key], KEYS[key + 1]) == 0 then
        redis.call('SET', KEYS[key], '', 'PX', left)
        redis.call('SET', KEYS[key + 1], '', 'PX', left)
        letter = 'F'
    end
    key = key + marks
    if burst > 0 then
        local by = -1
        if letter == 'F' then
            letter, by = count(KEYS[key], ARGV[use + 2] / 4, burst)
        end
        ahead[#ahead + 1] = by
        key = key + 1
    end
    seen[#seen + 1] = letter
end
return {now, table.concat(seen), ahead}
