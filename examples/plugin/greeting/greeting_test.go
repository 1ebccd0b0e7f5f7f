package greeting

import (
	"testing"

	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}
