// Package bench measures the whole path of a route: request, software FIB, hardware, flag event decoded by a client. It has benchmarks
// only; docs/benchmarks.md holds the figures and says how they were made.
package bench
