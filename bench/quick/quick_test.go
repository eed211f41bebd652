package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	samples := func(rates ...float64) (list []sample) {
		for _, r := range rates {
			list = append(list, sample{tasksPerS: r, cpu: 10, p50: 1, p99: 2})
		}
		return list
	}
	all := make(map[string]*pair)
	for _, k := range kinds {
		all[k.name] = &pair{haiku: samples(300, 100, 200), echo: samples(400, 800, 500)}
	}
	var out bytes.Buffer
	if err := report(&out, all); err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(out.String()), " ")
	if want := "lifecycle tasks/s 200 (100 to 300) 500 (400 to 800) 0.40"; !strings.Contains(words, want) {
		t.Errorf("%s\nlacks %s", out.String(), want)
	}
}

func TestRefusesFlags(t *testing.T) {
	for _, args := range [][]string{{}, {"-haikud", "x", "y"}, {"-haikud", "x", "-rounds", "0"}, {"-haikud", "x", "-log-store", "paper"}, {"-haikud", "./nothing"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("took %q", args)
		}
	}
}
