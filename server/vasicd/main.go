// Command vasicd serves one virtual switch over gRPC. Without arguments it listens on loopback with everything at its default; see
// vasicd --help for the settings, which flags, VASIC_* environment variables and a YAML file share.
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

	"github.com/vasic-project/vasic/server"
)

// version is set when released: -ldflags "-X main.version=v1.2.3".
var version = "(devel)"

func main() {
	server.KeepHeadroom(server.DefaultHeadroomBytes)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its surroundings as arguments. It returns the exit code: 0 done, 1 failed, 2 wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parseConfig(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "vasicd: %v\nTry vasicd --help.\n", err)
		return 2
	case cfg.showVersion:
		fmt.Fprintln(stdout, "vasicd", versionString())
		return 0
	case cfg.printConfig:
		cfg.print(stdout)
		return 0
	case cfg.healthcheck:
		err = healthcheck(ctx, cfg)
	default:
		err = serve(ctx, cfg, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "vasicd: %v\n", err)
		return 1
	}
	return 0
}
