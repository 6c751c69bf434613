package conformance

import (
	"regexp"
	"strings"
)

var unknownSetting = regexp.MustCompile(`sysctl: cannot stat (\S+): No such file or directory`)

// lacking returns what a command line needed, if vasicctl refused it because the switch does not have that.
func lacking(o *Outcome) string {
	if what, ok := strings.CutSuffix(o.Stderr, " is not supported by this switch.\n"); ok {
		return strings.TrimPrefix(what, "Error: ")
	}
	if m := unknownSetting.FindStringSubmatch(o.Stderr); m != nil {
		return m[1]
	}
	return ""
}
