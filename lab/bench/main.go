// Command bench measures vasic against the limit of what it is built of, and against the kernel, and writes docs/performance.md. It takes some
// minutes; with -quick it takes seconds and says nothing about speed, only that everything can be measured.
//
// Servers, programming clients and watchers are processes of their own: this program, started again in one of its roles. They end with it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// reportFile is where a full run writes its report.
const reportFile = "docs/performance.md"

func main() {
	if len(os.Args) == 4 && os.Args[1] == childWord {
		if err := runChild(os.Args[2], json.RawMessage(os.Args[3])); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", os.Args[2]+":", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// section is one part of the measure.
type section struct {
	name    string
	measure func(*bench, context.Context) error
}

// sections are all parts, in the order in which they are measured.
var sections = []section{
	{"path", (*bench).path}, {"memory", (*bench).memory}, {"fanout", (*bench).fanout}, {"latency", (*bench).latency}, {"flatness", (*bench).flatness},
}

// options are those of the command line.
type options struct {
	only   []string // sections
	rounds int
	quick  bool
	table  string
	out    string
	batch  int

	profiles string // directory
}

// parseOptions reads them.
func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	var only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&only, "only", "", "measure only these `sections`, with commas: path, memory, fanout, latency, flatness")
	f.IntVar(&o.rounds, "rounds", 3, "how often everything is measured")
	f.BoolVar(&o.quick, "quick", false, "small tables and short times: whether it works, not how fast")
	f.StringVar(&o.table, "table", "", "`file` of one prefix a line, plain or gzip, to be used as the real table")
	f.StringVar(&o.out, "out", "", "`file` for the report; a full run without -quick and -only writes "+reportFile)
	f.IntVar(&o.batch, "batch", 256, "operations in a message")
	f.StringVar(&o.profiles, "profiles", "", "`directory` for a processor profile of each process, which costs a little time: server and client apart, for go tool pprof")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 || o.rounds < 1 || o.batch < 1 || o.batch > 4096 {
		return nil, errors.New("unexpected arguments, see -help")
	}
	for name := range strings.SplitSeq(only, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if !slices.ContainsFunc(sections, func(s section) bool { return s.name == name }) {
			return nil, fmt.Errorf("there is no section %q", name)
		}
		o.only = append(o.only, name)
	}
	if o.out == "" && !o.quick && o.only == nil {
		o.out = reportFile
	}
	return o, nil
}

// run is main with its surroundings as arguments. It returns the exit code: 0 done, 1 failed, 2 wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	if err := makeProfiles(o.profiles); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	b := &bench{options: o, sizes: fullSizes, progress: stderr, start: time.Now()}
	if o.quick {
		b.sizes = quickSizes
	}
	if err := writable(o.out); err != nil { // to be known now and not in ten minutes
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	if err := b.all(ctx); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		if ctx.Err() != nil || len(b.sheets) == 0 {
			return 1
		}
		b.failed = true
	}
	text := b.report(args)
	fmt.Fprint(stdout, text)
	if b.failed {
		return 1
	}
	if o.out != "" {
		if err := os.WriteFile(o.out, []byte(text), 0o644); err != nil { //nolint:gosec // a page for everybody
			fmt.Fprintln(stderr, "bench:", err)
			return 1
		}
		fmt.Fprintln(stderr, "written to", o.out)
	}
	return 0
}

// makeProfiles has children write their profiles into a directory; "" is none.
func makeProfiles(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // for everybody to read
		return err
	}
	return os.Setenv(profilesKey, dir)
}

// writable says whether there can be a file of that name; "" is none.
func writable(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if f, err = os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)); err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// bench is one run of the harness. It belongs to one goroutine.
type bench struct {
	*options
	sizes    sizes
	progress io.Writer
	start    time.Time
	sheets   []*sheet
	failed   bool
}

// all measures the sections that were asked for. One that fails does not keep the others from being measured.
func (b *bench) all(ctx context.Context) error {
	if b.table == "" {
		file, err := tableFile(ctx)
		if err != nil {
			return err
		}
		b.table = file
	}
	if b.quick {
		file, err := shortTable(b.table, quickTable)
		if err != nil {
			return err
		}
		defer os.Remove(file) //nolint:errcheck // a file in the directory for such files
		b.table = file
	}
	var errs []error
	for _, s := range sections {
		if b.only != nil && !slices.Contains(b.only, s.name) {
			continue
		}
		if err := s.measure(b, ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
	}
	return errors.Join(errs...)
}

// sayf tells what is being done.
func (b *bench) sayf(format string, args ...any) {
	elapsed := time.Since(b.start).Round(time.Second)
	fmt.Fprintf(b.progress, "%4d:%02d  %s\n", int(elapsed.Minutes()), int(elapsed.Seconds())%60, fmt.Sprintf(format, args...))
}

// sheet adds a table to the report.
func (b *bench) sheet(title string, columns ...column) *sheet {
	s := newSheet(title, columns...)
	b.sheets = append(b.sheets, s)
	return s
}

// quickTable is the size of the table of a quick run, which every process reads anew.
const quickTable = 5000

// sizes are how much is measured.
type sizes struct {
	path, ipBatch   int   // routes; 0: the real table
	memory          []int // routes
	watchers        []int // busy ones
	fanRoutes       int
	fanSeconds      float64
	compared        int // watchers that the encoding is compared with
	stopped         int // watchers beside the one that is stopped
	idle            int // idle watchers
	latencyRoutes   int
	latencySeconds  float64
	flat            []int // routes
	flatOperations  int   // at least so many at each size
	queryRoutes     int
	querySeconds    float64
	flip            int // routes of one gateway
	watchersPerConn int
}

// fullSizes and quickSizes are the two that there are.
var (
	fullSizes = sizes{
		path: 0, ipBatch: 200_000, memory: []int{0, 1_000_000, 2_000_000, 4_000_000}, watchers: []int{1, 10, 100, 1000}, fanRoutes: 100_000,
		fanSeconds: 3, compared: 100, stopped: 100, idle: 10_000, latencyRoutes: 0, latencySeconds: 5, flat: []int{10_000, 100_000, 1_000_000, 4_000_000},
		flatOperations: 400_000, queryRoutes: 0, querySeconds: 2, flip: 100_000, watchersPerConn: 100,
	}
	quickSizes = sizes{
		path: 3000, ipBatch: 500, memory: []int{2000, 4000}, watchers: []int{1, 5}, fanRoutes: 1000, fanSeconds: 0.2, compared: 5, stopped: 5, idle: 50,
		latencyRoutes: 2000, latencySeconds: 0.3, flat: []int{500, 2000}, flatOperations: 2000, queryRoutes: 2000, querySeconds: 0.2, flip: 500,
		watchersPerConn: 10,
	}
)
