package main

import "time"

const (
	// kernelBatch is how many requests go to the kernel in one call; the socket's send buffer holds a few thousand.
	kernelBatch = 256
	// monitorQuiet is how long a listener may hear nothing before it is taken for done. Notifications can be lost, so their number
	// says nothing.
	monitorQuiet = time.Second
)

// kernelRan is what programming the kernel took.
type kernelRan struct {
	Seconds   float64
	Routes    int
	Heard     int     // notifications that the listener decoded
	SenderCPU float64 // seconds, the kernel's own work included
	ListenCPU float64
}

// ipRan is what `ip -batch` took beside `ip monitor`.
type ipRan struct {
	Seconds    float64
	Routes     int
	Printed    int     // lines that the monitor printed
	BatchCPU   float64 // seconds
	MonitorCPU float64
}
