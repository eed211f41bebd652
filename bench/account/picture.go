package main

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

const (
	pictureWidth = 1200.0
	rowHeight    = 16
	letterWidth  = 6.1
	leastShare   = 0.004 // of the whole; a narrower function is left out
	deepest      = 40    // functions of one stack
)

// frame is a function in the picture, called by the one above it.
type frame struct {
	name  string // shortened
	color int    // its place in areas
	value float64
	calls map[string]*frame
}

// call adds a value to a function that f calls.
func (f *frame) call(function string, value float64) *frame {
	next := f.calls[function]
	if next == nil {
		next = &frame{name: short(function), color: f.color, calls: make(map[string]*frame)}
		if name, found := areaOf(function); found {
			next.color = placeOf(name)
		}
		f.calls[function] = next
	}
	next.value += value
	return next
}

func placeOf(name string) int {
	return slices.IndexFunc(areas, func(a area) bool { return a.name == name })
}

// picture draws a profile: functions from the outermost downwards, as wide as their part in the whole, in the colors of
// their areas.
func picture(title string, p *profile.Profile, value int) string {
	root := &frame{name: title, color: placeOf(elsewhere), calls: make(map[string]*frame)}
	parts := make(map[string]float64)
	for _, s := range p.Sample {
		functions := stack(s)
		name, counts := place(functions)
		if !counts || name == benchmarkOwn {
			continue
		}
		amount := float64(s.Value[value])
		parts[name] += amount
		root.value += amount
		slices.Reverse(functions)
		at := root
		for _, f := range functions[:min(len(functions), deepest)] {
			at = at.call(f, amount)
			if name == scheduling {
				at.color = placeOf(scheduling)
			}
		}
	}
	c := &canvas{unit: pictureWidth / max(root.value, 1)}
	c.draw(root, 0, 0)
	return c.finish(title, parts, root.value)
}

// canvas collects what is drawn.
type canvas struct {
	unit  float64 // width of a value of one
	depth int
	body  strings.Builder
}

func (c *canvas) draw(f *frame, x float64, row int) {
	width := f.value * c.unit
	if width < leastShare*pictureWidth {
		return
	}
	c.depth = max(c.depth, row+1)
	share := fmt.Sprintf("%s %.1f %%", f.name, 100*width/pictureWidth)
	fmt.Fprintf(&c.body, "<g><title>%s</title><rect class=\"a%d\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
		html.EscapeString(share), f.color, x, row*rowHeight, width, rowHeight-1)
	if letters := int((width - 4) / letterWidth); letters > 3 {
		text := f.name
		if len(text) > letters {
			text = text[:letters-1] + "…"
		}
		fmt.Fprintf(&c.body, "<text x=\"%.1f\" y=\"%d\">%s</text>", x+2, row*rowHeight+12, html.EscapeString(text))
	}
	c.body.WriteString("</g>\n")
	calls := slices.SortedFunc(maps.Values(f.calls), func(a, b *frame) int {
		return cmp.Or(cmp.Compare(b.value, a.value), cmp.Compare(a.name, b.name))
	})
	for _, next := range calls {
		c.draw(next, x, row+1)
		x += next.value * c.unit
	}
}

// finish puts the legend below and the whole together.
func (c *canvas) finish(title string, parts map[string]float64, whole float64) string {
	var head, legend strings.Builder
	y := (c.depth + 1) * rowHeight
	shown := 0
	for i := range areas {
		fmt.Fprintf(&head, ".a%d{fill:%s}", i, areas[i].color)
		if parts[areas[i].name] == 0 {
			continue
		}
		x := 400 * (shown % 3)
		fmt.Fprintf(&legend, "<rect class=\"a%d\" x=\"%d\" y=\"%d\" width=\"12\" height=\"12\"/><text x=\"%d\" y=\"%d\">%s %.1f %%</text>\n",
			i, x, y, x+18, y+10, html.EscapeString(areas[i].name), 100*parts[areas[i].name]/whole)
		if shown++; shown%3 == 0 {
			y += rowHeight
		}
	}
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %d\" font-family=\"monospace\" font-size=\"10\">\n"+
		"<title>%s</title><style>%s</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n%s%s</svg>\n",
		pictureWidth, y+2*rowHeight, html.EscapeString(title), head.String(), c.body.String(), legend.String())
}

var (
	typeArguments = regexp.MustCompile(`\[.*\]`)
	versionPath   = regexp.MustCompile(`([^/]+)/v[0-9]+\.`)
)

// short names a function by its package's last word.
func short(function string) string {
	name := typeArguments.ReplaceAllString(function, "[…]")
	name = versionPath.ReplaceAllString(name, "$1.")
	return name[strings.LastIndexByte(name, '/')+1:]
}
