//go:build !linux

package main

import (
	"errors"
	"runtime"
	"time"
)

// errNotLinux: what the harness reads about processes is Linux's.
var errNotLinux = errors.New("lab/bench measures on Linux only")

func processCPU(int) (time.Duration, error) { return 0, errNotLinux }

func residentBytes() (uint64, error) { return 0, errNotLinux }

func kernelName() string { return runtime.GOOS }

func processorName() string { return "unknown" }

func memoryBytes() uint64 { return 0 }
