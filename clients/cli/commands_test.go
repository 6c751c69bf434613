package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/commands.txt anew, to be read before it is committed")

// TestCommandsBecomeTheseRequests runs every command of testdata/commands.txt against a switch that has nothing, and compares
// what the switch was asked, the exit code and the first line of standard error with what stands below the command.
func TestCommandsBecomeTheseRequests(t *testing.T) {
	const file = "testdata/commands.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(t)
	var got bytes.Buffer
	for line := range strings.Lines(string(want)) {
		command := strings.TrimSuffix(line, "\n")
		if command == "" || command[0] == '#' {
			got.WriteString(line)
			continue
		}
		if command[0] == '\t' {
			continue
		}
		fmt.Fprintln(&got, command)
		code, _, stderr := f.run(t, command)
		for _, request := range f.asked() {
			fmt.Fprintf(&got, "\t%s\n", request)
		}
		if code != exitDone || stderr != "" {
			fmt.Fprintf(&got, "\t%d %s\n", code, firstLine(stderr))
		}
		f.mu.Lock()
		f.routes = nil
		f.mu.Unlock()
	}
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs; with -update it would be:\n%s", file, got.Bytes())
	}
}
