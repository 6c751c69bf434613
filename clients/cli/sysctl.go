package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
	"github.com/vasic-project/vasic/clients/vasic"
)

// sysctlOptions are procps's.
type sysctlOptions struct {
	write, quiet, ignore, values, names, binary, all bool
}

// sysctl reads and writes settings, one after another; one that fails does not stop the others.
func (s *session) sysctl(ctx context.Context, words []string) error {
	o, variables, err := parseSysctl(words)
	if err != nil {
		return err
	}
	c, err := s.client(ctx)
	if err != nil {
		return err
	}
	resp, err := c.Switch.GetSettings(ctx, &vasicv1.GetSettingsRequest{})
	if err != nil {
		return err
	}
	settings, failed := resp.GetSettings(), false
	if o.all {
		for _, k := range sysctlKeys {
			variables = append(variables, k.key)
		}
	}
	for i, v := range variables {
		if err := s.variable(ctx, c, settings, o, v, i); err != nil {
			if _, ok := errors.AsType[*exitError](err); !ok {
				return err
			}
			s.report(err)
			failed = true
		}
	}
	if failed {
		return &exitError{code: exitUsage}
	}
	return nil
}

// parseSysctl reads options and variables, which procps takes in any order.
func parseSysctl(words []string) (o sysctlOptions, variables []string, err error) {
	for _, w := range words {
		if len(w) < 2 || w[0] != '-' {
			variables = append(variables, w)
			continue
		}
		switch w {
		case "--write":
			w = "-w"
		case "--quiet":
			w = "-q"
		case "--ignore":
			w = "-e"
		case "--values":
			w = "-n"
		case "--names":
			w = "-N"
		case "--binary":
			w = "-b"
		case "--all":
			w = "-a"
		case "--help":
			w = "-h"
		}
		for _, letter := range w[1:] {
			switch letter {
			case 'w':
				o.write = true
			case 'q':
				o.quiet = true
			case 'e':
				o.ignore = true
			case 'n':
				o.values = true
			case 'N':
				o.names = true
			case 'b':
				o.values, o.binary = true, true
			case 'a', 'A', 'X':
				o.all = true
			case 'h', 'd':
				return o, nil, helpError(usageSysctl)
			default:
				return o, nil, usageError(fmt.Sprintf("sysctl: invalid option -- '%c'\n%s", letter, usageSysctl))
			}
		}
	}
	switch {
	case len(variables) == 1 && variables[0] == "help":
		return o, nil, helpError(usageSysctl)
	case len(words) == 0:
		return o, nil, usageError(usageSysctl)
	case len(variables) == 0 && !o.all:
		return o, nil, usageError("sysctl: no variables specified\nTry `vasicctl sysctl --help' for more information.")
	}
	return o, variables, nil
}

// variable reads or writes one variable.
func (s *session) variable(ctx context.Context, c *vasic.Client, settings *vasicv1.Settings, o sysctlOptions, text string, index int) error {
	key, value, set := strings.Cut(text, "=")
	key, value = strings.TrimSpace(key), strings.TrimSpace(value)
	if o.write && !set || key == "" {
		return usageError(fmt.Sprintf("sysctl: command line(%d): invalid syntax, continuing...", index))
	}
	key = strings.ReplaceAll(key, "/", ".")
	at := -1
	for i := range sysctlKeys {
		if sysctlKeys[i].key == key {
			at = i
		}
	}
	if at < 0 {
		if o.ignore {
			return nil
		}
		return usageError(fmt.Sprintf("sysctl: cannot stat /proc/sys/%s: No such file or directory", strings.ReplaceAll(key, ".", "/")))
	}
	k := &sysctlKeys[at]
	if !set {
		value = k.get(settings)
	} else {
		next := &vasicv1.Settings{}
		if !k.set(next, value) {
			return badValue(k)
		}
		_, err := c.Switch.UpdateSettings(ctx, &vasicv1.UpdateSettingsRequest{Settings: next, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{k.field}}})
		if errors.Is(err, vasic.ErrOutOfRange) || errors.Is(err, vasic.ErrMalformed) {
			return badValue(k)
		}
		if err != nil {
			return err
		}
		k.set(settings, value)
		if o.quiet {
			return nil
		}
	}
	switch {
	case o.names:
		fmt.Fprintln(s.env.Stdout, key)
	case o.binary:
		fmt.Fprint(s.env.Stdout, value)
	case o.values:
		fmt.Fprintln(s.env.Stdout, value)
	default:
		fmt.Fprintf(s.env.Stdout, "%s = %s\n", key, value)
	}
	return nil
}

// badValue is procps's message for a value that the kernel refuses; of a setting that no kernel has it says what is allowed, too.
func badValue(k *sysctlKey) error {
	text := fmt.Sprintf("sysctl: setting key %q: Invalid argument", k.key)
	if strings.HasPrefix(k.key, "vasic.") {
		text += fmt.Sprintf("\n%s is %s.", k.key, k.want)
	}
	return usageError(text)
}
