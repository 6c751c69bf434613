// Vasicctl is the command line of a vasic switch; package cli says what it understands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/vasic-project/vasic/clients/cli"
)

// version is set when released: -ldflags "-X main.version=v1.2.3".
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program wherever it is
	os.Exit(cli.Env{Version: version}.Run(ctx, os.Args[1:]))
}
