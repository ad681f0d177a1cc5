-- wrk: PUT of KEYS keys (default 10000) below /bench; key N always gets the same 256 bytes, which begin with its number.
local keys = tonumber(os.getenv("KEYS") or "10000")
local thread_number = 0
local requests = {}

function setup(thread)
  thread_number = thread_number + 1
  thread:set("number", thread_number)
end

function init()
  math.randomseed(number * 7919)
  for n = 1, keys do
    local value = string.format("%d-", n)
    value = value .. string.rep("v", 256 - #value)
    requests[n] = wrk.format("PUT", "/v2/keys/bench/k" .. n,
      {["Content-Type"] = "application/x-www-form-urlencoded"}, "value=" .. value)
  end
end

function request() return requests[math.random(keys)] end
