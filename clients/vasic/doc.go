// Package vasic is the Go client of a vasic switch.
//
// A Client has the generated stubs of every service, and three things that are more than a call:
//
//   - ModifyRoute programs one route, Programmer and Apply program many over one stream.
//   - Watch follows the routes of a switch across disconnections, compactions and restarts.
//   - Mirror is a copy of the routes that is kept by what Watch delivers.
//
// # Errors
//
// Every error that a switch or the connection to it gives, on calls, on streams and for single operations, is or wraps an
// *Error. Each reason of the contract has a sentinel, so that
//
//	errors.Is(err, vasic.ErrTableFull)
//
// holds wherever the refusal came from. io.EOF stays what it is.
//
// # Concurrency
//
// A Client and a Programmer may be used from any number of goroutines. A Watcher and a Mirror belong to one goroutine at a
// time; of a Watcher, Token and Close may be called from others.
//
// All waiting follows package time and contexts, so everything works inside a testing/synctest bubble.
package vasic
