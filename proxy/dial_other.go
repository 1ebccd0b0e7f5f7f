//go:build !linux

package proxy

import "time"

func setUserTimeout(uintptr, time.Duration) {}
