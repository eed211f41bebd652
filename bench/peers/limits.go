package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/haiku-queue/haiku/bench/proc"
)

const echoAddr = "127.0.0.1:21900"

// physicalLimits measures what any broker on this machine has to live with.
func physicalLimits(w io.Writer, dir string) error {
	fmt.Fprintln(w, "| what | rate/s | p50 µs | p99 µs | CPU µs each |\n| --- | ---: | ---: | ---: | ---: |")
	disk := []struct {
		what        string
		size, files int
		prealloc    bool
		sync        func(fd int) error
	}{
		{"append 4 KiB, fsync", 4 << 10, 1, false, syscall.Fsync},
		{"append 4 KiB, fdatasync", 4 << 10, 1, false, syscall.Fdatasync},
		{"overwrite 4 KiB in written file, fdatasync", 4 << 10, 1, true, syscall.Fdatasync},
		{"append 256 B, fdatasync", 256, 1, false, syscall.Fdatasync},
		{"append 64 KiB, fdatasync", 64 << 10, 1, false, syscall.Fdatasync},
		{"append 1 MiB, fdatasync", 1 << 20, 1, false, syscall.Fdatasync},
		{"append 4 KiB, fdatasync, three files at once", 4 << 10, 3, false, syscall.Fdatasync},
		{"overwrite 4 KiB, fdatasync, three files at once", 4 << 10, 3, true, syscall.Fdatasync},
	}
	for _, d := range disk {
		err := limit(w, d.what, d.files, nil, func() (op, error) {
			return syncedWrites(dir, d.size, d.prealloc, d.sync)
		})
		if err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	server, err := proc.Start(proc.Spec{Name: "peers-echo", Dir: dir, Path: self, Args: []string{"-echo", echoAddr}})
	if err != nil {
		return err
	}
	defer func() {
		server.Stop()
		os.Remove(filepath.Join(dir, "peers-echo.log"))
	}()
	if err := proc.WaitPort(context.Background(), server, echoAddr); err != nil {
		return err
	}
	for _, conns := range []int{1, 2, 16, 64} {
		what := fmt.Sprintf("loopback TCP round trip of 256 B to another process, %d connections", conns)
		err := limit(w, what, conns, []*proc.Proc{server}, func() (op, error) { return roundTrips(echoAddr, 256) })
		if err != nil {
			return err
		}
	}
	return nil
}

// An op is something to be done again and again, and its cleaning up.
type op struct {
	do    func() error
	close func()
}

// limit does n ops side by side for two seconds and prints what that gave, with
// the CPU that it and the given servers used.
func limit(w io.Writer, what string, n int, servers []*proc.Proc, open func() (op, error)) error {
	var ops []op
	defer func() {
		for _, o := range ops {
			o.close()
		}
	}()
	for range n {
		o, err := open()
		if err != nil {
			return err
		}
		ops = append(ops, o)
	}
	const span = 2 * time.Second
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		all   []time.Duration
		first error
	)
	before := proc.ReadUsage(servers, ".")
	start := time.Now()
	for _, o := range ops {
		wg.Go(func() {
			var own []time.Duration
			var err error
			for t := time.Now(); err == nil && t.Sub(start) < span; {
				err = o.do()
				now := time.Now()
				own = append(own, now.Sub(t))
				t = now
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
			if err != nil {
				first = err
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	used := proc.ReadUsage(servers, ".").Sub(before)
	cpu := used.Driver + used.Servers
	if first != nil {
		return first
	}
	slices.Sort(all)
	k := float64(len(all))
	fmt.Fprintf(w, "| %s | %.0f | %.1f | %.1f | %.1f |\n", what, k/took.Seconds(),
		quantile(all, 0.5), quantile(all, 0.99), float64(cpu.Microseconds())/k)
	return nil
}

func syncedWrites(dir string, size int, prealloc bool, sync func(fd int) error) (op, error) {
	f, err := os.CreateTemp(dir, "peers-sync-")
	if err != nil {
		return op{}, err
	}
	o := op{close: func() {
		f.Close()
		os.Remove(f.Name())
	}}
	buf := make([]byte, size)
	const length = 64 << 20
	if prealloc {
		if _, err := f.Write(make([]byte, length)); err != nil {
			return o, err
		}
		if err := f.Sync(); err != nil {
			return o, err
		}
	}
	var at int64
	o.do = func() error {
		if prealloc {
			at %= length
		}
		if _, err := f.WriteAt(buf, at); err != nil {
			return err
		}
		at += int64(size)
		return sync(int(f.Fd()))
	}
	return o, nil
}

// roundTrips measures against an echo server in a process of its own, as a
// broker would be.
func roundTrips(addr string, size int) (op, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return op{}, err
	}
	buf := make([]byte, size)
	return op{
		do: func() error {
			if _, err := c.Write(buf); err != nil {
				return err
			}
			_, err := io.ReadFull(c, buf)
			return err
		},
		close: func() { c.Close() },
	}, nil
}

// echo serves connections on addr, giving back what it reads, until it is
// killed.
func echo(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 4<<10)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}
