package ldapauth

import (
	"testing"

	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

// A real directory is asked in test/ldap_test.go.
func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}
