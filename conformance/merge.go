package conformance

import "slices"

// runLine is a line that some runs have. Bit i of runs stands for the trace's run i.
type runLine struct {
	runs uint8
	text string
}

// mergeRuns makes one list of the lines of several runs, in which each run's lines stand in their order and what runs have in common
// stands once.
func mergeRuns(runs [][]string) []runLine {
	var merged []runLine
	for i, lines := range runs {
		merged = mergeRun(merged, lines, 1<<i)
	}
	return merged
}

// mergeRun adds a run's lines along a longest common subsequence.
func mergeRun(merged []runLine, lines []string, run uint8) []runLine {
	// common[i][j] is the length of the longest common subsequence of merged[i:] and lines[j:].
	common := make([][]int, len(merged)+1)
	for i := range common {
		common[i] = make([]int, len(lines)+1)
	}
	for i, m := range slices.Backward(merged) {
		for j, line := range slices.Backward(lines) {
			if m.text == line {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []runLine
	i, j := 0, 0
	for i < len(merged) || j < len(lines) {
		switch {
		case i < len(merged) && j < len(lines) && merged[i].text == lines[j]:
			out = append(out, runLine{merged[i].runs | run, lines[j]})
			i, j = i+1, j+1
		case j == len(lines) || i < len(merged) && common[i+1][j] >= common[i][j+1]:
			out = append(out, merged[i])
			i++
		default:
			out = append(out, runLine{run, lines[j]})
			j++
		}
	}
	return out
}

// linesOf is the lines of run i.
func linesOf(merged []runLine, i int) []string {
	var out []string
	for _, l := range merged {
		if l.runs&(1<<i) != 0 {
			out = append(out, l.text)
		}
	}
	return out
}
