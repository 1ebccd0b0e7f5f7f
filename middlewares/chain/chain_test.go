package chain

import (
	"errors"
	"net/http"
	"testing"

	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestChain_TellsWhyItCannotBeBuilt(t *testing.T) {
	recursion := errors.New("chain contains itself")
	env := middlewarestest.Env("loop")
	env.Chain = func([]string, http.Handler) (http.Handler, error) { return nil, recursion }
	if _, err := (&Config{Middlewares: []string{"loop"}}).New(t.Context(), env, nil); !errors.Is(err, recursion) {
		t.Errorf("got %v, want %v", err, recursion)
	}
}
