//go:build !linux

package main

import (
	"encoding/json"
	"os/exec"
)

// kernelMissing says why the kernel cannot be measured here.
func kernelMissing() string { return "it is not Linux" }

func kernelNamespace(*exec.Cmd) {}

func startKernel(json.RawMessage) (any, handlers, error) { return nil, nil, errNotLinux }

func startKernelListen(json.RawMessage) (any, handlers, error) { return nil, nil, errNotLinux }
