// Vasicctl is the command line of a vasic switch; package cli says what it understands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/vasic-project/vasic/clients/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
