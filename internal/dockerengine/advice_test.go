package dockerengine

import (
	"errors"
	"strings"
	"testing"
)

func TestWithAdvice(t *testing.T) {
	denied := errors.New("dial unix /var/run/docker.sock: connect: permission denied")
	if got := WithAdvice(denied, "unix:///").Error(); !strings.Contains(got, "group_add") || !strings.Contains(got, "group 0") {
		t.Errorf("got %s", got)
	}
	for address, err := range map[string]error{"unix:///": errors.New("refused"), "tcp://a:1": denied} {
		if got := WithAdvice(err, address); !errors.Is(got, err) || got.Error() != err.Error() {
			t.Errorf("%s: got %v", address, got)
		}
	}
}
