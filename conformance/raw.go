package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// rawTrace is the recorder's JSON.
type rawTrace struct {
	Scenario, Family, Group, Class, About, Kernel, IPRoute2 string

	Runs []struct {
		Notify         int
		OrderMayDiffer bool     `json:"order_may_differ"`
		Setup          []string `json:"setup"`
		SetupFailures  []any    `json:"setup_failures"`
		Baseline       struct {
			Routes    []map[string]any
			Resources map[string]rawResource
		}
		Steps []rawStep
	}
}

type rawResource struct {
	Size      string
	Occupancy int
}

type rawStep struct {
	Cmd, Stdout, Stderr string
	Exit                int
	Errno               []string
	Notifications       []rawNotification
	Also                [][]rawNotification    `json:"notifications_also_seen"`
	Gone                []map[string]any       `json:"routes_gone"`
	Came                []map[string]any       `json:"routes_came"`
	Resources           map[string]rawResource `json:"resources_changed"`
}

type rawNotification struct {
	Message   string
	Flags     []string
	Requested bool
	Text      *string
}

// ReadRaw reads one trace in the recorder's JSON. It refuses what it does not know, so that nothing recorded is lost.
func ReadRaw(r io.Reader) (*Trace, error) {
	var raw rawTrace
	d := json.NewDecoder(r)
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		return nil, err
	}
	t := &Trace{
		Scenario: raw.Scenario, Family: raw.Family, Group: raw.Group, Class: raw.Class, About: raw.About, Kernel: raw.Kernel, IPRoute2: raw.IPRoute2,
	}
	for i, rr := range raw.Runs {
		run := Run{Notify: rr.Notify, OrderMayDiffer: rr.OrderMayDiffer, Baseline: State{Resources: rawResources(rr.Baseline.Resources)}}
		for i := range rr.Setup {
			rr.Setup[i] = strings.TrimSpace(rr.Setup[i])
		}
		for _, f := range rr.SetupFailures {
			text, err := json.Marshal(f)
			if err != nil {
				return nil, err
			}
			run.SetupFailures = append(run.SetupFailures, string(text))
		}
		if i == 0 {
			t.Setup = append(t.Setup, rr.Setup...)
		} else if !slices.Equal(t.Setup, rr.Setup) {
			return nil, fmt.Errorf("run notify=%d: its setup differs from the first run's", rr.Notify)
		}
		var err error
		if run.Baseline.Routes, err = rawRoutes(rr.Baseline.Routes); err != nil {
			return nil, err
		}
		for j := range rr.Steps {
			step, err := rr.Steps[j].step()
			if err != nil {
				return nil, fmt.Errorf("run notify=%d: %w", rr.Notify, err)
			}
			run.Steps = append(run.Steps, step)
		}
		t.Runs = append(t.Runs, run)
	}
	return t, nil
}

func (s *rawStep) step() (step Step, err error) {
	step = Step{Cmd: strings.TrimSpace(s.Cmd), Outcome: Outcome{Exit: s.Exit, Stdout: s.Stdout, Stderr: s.Stderr, Resources: rawResources(s.Resources)}}
	step.Errno = append(step.Errno, s.Errno...)
	step.Notifications = rawNotifications(s.Notifications)
	for _, a := range s.Also {
		step.Also = append(step.Also, rawNotifications(a))
	}
	if step.Gone, err = rawRoutes(s.Gone); err != nil {
		return step, err
	}
	step.Came, err = rawRoutes(s.Came)
	return step, err
}

func rawNotifications(raw []rawNotification) []Notification {
	var list []Notification
	for _, n := range raw {
		m := Notification{Message: n.Message, Requested: n.Requested, NoText: n.Text == nil}
		m.Flags = append(m.Flags, n.Flags...)
		if n.Text != nil {
			m.Text = *n.Text
		}
		list = append(list, m)
	}
	return list
}

func rawResources(raw map[string]rawResource) map[string]Resource {
	if len(raw) == 0 {
		return nil
	}
	m := make(map[string]Resource, len(raw))
	for path, r := range raw {
		m[path] = Resource(r)
	}
	return m
}

func rawRoutes(raw []map[string]any) ([]Route, error) {
	var list []Route
	for _, r := range raw {
		route, err := routeOf(r)
		if err != nil {
			return nil, err
		}
		list = append(list, route)
	}
	return list, nil
}

// ReadRoutes reads what `ip -j -d route show` prints.
func ReadRoutes(text []byte) ([]Route, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	var raw []map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&raw); err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	return rawRoutes(raw)
}
