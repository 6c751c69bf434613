// Command vasic-fpm is the Forwarding Plane Manager that lets an unmodified FRR program a vasic switch. Without arguments it waits for
// zebra on 127.0.0.1:2620 and programs the switch on 127.0.0.1:50151; see vasic-fpm --help for the settings, and for what FRR needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set when released: -ldflags "-X main.version=v1.2.3".
var version = "(devel)"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its surroundings as arguments. It returns the exit code: 0 done, 1 failed, 2 wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parseConfig(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "vasic-fpm: %v\nTry vasic-fpm --help.\n", err)
		return 2
	case c.showVersion:
		fmt.Fprintln(stdout, "vasic-fpm", version)
		return 0
	case c.printConfig:
		c.print(stdout)
		return 0
	}
	if err := serve(ctx, c, stderr); err != nil {
		fmt.Fprintf(stderr, "vasic-fpm: %v\n", err)
		return 1
	}
	return 0
}
