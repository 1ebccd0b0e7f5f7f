package limit

import (
	"context"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"

	"fairway/internal/redisclient"
)

// What bucket.go and tally.go do, as scripts: a decision is one step of the server, so that
// gateways that ask at the same time are told apart. Time is that of the server, in
// microseconds; tests say it themselves. One key is touched, so that a cluster will do.

// takeTokens keeps a bucket as a text: when it is full, and the interval it was reckoned with. It
// returns whether there were enough, the time to wait, and the time until the bucket is full.
var takeTokens = redisclient.NewScript(`
local interval, tolerance, delay, deepest, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local force, now = ARGV[6] == '1', tonumber(ARGV[7])
if not now then
	local time = redis.call('TIME')
	now = time[1] * 1000000 + time[2]
end
local debt, changed = 0, false
local text = redis.call('GET', KEYS[1])
if text then
	local full, was = string.match(text, '^(%S+) (%S+)$')
	debt = math.max(tonumber(full) - now, 0)
	if was ~= ARGV[1] then
		debt, changed = debt / tonumber(was) * interval, true
	end
	debt = math.min(debt, deepest)
end
local wait = math.max(debt + (n - 1) * interval - tolerance, 0)
local function keep()
	redis.call('SET', KEYS[1], string.format('%.17g %s', now + debt, ARGV[1]), 'PX', math.ceil(debt / 1000) + 1)
end
if not force and wait > delay then
	if changed and debt > 0 then
		keep()
	end
	return {0, math.ceil(wait), math.ceil(debt)}
end
debt = math.max(debt + n * interval, 0)
if force then
	debt = math.min(debt, deepest)
	wait = 0
end
if debt > 0 then
	keep()
else
	redis.call('DEL', KEYS[1])
end
return {1, math.ceil(wait), math.ceil(debt)}`)

// takeFromTally keeps a hash of counts by the numbers of parts. It returns whether it was within the
// limit, the sum, the time to wait, and the time until nothing counts any more.
var takeFromTally = redisclient.NewScript(`
local length, parts, most, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local force, now, number, left = ARGV[5] == '1', tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
if not number then
	if not now then
		local time = redis.call('TIME')
		now = time[1] * 1000000 + time[2]
	end
	number = math.floor(now / length)
	left = (number + 1) * length - now
end
local cells = redis.call('HGETALL', KEYS[1])
local at = number
for i = 1, #cells, 2 do
	at = math.max(at, tonumber(cells[i]))
end
local sum, counts = 0, {}
for i = 1, #cells, 2 do
	local part, count = tonumber(cells[i]), tonumber(cells[i + 1])
	if part > at - parts then
		sum = sum + count
		counts[#counts + 1] = {part, count}
	else
		redis.call('HDEL', KEYS[1], cells[i])
	end
end
table.sort(counts, function(a, b) return a[1] < b[1] end)
local function wait(much)
	for _, c in ipairs(counts) do
		if much <= 0 then
			return 0
		end
		much = much - c[2]
		if much <= 0 then
			return left + (c[1] + parts - 1 - number) * length
		end
	end
	if much <= 0 then
		return 0
	end
	return left + (parts - 1) * length
end
if not force and n > most - sum then
	return {0, sum, math.ceil(wait(sum + n - most)), math.ceil(wait(sum))}
end
local own = 0
if #counts > 0 and counts[#counts][1] == at then
	own = counts[#counts][2]
end
n = math.max(n, -own)
if n ~= 0 then
	redis.call('HINCRBY', KEYS[1], string.format('%.0f', at), n)
	redis.call('PEXPIRE', KEYS[1], math.ceil((left + parts * length) / 1000) + 1000)
end
sum = sum + n
return {1, sum, 0, math.ceil(left + (at - number + parts - 1) * length)}`)

// store is a Redis with what sources have taken.
type store struct {
	client *redisclient.Client
	prefix string
	now    func() string // for tests; empty: the server's
}

func (s *store) key(source Source, kind string) string {
	return s.prefix + kind + hex.EncodeToString(source[:])
}

// take does as Table.Take, or as Table.Add, if it is forced.
func (s *store) take(ctx context.Context, source Source, r *Rule, n int64, forced bool) (Decision, error) {
	force, now := "0", ""
	if forced {
		force = "1"
	}
	if s.now != nil {
		now = s.now()
	}
	if r.algorithm == bucketed {
		p := &r.bucket
		got, err := redis.Int64s(s.client.Eval(ctx, takeTokens, []string{s.key(source, "b:")}, micros(p.interval), micros(p.tolerance), micros(p.delay), micros(p.deepest), n, force, now))
		if err != nil || len(got) != 3 {
			return Decision{}, orIncomplete(err)
		}
		return p.decision(got[0] == 1, duration(got[1]), duration(got[2])), nil
	}
	length, number, left, kind := micros(r.part), "", "", "w"+strconv.FormatInt(int64(r.part), 36)+":"
	parts := int64(parts + 1)
	if r.algorithm == calendar {
		at := r.span(time.Now())
		length, parts, kind = "0", 1, string(r.period[:1])+":"
		number, left = strconv.FormatInt(at.number, 10), micros(at.until)
	}
	got, err := redis.Int64s(s.client.Eval(ctx, takeFromTally, []string{s.key(source, kind)}, length, parts, r.most, n, force, now, number, left))
	if err != nil || len(got) != 4 {
		return Decision{}, orIncomplete(err)
	}
	return Decision{OK: got[0] == 1, Wait: duration(got[2]), Left: max(r.most-got[1], 0), Reset: duration(got[3])}, nil
}

type incompleteError struct{}

func (incompleteError) Error() string { return "its answer is incomplete" }

func orIncomplete(err error) error {
	if err == nil {
		return incompleteError{}
	}
	return err
}

// micros writes microseconds, with what is less than one behind the point.
func micros(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Microsecond), 'f', -1, 64)
}

func duration(micros int64) time.Duration {
	return time.Duration(min(micros, int64(endless/time.Microsecond))) * time.Microsecond
}
