package cli

import (
	"context"
	"fmt"
	"strings"
)

// completions are the words that may follow an object.
var completions = []struct{ object, words string }{
	{"route", "show list add replace change append prepend del get flush load help"},
	{"address", "show add del help"},
	{"link", "show add set del help"},
	{"monitor", "route all label dev --from --count help"},
	{"sysctl", "-w -q -n -a net.ipv4.fib_notify_on_flag_change net.ipv6.fib_notify_on_flag_change net.ipv4.conf.all.ignore_routes_with_linkdown net.ipv6.conf.all.ignore_routes_with_linkdown net.ipv6.route.skip_notify_on_dev_down"},
	{"resource", "show set help"},
	{"reload", "help"},
	{"asic", "show pause step resume help"},
	{"fault", "show set fail_route_offload fail_route_delete fail_reload dont_allow_reload on off help"},
	{"status", "help"},
	{"completion", "bash zsh fish"},
	{"help", ""},
}

// routeWords may stand anywhere behind a command of route.
const routeWords = "unicast local broadcast anycast multicast blackhole unreachable prohibit throw default via inet6 dev onlink metric table " +
	"proto scope src tos from mtu advmss nexthop weight root match exact type fibmatch --wait --no-wait main all kernel boot static bgp"

// globalOptions stand in front of the object.
const globalOptions = "-4 -6 -j -p -d -s -o -br -t -ts -batch -force -V -h --server --insecure --tls-ca --tls-cert --tls-key"

// completion prints a shell's script that completes command lines.
func (s *session) completion(_ context.Context, words []string) error {
	p := parser{words: words}
	shell := p.word()
	if err := p.end(shell); err != nil {
		return err
	}
	scripts := map[string]func() string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	script, ok := scripts[shell]
	if !ok {
		return usageError(fmt.Sprintf("Error: %q is not a shell that is known; there are bash, fish and zsh.", shell))
	}
	_, err := fmt.Fprint(s.env.Stdout, script())
	return err
}

// objectWords are the names of all objects.
func objectWords() string {
	var names []string
	for _, c := range completions {
		names = append(names, c.object)
	}
	return strings.Join(names, " ")
}

func bashCompletion() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# bash completion for vasicctl: source <(vasicctl completion bash)
_vasicctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} object= i words
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --server|--tls-*|-b|-batch) ((i++)) ;;
            -*) ;;
            *) object=${COMP_WORDS[i]}; break ;;
        esac
    done
    case $object in
        "") words="%s %s" ;;
`, globalOptions, objectWords())
	for _, c := range completions {
		words := c.words
		if c.object == "route" {
			words += " " + routeWords
		}
		fmt.Fprintf(&b, "        %s) words=%q ;;\n", c.object, words)
	}
	b.WriteString(`        *) words= ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _vasicctl vasicctl
`)
	return b.String()
}

func zshCompletion() string {
	return "#compdef vasicctl\n# zsh completion for vasicctl: source <(vasicctl completion zsh)\n" +
		"autoload -U +X bashcompinit && bashcompinit\n" + bashCompletion()
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion for vasicctl: vasicctl completion fish | source\n")
	fmt.Fprintf(&b, "complete -c vasicctl -n __fish_use_subcommand -f -a %q\n", objectWords())
	for o := range strings.FieldsSeq(globalOptions) {
		style := "-o"
		if strings.HasPrefix(o, "--") {
			style = "-l"
		} else if len(o) == 2 {
			style = "-s"
		}
		fmt.Fprintf(&b, "complete -c vasicctl -n __fish_use_subcommand %s %s\n", style, strings.TrimLeft(o, "-"))
	}
	for _, c := range completions {
		words := c.words
		if c.object == "route" {
			words += " " + routeWords
		}
		if words != "" {
			fmt.Fprintf(&b, "complete -c vasicctl -n '__fish_seen_subcommand_from %s' -a %q\n", c.object, words)
		}
	}
	return b.String()
}
