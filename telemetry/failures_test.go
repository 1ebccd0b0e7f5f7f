package telemetry

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
)

func TestFailures_AreToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		log := logrus.New()
		log.SetOutput(&said)
		f := NewFailures(log, "it is broken", "it works again")
		f.Worked() // nothing was wrong
		for range 119 {
			f.Failed(2, errors.New("refused"))
			time.Sleep(time.Second)
		}
		f.Worked()
		f.Worked()
		if got := said.String(); strings.Count(got, "it is broken") != 2 || strings.Count(got, "it works again") != 1 || !strings.Contains(got, "error=refused failedSinceStart=122") {
			t.Errorf("the log has %s", got)
		}
		if f.Count() != 238 {
			t.Errorf("got %d", f.Count())
		}
	})
}
