-- What the store says of its own memory, and the latest that its clock ever was.
-- KEYS: token, mark, high. Answers our clock in ms, and the three, each "" where it is missing.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('MGET', KEYS[1], KEYS[2], KEYS[3])
if held[3] and now > tonumber(held[3]) then
    redis.call('SET', KEYS[3], string.format('%.0f', now))
end
return {now, held[1] or '', held[2] or '', held[3] or ''}
