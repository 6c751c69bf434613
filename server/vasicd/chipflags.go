package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/vasic-project/vasic/asic"
	"github.com/vasic-project/vasic/server"
)

// chipFlags say how the chip and its surroundings behave. "" leaves a setting to the profile.
type chipFlags struct {
	profile         string
	latency         string
	distribution    string
	spread          string
	perNextHop      string
	maxRate         string
	retryFailed     string
	resolution      string
	resolutionDelay time.Duration
	auditInterval   time.Duration
}

func (c *chipFlags) register(f *flag.FlagSet) {
	f.StringVar(&c.profile, "profile", asic.Switch.Name, "how the chip decides: "+strings.Join(asic.Profiles(), ", ")+", or a YAML `file` with a profile (with a / in its name, or ending in .yaml)")
	f.StringVar(&c.latency, "latency", "", "`time` to program one route, on average, for example 1ms; \"\" for the profile's")
	f.StringVar(&c.distribution, "latency-distribution", "", "how it varies: constant, uniform, normal or exponential; \"\" for the profile's")
	f.StringVar(&c.spread, "latency-spread", "", "half the width of a uniform distribution, or the standard deviation of a normal one, as `time`; \"\" for the profile's")
	f.StringVar(&c.perNextHop, "latency-per-next-hop", "", "`time` that each next hop adds; \"\" for the profile's")
	f.StringVar(&c.maxRate, "max-operations-per-second", "", "operations that the chip carries out in a second at most, 0 for no limit; \"\" for the profile's")
	f.StringVar(&c.retryFailed, "retry-failed", "", "program routes that found no room again when there is: true or false; \"\" for the profile's")
	f.StringVar(&c.resolution, "neighbor-resolution", "auto", "auto: gateways of routes resolve by themselves; manual: only entries made by clients count")
	f.DurationVar(&c.resolutionDelay, "neighbor-resolution-delay", 0, "how long a gateway takes to resolve")
	f.DurationVar(&c.auditInterval, "audit-interval", 15*time.Second, "how often software and hardware are compared for metrics; 0 for never")
}

// distributions by name.
var distributions = map[string]asic.Distribution{
	"constant": asic.Constant, "uniform": asic.Uniform, "normal": asic.Normal, "exponential": asic.Exponential,
}

// finish checks the flags and puts them into the configuration.
func (c *chipFlags) finish(to *server.Config) error {
	if err := c.readProfile(to); err != nil {
		return err
	}
	for _, t := range []struct {
		name, text string
		to         **time.Duration
	}{{"latency", c.latency, &to.Latency}, {"latency-spread", c.spread, &to.LatencySpread}, {"latency-per-next-hop", c.perNextHop, &to.LatencyPerNextHop}} {
		if t.text == "" {
			continue
		}
		d, err := time.ParseDuration(t.text)
		if err != nil || d < 0 || d > server.MaxLatency {
			return fmt.Errorf("%s: %q is not a time like 1ms, at most %v", t.name, t.text, server.MaxLatency)
		}
		*t.to = &d
	}
	if c.distribution != "" {
		d, ok := distributions[c.distribution]
		if !ok {
			return fmt.Errorf("latency-distribution: %q is not constant, uniform, normal or exponential", c.distribution)
		}
		to.Distribution = &d
	}
	if c.maxRate != "" {
		n, err := strconv.ParseUint(c.maxRate, 10, 32)
		if err != nil {
			return fmt.Errorf("max-operations-per-second: %q is not a number from 0 to 4294967295", c.maxRate)
		}
		rate := uint32(n)
		to.MaxRate = &rate
	}
	if c.retryFailed != "" {
		on, err := strconv.ParseBool(c.retryFailed)
		if err != nil {
			return fmt.Errorf("retry-failed: %q is not true or false", c.retryFailed)
		}
		to.RetryFailed = &on
	}
	switch c.resolution {
	case "auto":
	case "manual":
		to.ManualNeighbors = true
	default:
		return fmt.Errorf("neighbor-resolution: %q is not auto or manual", c.resolution)
	}
	if c.resolutionDelay < 0 || c.resolutionDelay > server.MaxLatency {
		return fmt.Errorf("neighbor-resolution-delay: %v is not between 0 and %v", c.resolutionDelay, server.MaxLatency)
	}
	if c.auditInterval < 0 {
		return fmt.Errorf("audit-interval: %v is less than 0", c.auditInterval)
	}
	to.ResolutionDelay, to.AuditInterval = c.resolutionDelay, c.auditInterval
	return nil
}

// readProfile finds the profile by its name, or reads it from a file.
func (c *chipFlags) readProfile(to *server.Config) error {
	if !strings.Contains(c.profile, "/") && !strings.HasSuffix(c.profile, ".yaml") && !strings.HasSuffix(c.profile, ".yml") {
		to.Profile = c.profile
		if _, err := asic.ProfileByName(c.profile); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		return nil
	}
	file, err := os.Open(c.profile)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer file.Close()
	if to.ChipProfile, err = asic.LoadProfile(file); err != nil {
		return fmt.Errorf("profile: %s: %w", c.profile, err)
	}
	to.Profile = to.ChipProfile.Name
	return nil
}
