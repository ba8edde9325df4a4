-- Puts another mark in the place of the one that was looked at, unless someone else did, or it was long ago.
-- KEYS: token, mark, high. ARGV: the token that was looked at, "" for none, when that was in ms of our clock, the new
-- token, the new mark. Answers 1 where it was done, else 0.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] or math.abs(now - ARGV[2]) > 1000 then
    return 0
end
-- A clock that went far back has a floor by the new mark; what is less must not add up.
local high = tonumber(redis.call('GET', KEYS[3]) or '0')
if high < now or high > now + 30000 then
    high = now
end
redis.call('MSET', KEYS[1], ARGV[3], KEYS[2], ARGV[4], KEYS[3], string.format('%.0f', high))
return 1
