package outage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for something that has to come about.
const patience = 40 * time.Second

// process is one running program, with its standard error in a file.
type process struct {
	cmd    *exec.Cmd
	stderr string
	done   chan struct{} // closed when it has ended
}

// start starts a program in its working directory. Whatever becomes of the test, it is killed at its end.
func start(t testing.TB, dir string, env []string, program string, args ...string) *process {
	t.Helper()
	stderr, err := os.CreateTemp(dir, filepath.Base(program)+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	p := &process{stderr: stderr.Name(), done: make(chan struct{}), cmd: exec.Command(program, args...)}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = dir, append(os.Environ(), env...), stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the exit code is in ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it also ends what is stopped; an error means that it has ended
		<-p.done
		if t.Failed() {
			t.Logf("%s %s said at its end:\n%s", filepath.Base(program), strings.Join(args, " "), p.said())
		}
	})
	return p
}

// signal sends a signal, which has to reach the process.
func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s: %v\n%s", s, err, p.said())
	}
}

// kill ends the process as a crash would.
func (p *process) kill(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	<-p.done
}

// exit waits until the process has ended and returns its exit code.
func (p *process) exit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.signal(t, syscall.SIGQUIT) // it says what its goroutines wait for
		<-p.done
		t.Fatalf("%s did not end", p.cmd.Path)
		return 0
	}
}

// ended reports whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// said is the end of what the process wrote to standard error.
func (p *process) said() string {
	const most = 128 << 10
	text, err := os.ReadFile(p.stderr)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// refused wants the process to end with code 1 and one line that says why; lines of the log do not count.
func (p *process) refused(t testing.TB, words ...string) {
	t.Helper()
	if code := p.exit(t); code != 1 {
		t.Errorf("exit code %d, want 1\n%s", code, p.said())
	}
	var lines []string
	for line := range strings.Lines(p.said()) {
		if strings.HasPrefix(line, "haikud: ") {
			lines = append(lines, line)
		} else if !strings.HasPrefix(line, "time=") {
			t.Errorf("neither log nor refusal: %q", line)
		}
	}
	if len(lines) != 1 {
		t.Errorf("%d lines say why, want one\n%s", len(lines), p.said())
		return
	}
	for _, word := range words {
		if !strings.Contains(lines[0], word) {
			t.Errorf("the refusal does not say %q: %s", word, lines[0])
		}
	}
}

// command runs a program to its end and returns its standard output.
func command(t testing.TB, dir, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var said bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	return string(out)
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}

var (
	portsMu sync.Mutex
	ports   = make(map[int]bool) // given out
)

// freeAddress finds a loopback port that nobody listens on. It is below those that the system gives to outgoing
// connections, so that none of them takes it while its node is down.
func freeAddress(t testing.TB) string {
	t.Helper()
	portsMu.Lock()
	defer portsMu.Unlock()
	for range 1000 {
		port := 20_000 + rand.IntN(10_000)
		if ports[port] {
			continue
		}
		address := fmt.Sprintf("127.0.0.1:%d", port)
		l, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		ports[port] = true
		return address
	}
	t.Fatal("no free port")
	return ""
}
