package cli

import (
	"bufio"
	"io"
	"strconv"
)

// A printer writes records as iproute2 does: the same calls give the words of a line, or with json the members of an object, in
// the same order. The layout of JSON is iproute2's too, so that even a script that greps it finds what it looks for. It belongs
// to one goroutine.
type printer struct {
	w      *bufio.Writer
	json   bool
	pretty bool // of JSON: on several lines

	depth int
	sep   byte // what goes before the next value: 0, or ','
}

// newPrinter returns a printer that writes to w, which is not flushed.
func newPrinter(w io.Writer, o options) *printer {
	return &printer{w: bufio.NewWriterSize(w, 64<<10), json: o.json, pretty: o.pretty}
}

// text writes s in text output only.
func (p *printer) text(s string) {
	if !p.json {
		p.w.WriteString(s)
	}
}

// str writes a word: `before + value + " "` as text, a member named key as JSON.
func (p *printer) str(key, before, value string) {
	if p.json {
		p.key(key)
		p.quote(value)
		p.sep = ','
		return
	}
	p.w.WriteString(before)
	p.w.WriteString(value)
	p.w.WriteByte(' ')
}

// uint writes a number like str.
func (p *printer) uint(key, before string, n uint64) {
	if !p.json {
		p.w.WriteString(before)
		p.number(n)
		p.w.WriteByte(' ')
		return
	}
	p.key(key)
	p.number(n)
	p.sep = ','
}

// float writes a number with so many digits behind the point, like str.
func (p *printer) float(key, before string, f float64, digits int) {
	if p.json {
		p.key(key)
	} else {
		p.w.WriteString(before)
	}
	p.w.Write(strconv.AppendFloat(p.w.AvailableBuffer(), f, 'f', digits, 64))
	if p.json {
		p.sep = ','
	} else {
		p.w.WriteByte(' ')
	}
}

// general writes a number with as many of six digits as it needs, like str.
func (p *printer) general(key, before string, f float64) {
	if p.json {
		p.key(key)
	} else {
		p.w.WriteString(before)
	}
	p.w.Write(strconv.AppendFloat(p.w.AvailableBuffer(), f, 'g', 6, 64))
	if p.json {
		p.sep = ','
	} else {
		p.w.WriteByte(' ')
	}
}

// null writes a word that as JSON is a member without a value.
func (p *printer) null(key, word string) {
	if p.json {
		p.key(key)
		p.w.WriteString("null")
		p.sep = ','
		return
	}
	p.w.WriteString(word)
	p.w.WriteByte(' ')
}

// boolean writes a member that is true; as text nothing.
func (p *printer) boolean(key string) {
	if p.json {
		p.key(key)
		p.w.WriteString("true")
		p.sep = ','
	}
}

// flag writes a word that is an element of an array in JSON.
func (p *printer) flag(set bool, word string) {
	switch {
	case !set:
	case p.json:
		p.separate()
		p.quote(word)
	default:
		p.w.WriteString(word)
		p.w.WriteByte(' ')
	}
}

// open starts an object ('{') or an array ('[') of JSON, as a member if it has a key.
func (p *printer) open(key string, bracket byte) {
	if !p.json {
		return
	}
	if key != "" {
		p.key(key)
	}
	p.separate()
	p.w.WriteByte(bracket)
	p.depth++
	p.sep = 0
	if bracket == '[' && p.pretty {
		p.w.WriteByte(' ')
	}
}

// close ends what open started; bracket is the closing one.
func (p *printer) close(bracket byte) {
	if !p.json {
		return
	}
	if bracket == ']' {
		if p.pretty && p.sep != 0 {
			p.w.WriteByte(' ')
		}
		p.sep = 0
	}
	p.depth--
	if p.sep != 0 {
		p.newLine()
	}
	p.w.WriteByte(bracket)
	p.sep = ','
}

// end ends a text of JSON with a new line.
func (p *printer) end() {
	if p.json {
		p.w.WriteByte('\n')
		p.sep = 0
	}
}

// finish ends the output. It returns err, or else why the output could not be written.
func (p *printer) finish(err error) error {
	p.end()
	if flushed := p.w.Flush(); err == nil {
		err = flushed
	}
	return err
}

// key writes a member's name.
func (p *printer) key(name string) {
	p.separate()
	p.newLine()
	p.quote(name)
	p.w.WriteByte(':')
	if p.pretty {
		p.w.WriteByte(' ')
	}
	p.sep = 0
}

// separate writes what belongs between two values.
func (p *printer) separate() {
	if p.sep != 0 {
		p.w.WriteByte(p.sep)
	}
	p.sep = ','
}

// newLine starts an indented line.
func (p *printer) newLine() {
	if !p.pretty {
		return
	}
	p.w.WriteByte('\n')
	for range p.depth {
		p.w.WriteString("    ")
	}
}

// quote writes a quoted string. Bytes beyond ASCII pass as they are.
func (p *printer) quote(s string) {
	const digits = "0123456789abcdef"
	p.w.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			p.w.WriteByte('\\')
			p.w.WriteByte(c)
		case c < ' ':
			p.w.WriteString(`\u00`)
			p.w.WriteByte(digits[c>>4])
			p.w.WriteByte(digits[c&0xf])
		default:
			p.w.WriteByte(c)
		}
	}
	p.w.WriteByte('"')
}

// number writes figures.
func (p *printer) number(n uint64) { p.w.Write(strconv.AppendUint(p.w.AvailableBuffer(), n, 10)) }
