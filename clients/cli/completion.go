package cli

import (
	"context"
	"fmt"
	"strings"
)

// completions are the words that may follow an object.
var completions = []struct{ object, words string }{
	{"route", "show list add replace change append prepend del get flush load help"},
	{"nexthop", "show list add replace del get flush bucket id via dev blackhole group type mpath resilient buckets idle_timer unbalanced_timer onlink proto help"},
	{"rule", "show list add del flush pref table help"},
	{"address", "show add del help"},
	{"link", "show add set del type dummy vrf table up down carrier master nomaster help"},
	{"vrf", "show help"},
	{"neigh", neighWords},
	{"neighbour", neighWords},
	{"monitor", "route nexthop all label reason dev --from --count help"},
	{"sysctl", "-w -q -n -a"},
	{"resource", "show set path size unlimited IPv4/fib IPv4/fib-rules IPv6/fib IPv6/fib-rules nexthops groups group-members hosts memory help"},
	{"reload", "help"},
	{"asic", "show pause step resume queue limit help"},
	{"fault", "show list set add del all fail_route_offload fail_route_delete fail_reload dont_allow_reload on off prefix family inet inet6 table vrf op " +
		"replace append delete nexthop fail reason injected table_full unsupported hardware_error delay stall first every probability help"},
	{"lookup", "-f table vrf main help"},
	{"audit", "table vrf main root verdict consistent pending trapped blackholed misrouted limit check help"},
	{"exposure", "live for until synced from root table vrf main proto bgp top all help"},
	{"record", "show for force help"},
	{"replay", "speed recorded full force help"},
	{"status", "help"},
	{"completion", "bash zsh fish"},
	{"help", ""},
}

// neighWords are those of the object that has three names.
const neighWords = "show list add replace change del get flush lladdr dev nud permanent reachable stale noarp failed help"

// routeWords may stand anywhere behind a command of route.
const routeWords = "unicast local broadcast anycast multicast blackhole unreachable prohibit throw default via inet6 dev onlink metric table vrf nhid " +
	"proto scope src tos from mtu advmss nexthop weight root match exact type fibmatch reason --wait --no-wait main all kernel boot static bgp"

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

// moreWords adds to words of an object those that are listed elsewhere.
func moreWords(object, words string) string {
	switch object {
	case "route":
		words += " " + routeWords
	case "sysctl":
		for _, k := range sysctlKeys {
			words += " " + k.key
		}
	}
	return words
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
		words := moreWords(c.object, c.words)
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
		words := moreWords(c.object, c.words)
		if words != "" {
			fmt.Fprintf(&b, "complete -c vasicctl -n '__fish_seen_subcommand_from %s' -a %q\n", c.object, words)
		}
	}
	return b.String()
}
