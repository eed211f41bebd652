package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
)

// node is one haikud process with its data directory, which survives the process.
type node struct {
	name    string
	address string
	args    []string
	*process
}

// nodes are the three haikud processes.
type nodes struct {
	dir    string // of data and logs
	binary string
	list   []*node
	client *client.Client // knows all three addresses
}

func newNodes(dir, binary string, count int) (*nodes, error) {
	addresses, err := freeAddresses(count)
	if err != nil {
		return nil, err
	}
	n := &nodes{dir: dir, binary: binary}
	for i, address := range addresses {
		name := fmt.Sprintf("node%d", i+1)
		args := []string{"--data-dir", filepath.Join(dir, name), "--listen", address, "--node-name", name}
		if i == 0 {
			args = append(args, "--bootstrap")
		} else {
			args = append(args, "--join", addresses[0])
		}
		n.list = append(n.list, &node{name: name, address: address, args: args})
	}
	n.client, err = client.New(client.Config{Addrs: addresses, Name: "make-run", RetryFor: time.Minute})
	return n, err
}

// freeAddresses finds loopback ports that nobody listens on.
func freeAddresses(count int) ([]string, error) {
	var addresses []string
	var problems []error
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, l.Addr().String())
		defer func() { problems = append(problems, l.Close()) }() // after all are chosen, so they differ
	}
	return addresses, errors.Join(problems...)
}

// start starts one node, the first time or again.
func (n *nodes) start(one *node) (err error) {
	one.process, err = start(n.dir, one.name, n.binary, one.args...)
	return err
}

// startAll starts the nodes and waits until each of them sees three voters and a leader.
func (n *nodes) startAll(ctx context.Context) error {
	for _, one := range n.list {
		if err := n.start(one); err != nil {
			return err
		}
		if err := n.await(ctx, one, func(s member.Status) bool { return s.LeaderAddress != "" }); err != nil {
			return err
		}
	}
	for _, one := range n.list {
		if err := n.await(ctx, one, n.complete); err != nil {
			return err
		}
	}
	return nil
}

// complete reports whether a node sees all nodes as voters, and a leader.
func (n *nodes) complete(s member.Status) bool {
	voters := 0
	for _, m := range s.Members {
		if m.Voter {
			voters++
		}
	}
	return voters == len(n.list) && s.LeaderAddress != ""
}

// await asks a node for its status until it is as wanted.
func (n *nodes) await(ctx context.Context, one *node, wanted func(member.Status) bool) error {
	return poll(ctx, one.name+" to be ready", func() (bool, error) {
		if err := one.alive(); err != nil {
			return false, err
		}
		s, err := n.client.StatusOf(ctx, one.address)
		return err == nil && wanted(s), nil
	})
}

// poll asks until the answer is yes, an error, or the time of ctx is up.
func poll(ctx context.Context, what string, ask func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		yes, err := ask()
		if yes || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}

// leader returns the node that leads, and another one.
func (n *nodes) leader(ctx context.Context) (leader, follower *node, err error) {
	err = poll(ctx, "a leader", func() (bool, error) {
		s, err := n.client.Status(ctx)
		if err != nil {
			return false, nil
		}
		leader, follower = nil, nil
		for _, one := range n.list {
			if one.address == s.LeaderAddress {
				leader = one
			} else {
				follower = one
			}
		}
		return leader != nil, nil
	})
	return leader, follower, err
}

// addresses lists all nodes as the haiku command wants them.
func (n *nodes) addresses() string { return n.addressesFrom(0) }

// addressesFrom begins with the address of one node.
func (n *nodes) addressesFrom(first int) string {
	var list []string
	for i := range n.list {
		list = append(list, n.list[(first+i)%len(n.list)].address)
	}
	return strings.Join(list, ",")
}

// stop stops the nodes that run, and says which did not end well.
func (n *nodes) stop() error {
	n.client.Close()
	var problems []error
	for i := len(n.list) - 1; i >= 0; i-- {
		if n.list[i].process != nil {
			problems = append(problems, n.list[i].process.stop())
		}
	}
	return errors.Join(problems...)
}

// stateHashes has every node compute its state hash at one and the same index, and returns them by name.
func (n *nodes) stateHashes(ctx context.Context) (map[string]string, error) {
	index, err := n.client.Mark(ctx)
	if err != nil {
		return nil, fmt.Errorf("mark: %w", err)
	}
	hashes := make(map[string]string)
	for _, one := range n.list {
		err := n.await(ctx, one, func(s member.Status) bool {
			if s.LastMark == nil || s.LastMark.Index != index || s.LastMark.StateHash == "" {
				return false
			}
			hashes[one.name] = s.LastMark.StateHash
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	return hashes, nil
}
