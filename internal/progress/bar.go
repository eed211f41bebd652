package progress

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
)

const (
	pause = 100 * time.Millisecond // between two drawings
	width = 24                     // of the bar, in characters
	clear = "\r\x1b[K"
)

// Bar is one line of progress. The methods of nil do nothing.
type Bar struct {
	out         io.Writer
	what        string
	total, done int64 // total is 0 if it is not known
	counts      bool  // of things, not of bytes
	begin, last time.Time
}

// New makes a bar if out is a terminal, else nil. what says what goes on, such as "reading".
func New(out io.Writer, what string, total int64) *Bar {
	file, ok := out.(*os.File)
	if !ok || !isatty.IsTerminal(file.Fd()) {
		return nil
	}
	return &Bar{out: out, what: what, total: total, begin: time.Now()}
}

// NewCount makes a bar of things instead of bytes; Set says how many.
func NewCount(out io.Writer, what string) *Bar {
	b := New(out, what, 0)
	if b != nil {
		b.counts = true
	}
	return b
}

// Add says that n more bytes are done.
func (b *Bar) Add(n int) {
	if b != nil {
		b.Set(b.done+int64(n), b.total)
	}
}

// Set says how much is done, and of how much.
func (b *Bar) Set(done, total int64) {
	if b == nil {
		return
	}
	b.done, b.total = done, total
	if now := time.Now(); now.Sub(b.last) >= pause {
		b.last = now
		fmt.Fprint(b.out, clear, b.line(now.Sub(b.begin)))
	}
}

// Clear takes the line away.
func (b *Bar) Clear() {
	if b != nil {
		fmt.Fprint(b.out, clear)
	}
}

// Reader counts what is read from r.
func (b *Bar) Reader(r io.Reader) io.Reader { return counting{r, b} }

type counting struct {
	from io.Reader
	bar  *Bar
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.bar.Add(n)
	return n, err
}

func (b *Bar) line(since time.Duration) string {
	text := b.what + " " + b.amount(b.done)
	if b.total > 0 {
		full := int(min(b.done, b.total) * width / b.total)
		text = fmt.Sprintf("%s [%s%s] %s of %s", b.what, strings.Repeat("=", full), strings.Repeat(" ", width-full),
			b.amount(b.done), b.amount(b.total))
	}
	if seconds := since.Seconds(); seconds > 0 {
		text += fmt.Sprintf(", %s/s", b.amount(int64(float64(b.done)/seconds)))
	}
	return text
}

func (b *Bar) amount(n int64) string {
	if b.counts {
		return strconv.FormatInt(n, 10)
	}
	return Bytes(n)
}

// Bytes writes a number of bytes for people.
func Bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exponent := float64(n)/unit, 0
	for value >= unit && exponent < 3 {
		value, exponent = value/unit, exponent+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGT"[exponent])
}
