package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"time"
)

const (
	// childWord is the argument that makes this program one of its own children; the name of a role and its settings follow.
	childWord = "child"
	// patience is how long one call of a child may take.
	patience = 10 * time.Minute
	// profilesKey is the environment variable that names the directory for the profiles of children.
	profilesKey = "VASIC_BENCH_PROFILES"
	// endTime is how long a child may take to end by itself.
	endTime = 3 * time.Second
)

// call is what a child is asked for on its standard input.
type call struct {
	Do   string          `json:"do"`
	Args json.RawMessage `json:"args"`
}

// answer is what it says on its standard output. The first one is about its start.
type answer struct {
	Error  string          `json:"error,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// handler answers one kind of call.
type handler func(json.RawMessage) (any, error)

// handlers are the calls that a role answers, by name.
type handlers map[string]handler

// role is a program of its own: it starts, and says how, and then answers calls until its standard input ends.
type role func(settings json.RawMessage) (hello any, calls handlers, err error)

// handle makes a handler of a function with arguments.
func handle[A, R any](f func(A) (R, error)) handler {
	return func(args json.RawMessage) (any, error) {
		var a A
		if err := json.Unmarshal(args, &a); err != nil {
			return nil, err
		}
		return f(a)
	}
}

// none stands for no arguments or no result.
type none struct{}

// runChild is main of a child. It ends with the process: nothing that a child has outlives it.
func runChild(name string, settings json.RawMessage) error {
	signal.Ignore(os.Interrupt) // the parent ends us
	start, ok := roles[name]
	if !ok {
		return fmt.Errorf("no role %q", name)
	}
	out := json.NewEncoder(os.Stdout)
	endProfile, err := profile(name)
	if err != nil {
		return err
	}
	hello, calls, err := start(settings)
	if err := out.Encode(answered(hello, err)); err != nil {
		return err
	}
	requests := make(chan call)
	go func() {
		in := json.NewDecoder(os.Stdin)
		for {
			var c call
			if in.Decode(&c) != nil {
				endProfile()
				os.Exit(0) // the parent is done, or gone
			}
			requests <- c
		}
	}()
	for c := range requests {
		h := calls[c.Do]
		if h == nil {
			return fmt.Errorf("%s has no call %q", name, c.Do)
		}
		if err := out.Encode(answered(h(c.Args))); err != nil {
			return err
		}
	}
	return nil
}

// profile writes where the child's processor time goes until end is called, if that was asked for.
func profile(name string) (end func(), err error) {
	dir := os.Getenv(profilesKey)
	if dir == "" {
		return func() {}, nil
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%s-%d.pprof", name, os.Getpid()))) //nolint:gosec // where the caller says
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // in a program that ends
	}, nil
}

// answered makes an answer.
func answered(result any, err error) answer {
	if err != nil {
		return answer{Error: err.Error()}
	}
	b, err := json.Marshal(result)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Result: b}
}

// child is a process of this program in one of its roles.
type child struct {
	name string
	pid  int
	cmd  *exec.Cmd
	in   io.WriteCloser
	to   *json.Encoder
	from *json.Decoder
	mu   sync.Mutex // held during a call
}

// startChild starts a role and waits until it says hello. It ends at the latest with ctx.
func startChild(ctx context.Context, name string, settings, hello any, options ...func(*exec.Cmd)) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, childWord, name, string(text))
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = endTime
	for _, option := range options {
		option(cmd)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	cmd.Cancel = in.Close
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{name: name, pid: cmd.Process.Pid, cmd: cmd, in: in, to: json.NewEncoder(in), from: json.NewDecoder(out)}
	if err := c.receive(ctx, hello); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// call asks for something and waits for the answer, but not for longer than the harness has patience.
func (c *child) call(ctx context.Context, do string, args, result any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := json.Marshal(args)
	if err != nil {
		return err
	}
	late := time.AfterFunc(patience, c.kill)
	defer late.Stop()
	if err := c.to.Encode(call{Do: do, Args: b}); err != nil {
		return fmt.Errorf("%s: %s: %w", c.name, do, err)
	}
	if err := c.receive(ctx, result); err != nil {
		return fmt.Errorf("%s: %w", do, err)
	}
	return nil
}

// receive reads an answer.
func (c *child) receive(ctx context.Context, result any) error {
	var a answer
	switch err := c.from.Decode(&a); {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%s ended early: %w", c.name, err)
	case a.Error != "":
		return fmt.Errorf("%s: %w", c.name, errors.New(a.Error))
	case result == nil:
		return nil
	}
	return json.Unmarshal(a.Result, result)
}

// kill ends the process at once.
func (c *child) kill() { _ = c.cmd.Process.Kill() }

// stop ends the process, and waits for that.
func (c *child) stop() {
	_ = c.in.Close()
	late := time.AfterFunc(endTime, c.kill)
	defer late.Stop()
	_ = c.cmd.Wait() // how it ended says nothing that its answers did not
}
