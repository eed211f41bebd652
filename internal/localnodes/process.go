package localnodes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stopGrace is how long a process may take to go down in an orderly way.
const stopGrace = 20 * time.Second

// process is one child with its output in a file. It has a group of its own, so a Ctrl-C reaches it only through us.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read after done
}

func startProcess(dir, name, program string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = attributes()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop asks the process to end and waits. The error says that it did not, or not with exit code 0.
func (p *process) stop() error {
	select {
	case <-p.done:
		return p.ended()
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.ended()
	case <-timer.C:
		err := p.cmd.Process.Kill()
		<-p.done
		return errors.Join(fmt.Errorf("%s did not stop within %s", p.name, stopGrace), err)
	}
}

func (p *process) ended() error {
	if p.err != nil {
		return fmt.Errorf("%s: %w; the end of its log:\n%s", p.name, p.err, lastLines(p.log))
	}
	return nil
}

// alive fails if the process has ended although nobody asked it to.
func (p *process) alive() error {
	select {
	case <-p.done:
		return errors.Join(fmt.Errorf("%s has ended by itself", p.name), p.ended())
	default:
		return nil
	}
}

// lastLines is the end of a log file.
func lastLines(path string) string {
	const most = 2 << 10
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
