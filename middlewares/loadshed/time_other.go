//go:build !unix

package loadshed

import "time"

// processTime is not known here: what remains is how long goroutines wait.
func processTime() time.Duration { return 0 }
