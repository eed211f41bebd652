package progress

import (
	"fmt"
	"io"
	"os"
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
	total, done int64 // bytes; total is 0 if it is not known
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

// Add says that n more bytes are done.
func (b *Bar) Add(n int) {
	if b == nil {
		return
	}
	b.done += int64(n)
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
	text := b.what + " " + Bytes(b.done)
	if b.total > 0 {
		full := int(min(b.done, b.total) * width / b.total)
		text = fmt.Sprintf("%s [%s%s] %s of %s", b.what, strings.Repeat("=", full), strings.Repeat(" ", width-full),
			Bytes(b.done), Bytes(b.total))
	}
	if seconds := since.Seconds(); seconds > 0 {
		text += fmt.Sprintf(", %s/s", Bytes(int64(float64(b.done)/seconds)))
	}
	return text
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
