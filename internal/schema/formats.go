package schema

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// formats are those of OpenAPI that bound numbers (registry of formats: int32, int64), beside those of
// JSON Schema.
func formats() []*jsonschema.Format {
	return []*jsonschema.Format{
		{Name: "int32", Validate: within(math.MinInt32, math.MaxInt32)},
		{Name: "int64", Validate: within(math.MinInt64, math.MaxInt64)},
	}
}

var errRange = errors.New("is out of its range")

func within(least, most int64) func(any) error {
	low, high := new(big.Rat).SetInt64(least), new(big.Rat).SetInt64(most)
	return func(v any) error {
		n, is := v.(json.Number)
		if !is {
			return nil
		}
		if len(n) > 64 {
			return errRange // to count it out would take long
		}
		value, ok := new(big.Rat).SetString(string(n))
		if !ok || value.Cmp(low) < 0 || value.Cmp(high) > 0 {
			return errRange
		}
		return nil
	}
}
