package conformance

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// device is the recorder's devlink handle.
const device = "netdevsim/netdevsim1"

var (
	occupancyThenFull = regexp.MustCompile(`^N=\$\(devlink resource show \S+ \| grep -A2 "name (IPv[46]) " .*\); devlink resource set \S+ path (\S+) size \$N; devlink dev reload \S+$`)
	printfBatch       = regexp.MustCompile(`^printf '(.*)' \| ip (-[46]) -batch -$`)
	loopBatch         = regexp.MustCompile(`^for i in \$\(seq (\d+) (\d+)\); do echo "(.*)"; done \| ip (-[46]) -batch -$`)
	knobWrite         = regexp.MustCompile(`^echo ([yn]) > /sys/kernel/debug/netdevsim/netdevsim1/(?:fib/)?(\w+)$`)
	knobRead          = regexp.MustCompile(`^cat /sys/kernel/debug/netdevsim/netdevsim1/(?:fib/)?(\w+)$`)
)

// run carries out one recorded command line through vasicctl. Standard output is given in the words of the recorded program where vasicctl
// has others.
func (v *vswitch) run(cmd string) (Outcome, error) {
	if m := occupancyThenFull.FindStringSubmatch(cmd); m != nil {
		return v.fill(m[1]+"/fib", m[2])
	}
	if m := printfBatch.FindStringSubmatch(cmd); m != nil {
		return v.vasicctl(strings.ReplaceAll(m[1], `\n`, "\n"), m[2], "-batch", "-"), nil
	}
	if m := loopBatch.FindStringSubmatch(cmd); m != nil {
		return v.loop(m[1], m[2], m[3], m[4])
	}
	if m := knobWrite.FindStringSubmatch(cmd); m != nil {
		state := map[string]string{"y": "on", "n": "off"}[m[1]]
		return v.vasicctl("", "fault", "set", m[2], state), nil
	}
	if m := knobRead.FindStringSubmatch(cmd); m != nil {
		return v.knob(m[1])
	}
	words := strings.Fields(cmd)
	if strings.ContainsAny(cmd, "|;>$") || len(words) < 2 {
		return Outcome{}, fmt.Errorf("no command of vasicctl for %q", cmd)
	}
	switch words[0] {
	case "ip":
		return v.vasicctl("", words[1:]...), nil
	case "sysctl":
		return v.vasicctl("", words...), nil
	case "sleep":
		seconds, err := strconv.ParseFloat(words[1], 64)
		time.Sleep(time.Duration(seconds * float64(time.Second)))
		return Outcome{}, err
	case "devlink":
		return v.devlink(words[1:])
	}
	return Outcome{}, fmt.Errorf("no command of vasicctl for %q", cmd)
}

// fill makes the resource exactly as large as it is full.
func (v *vswitch) fill(from, path string) (Outcome, error) {
	m, err := v.resources()
	if err != nil {
		return Outcome{}, err
	}
	if out := v.vasicctl("", "resource", "set", path, "size", strconv.Itoa(m[from].Occupancy)); out.Exit != 0 {
		return out, nil
	}
	return v.vasicctl("", "reload"), nil
}

// loop is a shell loop that writes a batch.
func (v *vswitch) loop(from, to, command, family string) (Outcome, error) {
	first, err := strconv.Atoi(from)
	if err != nil {
		return Outcome{}, err
	}
	last, err := strconv.Atoi(to)
	if err != nil {
		return Outcome{}, err
	}
	var batch strings.Builder
	for i := first; i <= last; i++ {
		batch.WriteString(strings.ReplaceAll(command, "$i", strconv.Itoa(i)) + "\n")
	}
	return v.vasicctl(batch.String(), family, "-batch", "-"), nil
}

// knob reads one of netdevsim's debugfs files.
func (v *vswitch) knob(name string) (Outcome, error) {
	out := v.vasicctl("", "fault", "show")
	for line := range strings.Lines(out.Stdout) {
		if words := strings.Fields(line); len(words) == 2 && words[0] == name {
			out.Stdout = map[string]string{"on": "Y\n", "off": "N\n"}[words[1]]
			return out, nil
		}
	}
	return out, fmt.Errorf("fault show does not tell %s: %q %q", name, out.Stdout, out.Stderr)
}

// devlink is devlink without the handle of the device, which vasicctl does not have.
func (v *vswitch) devlink(words []string) (Outcome, error) {
	switch cmd := strings.Join(words, " "); {
	case cmd == "dev reload "+device:
		return v.vasicctl("", "reload"), nil
	case cmd == "resource show "+device:
		out := v.vasicctl("", "resource", "show")
		out.Stdout = device + ":\n" + out.Stdout
		return out, nil
	case strings.HasPrefix(cmd, "resource set "+device+" "):
		return v.vasicctl("", append([]string{"resource", "set"}, words[3:]...)...), nil
	}
	return Outcome{}, fmt.Errorf("no command of vasicctl for devlink %q", words)
}
