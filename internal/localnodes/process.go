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

// Process is one child with its output in a file. It has a group of its own, so a Ctrl-C reaches it only through us.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // of Wait; read after done
}

// StartProcess starts a program whose output goes to NAME.log in a folder, behind what is there.
func StartProcess(dir, name, program string, args ...string) (*Process, error) {
	p := &Process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
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

// Stop asks the process to end and waits. The error says that it did not, or not with exit code 0.
func (p *Process) Stop() error {
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
		err := p.Kill()
		return errors.Join(fmt.Errorf("%s did not stop within %s", p.name, stopGrace), err)
	}
}

// Kill ends the process as a crash would.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

func (p *Process) ended() error {
	if p.err != nil {
		return fmt.Errorf("%s: %w; the end of its log:\n%s", p.name, p.err, lastLines(p.log))
	}
	return nil
}

// alive fails if the process has ended although nobody asked it to.
func (p *Process) alive() error {
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
