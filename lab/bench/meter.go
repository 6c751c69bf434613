package main

import "time"

// meter measures the processor time of a process from a moment on.
type meter struct {
	pid   int
	start time.Duration
}

// newMeter starts one.
func newMeter(pid int) (*meter, error) {
	start, err := processCPU(pid)
	return &meter{pid, start}, err
}

// seconds is what the process has used since.
func (m *meter) seconds() (float64, error) {
	now, err := processCPU(m.pid)
	return (now - m.start).Seconds(), err
}

// roles are what this program can be started as.
var roles map[string]role

func init() {
	roles = map[string]role{ // not an initialiser: one of them starts another
		"switch": serveSwitch, "limit": serveLimit, "plain": servePlain, "load": startLoad, "watch": startWatch, "fan": startFan,
		"latency": startLatency, "query": startQuery, "kernel": startKernel, "kernel-listen": startKernelListen,
	}
}
