package conformance

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:embed testdata/kernel/common.txt
var commonText string

// block is lines that many traces have, under a name.
type block struct {
	name  string
	lines []string
}

// commonBlocks are the blocks of common.txt, in its order.
var commonBlocks = sync.OnceValue(func() []block {
	var blocks []block
	for line := range strings.Lines(commonText) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "@"); ok {
			blocks = append(blocks, block{name: name})
		} else if len(line) > indent && len(blocks) > 0 && line[:indent] == "   " {
			b := &blocks[len(blocks)-1]
			b.lines = append(b.lines, line[indent:])
		}
	}
	return blocks
})

// commonLines returns the lines of a block, or nil.
func commonLines(name string) []string {
	for _, b := range commonBlocks() {
		if b.name == name {
			return b.lines
		}
	}
	return nil
}

// commonAt returns the block that the lines begin with, and how many lines it has.
func commonAt(lines []runLine, all uint8) (name string, n int) {
	for _, b := range commonBlocks() {
		if len(b.lines) <= len(lines) && slices.EqualFunc(lines[:len(b.lines)], b.lines, func(l runLine, text string) bool {
			return l.runs == all && l.text == text
		}) {
			return b.name, len(b.lines)
		}
	}
	return "", 0
}
