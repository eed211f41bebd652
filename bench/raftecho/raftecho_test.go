package raftecho

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/bench/proc"
)

// TestMain lets the test program be a node, as StartCluster wants of the program that uses it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == NodeCommand {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := RunNode(ctx, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	os.Exit(m.Run())
}

func TestLoad(t *testing.T) {
	for _, kind := range []string{"boltdb", "wal"} {
		t.Run(kind, func(t *testing.T) { testLoad(t, kind) })
	}
}

func testLoad(t *testing.T, kind string) {
	c, err := StartCluster(t.Context(), t.TempDir(), kind)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}()
	for name, load := range map[string]Load{
		"single": {Producers: 40, Workers: 20, Batch: 1, ClaimMax: 1, Tasks: 500},
		"batch":  {Producers: 2, Workers: 3, Batch: 70, ClaimMax: 16, Tasks: 500},
		"rate":   {Producers: 1, Workers: 1, Batch: 1, ClaimMax: 1, Tasks: 20, Rate: 100},
	} {
		t.Run(name, func(t *testing.T) {
			before := proc.ReadUsage(c.Procs, ".")
			got, err := Run(t.Context(), c.Leader, load)
			if err != nil {
				t.Fatal(err)
			}
			if got.TasksPerS <= 0 || got.P50 <= 0 || got.P99 < got.P50 || proc.ReadUsage(c.Procs, ".").Sub(before).Servers < 0 {
				t.Errorf("%+v", got)
			}
			if load.Rate > 0 && got.TasksPerS > 110 {
				t.Errorf("%.0f tasks a second at a rate of %d", got.TasksPerS, load.Rate)
			}
		})
	}
}

func TestLoadEndsWithoutServer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := Run(ctx, "127.0.0.1:1", Load{Producers: 1, Workers: 1, Batch: 1, ClaimMax: 1, Tasks: 1}); err == nil {
		t.Error("a load without a server came to its end")
	}
}
