package accesslog

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestAppendInt_IsAsStrconv(t *testing.T) {
	all := []int64{0, math.MinInt64, math.MaxInt64, -1}
	for power := int64(1); power > 0 && power <= math.MaxInt64/10; power *= 10 {
		all = append(all, power-1, power, power+1, -power, 10*power)
	}
	for shift := range 63 {
		for range 100 {
			all = append(all, rand.Int64()>>shift)
		}
	}
	for _, n := range all {
		for _, room := range []int{0, 64} {
			if got, want := string(appendInt(append(make([]byte, 0, room), 'x'), n)), "x"+strconv.FormatInt(n, 10); got != want {
				t.Errorf("room for %d: got %q, want %q", room, got, want)
			}
		}
	}
}
