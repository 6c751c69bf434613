package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"google.golang.org/grpc/codes"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// Exit codes; the package comment says what they mean.
const (
	exitDone    = 0
	exitUsage   = 1
	exitRefused = 2
)

// DefaultServer is where the switch is looked for if nothing else is said.
const DefaultServer = "127.0.0.1:50151"

// Env is what the command line has around it. The zero value of a field stands for what the process has.
type Env struct {
	// Stdin is read by -batch - and route load -.
	Stdin io.Reader
	// Stdout gets the data.
	Stdout io.Writer
	// Stderr gets everything else: errors, warnings, help, progress.
	Stderr io.Writer
	// Dial returns a client of the switch at target. It is called once at most, when the first command needs the switch, and
	// Run closes the client. Without it the options about TLS decide how to connect.
	Dial func(ctx context.Context, target string) (*vasic.Client, error)
	// Getenv reads an environment variable.
	Getenv func(key string) string
	// Version is what -V shows; without it the version of the module that the program was built from.
	Version string
}

// Run carries out one command line, without the name of the program, and returns the exit code. It returns when the command is
// done or ctx ends.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return Env{Stdin: stdin, Stdout: stdout, Stderr: stderr}.Run(ctx, args)
}

// Run is the function Run in this environment.
func (e Env) Run(ctx context.Context, args []string) int {
	if e.Stdin == nil {
		e.Stdin = os.Stdin
	}
	if e.Stdout == nil {
		e.Stdout = os.Stdout
	}
	if e.Stderr == nil {
		e.Stderr = os.Stderr
	}
	if e.Getenv == nil {
		e.Getenv = os.Getenv
	}
	s := &session{env: e}
	defer s.close()
	words, err := s.options.parse(args, e.Getenv)
	if err != nil {
		return s.report(err)
	}
	switch o := &s.options; {
	case o.version:
		fmt.Fprintf(e.Stdout, "vasicctl utility, vasic-%s\n", e.version())
		return exitDone
	case o.help:
		return s.report(helpError(usageTop))
	case o.batch != "":
		return s.batch(ctx, o.batch)
	case len(words) == 0:
		return s.report(usageError(usageTop))
	}
	return s.report(s.do(ctx, words))
}

// version is what -V shows.
func (e Env) version() string {
	if e.Version != "" {
		return e.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// session is one Run: its options, and the client once it is needed. It belongs to one goroutine.
type session struct {
	env     Env
	options options
	dialled *vasic.Client
}

// client returns the client of the switch.
func (s *session) client(ctx context.Context) (*vasic.Client, error) {
	if s.dialled != nil {
		return s.dialled, nil
	}
	dial := s.env.Dial
	if dial == nil {
		dial = s.options.dial
	}
	c, err := dial(ctx, s.options.server)
	if err != nil {
		return nil, usageError(fmt.Sprintf("Cannot connect to %s: %v", s.options.server, err))
	}
	s.dialled = c
	return c, nil
}

// close closes the client.
func (s *session) close() {
	if s.dialled != nil {
		s.dialled.Close()
	}
}

// stdin returns standard input; reading it ends with ctx, although what reads for it may then wait on.
func (s *session) stdin(ctx context.Context) io.Reader {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(w, s.env.Stdin)
		w.CloseWithError(err)
	}()
	return r
}

// newPrinter returns a printer to standard output.
func (s *session) newPrinter() *printer { return newPrinter(s.env.Stdout, s.options) }

// warnf prints a line on standard error.
func (s *session) warnf(format string, args ...any) { fmt.Fprintf(s.env.Stderr, format+"\n", args...) }

// exitError ends a command with an exit code; text is for standard error.
type exitError struct {
	code int
	text string
}

// Error is the text.
func (e *exitError) Error() string { return e.text }

// helpError shows a usage text that was asked for.
func helpError(usage string) error { return &exitError{code: exitDone, text: usage} }

// report prints an error in iproute2's words and returns the exit code.
func (s *session) report(err error) int {
	if err == nil {
		return exitDone
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		if e.text != "" {
			s.warnf("%s", e.text)
		}
		return e.code
	}
	s.warnf("%s", s.errorText(err))
	return exitRefused
}

// errorText is an error of the switch in the words that ip has for the kernel's errors.
func (s *session) errorText(err error) string {
	e, ok := vasic.AsError(err)
	if !ok {
		return fmt.Sprintf("Error: %v.", err)
	}
	switch {
	case e.KernelMessage != "":
		return fmt.Sprintf("Error: %s.", e.KernelMessage)
	case e.Code == codes.InvalidArgument && (e.Field != "" || e.Reason != vasicv1.ErrorReason_ERROR_REASON_MALFORMED):
		return fmt.Sprintf("Error: %s.", sentence(e.Message)) // more than the kernel's "Invalid argument"
	case errnos[e.Errno] != "":
		return "RTNETLINK answers: " + errnos[e.Errno]
	case e.Reason != 0:
		return fmt.Sprintf("Error: %s.", sentence(e.Message))
	case e.Code == codes.Unavailable:
		return fmt.Sprintf("Cannot reach the switch at %s: %s", s.options.server, dialMessage(e.Message))
	case e.Code == codes.Canceled:
		return interrupted
	}
	return fmt.Sprintf("Error: the switch at %s: %s (%s).", s.options.server, sentence(e.Message), e.Code)
}

// interrupted is said when the context ended before the command did.
const interrupted = "Interrupted."

// dialMessage is the part of gRPC's message about a connection that says why there is none.
func dialMessage(message string) string {
	const before = "Error while dialing: "
	if i := strings.LastIndex(message, before); i >= 0 {
		return strings.TrimSuffix(message[i+len(before):], `"`)
	}
	return message
}

// sentence is a message without a full stop.
func sentence(message string) string { return strings.TrimSuffix(message, ".") }

// firstLine is the first line of a text.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
