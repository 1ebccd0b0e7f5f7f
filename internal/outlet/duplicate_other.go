//go:build !unix

package outlet

import (
	"errors"
	"os"
)

// duplicate is of no use where a closed pipe does not end the program.
func duplicate(*os.File) (uintptr, error) { return 0, errors.ErrUnsupported }
