-- wrk: GET of KEYS keys (default 10000) that put.lua wrote; QUERY is put behind the path.
local keys = tonumber(os.getenv("KEYS") or "10000")
local query = os.getenv("QUERY") or ""
local thread_number = 0
local requests = {}

function setup(thread)
  thread_number = thread_number + 1
  thread:set("number", thread_number)
end

function init()
  math.randomseed(number * 7919)
  for n = 1, keys do requests[n] = wrk.format("GET", "/v2/keys/bench/k" .. n .. query) end
end

function request() return requests[math.random(keys)] end
