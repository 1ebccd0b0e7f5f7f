package http1

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails when goroutines of this package outlive the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leaked(); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "goroutines are left over:\n"+left)
		code = 1
	}
	os.Exit(code)
}

func leaked() (left string) {
	for range 100 {
		if left = ours(); left == "" {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return left
}

func ours() string {
	buf := make([]byte, 4<<20)
	var found []string
	for i, stack := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if i > 0 && strings.Contains(stack, "fairway/http1") {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}
