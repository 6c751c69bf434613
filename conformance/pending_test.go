package conformance

import (
	"regexp"
	"strings"
)

// pending lists the scenarios that need what the switch does not have yet, and what that is. Such a trace is replayed up to the command
// that is refused; when none is refused any more, the test fails until the scenario is taken off the list.
var pending = map[string]string{
	"nh-capacity":         "next-hop objects",
	"nh-compat-mode-off":  "next-hop objects",
	"nh-fail-offload":     "next-hop objects",
	"nh-group":            "next-hop objects",
	"nh-group-del-in-use": "next-hop objects",
	"nh-group-del-member": "next-hop objects",
	"nh-link-down":        "next-hop objects",
	"nh-missing":          "next-hop objects",
	"nh-reload":           "next-hop objects",
	"nh-replace":          "next-hop objects",
	"nh-resilient":        "next-hop objects",
	"nh-single":           "next-hop objects",
	"rules":               "rules",
	"rules-capacity":      "rules",
	"vrf":                 "VRFs",
}

var unknownSetting = regexp.MustCompile(`sysctl: cannot stat (\S+): No such file or directory`)

// lacking returns what a command line needed, if vasicctl refused it because the switch does not have that yet.
func lacking(o *Outcome) string {
	if what, ok := strings.CutSuffix(o.Stderr, " is not supported by this switch.\n"); ok {
		return strings.TrimPrefix(what, "Error: ")
	}
	if m := unknownSetting.FindStringSubmatch(o.Stderr); m != nil {
		return m[1]
	}
	return ""
}
