package proc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	stopGrace = 10 * time.Second
	askPause  = 50 * time.Millisecond
)

// Spec says how to start a server.
type Spec struct {
	Name string
	Dir  string // working directory, and where NAME.log goes
	Path string
	Args []string
	Env  []string            // added to this program's environment
	Cred *syscall.Credential // nil to run as this program does
	Stop syscall.Signal      // 0 for SIGTERM
}

// Proc is a running server.
type Proc struct {
	Name string
	Pid  int

	cmd    *exec.Cmd
	signal syscall.Signal
	exited chan struct{}
}

// Start starts a server that dies with this program.
func Start(s Spec) (*Proc, error) {
	log, err := os.Create(filepath.Join(s.Dir, s.Name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true, Credential: s.Cred}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	p := &Proc{Name: s.Name, Pid: cmd.Process.Pid, cmd: cmd, signal: s.Stop, exited: make(chan struct{})}
	if p.signal == 0 {
		p.signal = syscall.SIGTERM
	}
	go func() {
		_ = cmd.Wait() // how it ended says nothing: it is told to
		close(p.exited)
	}()
	return p, nil
}

// Stop signals the server, waits for it, and kills what is left of its tree, each process by its id.
func (p *Proc) Stop() {
	tree := Tree([]*Proc{p})
	_ = p.cmd.Process.Signal(p.signal)
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
	}
	for _, s := range tree {
		if now, err := readStat(s.pid); err == nil && now.start == s.start {
			_ = syscall.Kill(s.pid, syscall.SIGKILL)
		}
	}
	<-p.exited
}

// WaitPort waits until something listens at an address, or p has ended.
func WaitPort(ctx context.Context, p *Proc, address string) error {
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer at %s: %w", p.Name, address, ctx.Err())
		case <-p.exited:
			return fmt.Errorf("%s ended while it started; see its log", p.Name)
		case <-time.After(askPause):
		}
	}
}

// Retry calls f until it succeeds or ctx ends.
func Retry(ctx context.Context, what string, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, errors.Join(ctx.Err(), err))
		case <-time.After(2 * askPause):
		}
	}
}
