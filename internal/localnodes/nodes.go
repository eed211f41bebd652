package localnodes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
)

const (
	startTimeout = time.Minute
	pollPause    = 50 * time.Millisecond
)

// Config says which nodes to start.
type Config struct {
	Binary     string // haikud; found by Find if empty
	Count      int
	HTTP       bool   // they serve HTTP, too
	ProfileDir string // node1, node2 and so on get a folder each in it for their profiles; none if empty
}

// Nodes is a cluster of child processes.
type Nodes struct {
	dir    string
	keep   bool // what is in dir when the processes have ended
	list   []*node
	client *client.Client
}

// ErrStatesDiffer: the nodes do not have the same state at the same index of the log.
var ErrStatesDiffer = errors.New("the states differ")

type node struct {
	name    string
	address string
	http    string // empty if it serves none
	binary  string
	args    []string
	*Process
}

// Find returns the haikud beside this program, or else the one in PATH.
func Find() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "haikud")
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	found, err := exec.LookPath("haikud")
	if err != nil {
		return "", fmt.Errorf("find haikud, which is neither beside this program nor in PATH: %w", err)
	}
	return found, nil
}

// Start starts the nodes and waits until all of them are voters and see a leader.
func Start(ctx context.Context, cfg Config) (_ *Nodes, err error) {
	if cfg.Binary == "" {
		if cfg.Binary, err = Find(); err != nil {
			return nil, err
		}
	}
	addresses, err := freeAddresses(2 * cfg.Count)
	if err != nil {
		return nil, err
	}
	addresses, web := addresses[:cfg.Count], addresses[cfg.Count:]
	if !cfg.HTTP {
		clear(web)
	}
	dir, err := os.MkdirTemp("", "haiku-nodes-")
	if err != nil {
		return nil, err
	}
	n := &Nodes{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Stop())
		}
	}()
	n.client, err = client.New(client.Config{Addrs: addresses, Name: "haiku localnodes", RetryFor: startTimeout})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not within %s", startTimeout))
	defer cancel()
	for i := range addresses {
		if err := n.start(cfg, addresses, web[i], i); err != nil {
			return nil, err
		}
		if err := n.await(ctx, n.list[i], func(s member.Status) bool { return s.LeaderAddress != "" }); err != nil {
			return nil, err
		}
	}
	for _, one := range n.list {
		if err := n.await(ctx, one, n.complete); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// start starts the i-th node.
func (n *Nodes) start(cfg Config, addresses []string, web string, i int) error {
	name := fmt.Sprintf("node%d", i+1)
	args := []string{"--data-dir", filepath.Join(n.dir, name), "--listen", addresses[i], "--node-name", name}
	if i == 0 {
		args = append(args, "--bootstrap")
	} else {
		args = append(args, "--join", addresses[0])
	}
	if web != "" {
		args = append(args, "--http-listen", web)
	}
	if cfg.ProfileDir != "" {
		args = append(args, "--profile-dir", filepath.Join(cfg.ProfileDir, name))
	}
	n.list = append(n.list, &node{name: name, address: addresses[i], http: web, binary: cfg.Binary, args: args})
	return n.Restart(i)
}

// Restart starts a node that has ended.
func (n *Nodes) Restart(i int) (err error) {
	one := n.list[i]
	one.Process, err = StartProcess(n.dir, one.name, one.binary, one.args...)
	return err
}

// Kill ends a node as a crash would. Its data stays.
func (n *Nodes) Kill(i int) error { return n.list[i].Kill() }

// Leader returns the place in Addresses of the node that leads, once there is one.
func (n *Nodes) Leader(ctx context.Context) (int, error) {
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	for {
		status, err := n.client.Status(ctx)
		for i, one := range n.list {
			if err == nil && one.address == status.LeaderAddress {
				return i, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for a leader: %w", context.Cause(ctx))
		}
	}
}

// freeAddresses finds loopback ports that nobody listens on.
func freeAddresses(count int) ([]string, error) {
	var addresses []string
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // after all are chosen, so they differ
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// complete reports whether a node sees all nodes as voters, and a leader.
func (n *Nodes) complete(s member.Status) bool {
	voters := 0
	for _, m := range s.Members {
		if m.Voter {
			voters++
		}
	}
	return voters == len(n.list) && s.LeaderAddress != ""
}

// await asks a node for its status until it is as wanted.
func (n *Nodes) await(ctx context.Context, one *node, wanted func(member.Status) bool) error {
	tick := time.NewTicker(pollPause)
	defer tick.Stop()
	for {
		if err := one.alive(); err != nil {
			return err
		}
		if s, err := n.client.StatusOf(ctx, one.address); err == nil && wanted(s) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", one.name, context.Cause(ctx))
		}
	}
}

// Addresses lists the nodes' addresses.
func (n *Nodes) Addresses() []string {
	addresses := make([]string, len(n.list))
	for i, one := range n.list {
		addresses[i] = one.address
	}
	return addresses
}

// HTTPAddresses lists the addresses under which the nodes serve HTTP.
func (n *Nodes) HTTPAddresses() []string {
	addresses := make([]string, len(n.list))
	for i, one := range n.list {
		addresses[i] = one.http
	}
	return addresses
}

// Client talks to the nodes; it knows all of them. It is closed by Stop.
func (n *Nodes) Client() *client.Client { return n.client }

// Name is what a node is called.
func (n *Nodes) Name(i int) string { return n.list[i].name }

// Keep has Stop leave the nodes' data and logs where they are.
func (n *Nodes) Keep() { n.keep = true }

// Dir is the folder of the nodes' data and logs.
func (n *Nodes) Dir() string { return n.dir }

// StateHash has every node compute its state hash at one index of the log and returns it. The error
// wraps ErrStatesDiffer if they differ.
func (n *Nodes) StateHash(ctx context.Context) (string, error) {
	index, err := n.client.Mark(ctx)
	if err != nil {
		return "", fmt.Errorf("mark: %w", err)
	}
	hashes := make([]string, len(n.list))
	for i, one := range n.list {
		err := n.await(ctx, one, func(s member.Status) bool {
			if s.LastMark == nil || s.LastMark.Index != index {
				return false
			}
			hashes[i] = s.LastMark.StateHash
			return hashes[i] != ""
		})
		if err != nil {
			return "", err
		}
	}
	for i, hash := range hashes {
		if hash != hashes[0] {
			return "", fmt.Errorf("%w at index %d: %s has %s, %s has %s",
				ErrStatesDiffer, index, n.list[0].name, hashes[0], n.list[i].name, hash)
		}
	}
	return hashes[0], nil
}

// Stop ends the processes and removes their data, unless Keep was called. The error says which did not end well.
func (n *Nodes) Stop() error {
	var problems []error
	if n.client != nil {
		n.client.Close()
	}
	for i := len(n.list) - 1; i >= 0; i-- {
		if n.list[i].Process != nil {
			problems = append(problems, n.list[i].Process.Stop())
		}
	}
	n.list = nil
	if !n.keep {
		problems = append(problems, os.RemoveAll(n.dir))
	}
	return errors.Join(problems...)
}
