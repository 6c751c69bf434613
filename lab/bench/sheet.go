package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// sheet is one table of the report. Its rows appear in the order in which they were measured first.
type sheet struct {
	title   string
	columns []column
	names   []string          // of the rows
	cells   map[string]series // by row and column
	notes   []string
}

// column is one quantity.
type column struct {
	name   string // with its unit
	format format
}

// newSheet returns an empty table.
func newSheet(title string, columns ...column) *sheet {
	return &sheet{title: title, columns: columns, cells: make(map[string]series)}
}

// add adds the value of one round. NaN stands for a round without one and is left out.
func (s *sheet) add(row, column string, value float64) {
	if !slices.Contains(s.names, row) {
		s.names = append(s.names, row)
	}
	if !math.IsNaN(value) {
		s.cells[row+"\x00"+column] = append(s.cells[row+"\x00"+column], value)
	}
}

// set puts a whole series into a cell.
func (s *sheet) set(row, column string, values series) {
	for _, v := range values {
		s.add(row, column, v)
	}
}

// get returns what was measured.
func (s *sheet) get(row, column string) series { return s.cells[row+"\x00"+column] }

// notef adds a sentence below the table, once.
func (s *sheet) notef(format string, args ...any) {
	if note := fmt.Sprintf(format, args...); !slices.Contains(s.notes, note) {
		s.notes = append(s.notes, note)
	}
}

// markdown writes the table, its columns aligned so that it can be read as it stands.
func (s *sheet) markdown(out *strings.Builder) {
	fmt.Fprintf(out, "### %s\n\n", s.title)
	if len(s.names) > 0 {
		s.grid(out)
		out.WriteByte('\n')
	}
	for _, note := range s.notes {
		fmt.Fprintf(out, "%s\n\n", note)
	}
}

// grid writes head and rows.
func (s *sheet) grid(out *strings.Builder) {
	grid := [][]string{{""}}
	for _, c := range s.columns {
		grid[0] = append(grid[0], c.name)
	}
	for _, name := range s.names {
		row := []string{name}
		for _, c := range s.columns {
			row = append(row, s.get(name, c.name).summary(c.format))
		}
		grid = append(grid, row)
	}
	widths := make([]int, len(grid[0]))
	for _, row := range grid {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for n, row := range grid {
		for i, text := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			if i == 0 {
				out.WriteString("| " + text + pad + " |")
			} else {
				out.WriteString(" " + pad + text + " |")
			}
		}
		out.WriteByte('\n')
		if n > 0 {
			continue
		}
		for i, width := range widths {
			if i == 0 {
				out.WriteString("|" + strings.Repeat("-", width+2) + "|")
			} else {
				out.WriteString(strings.Repeat("-", width+1) + ":|")
			}
		}
		out.WriteByte('\n')
	}
}
