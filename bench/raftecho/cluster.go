package raftecho

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/bench/proc"
)

// NodeCommand is the first argument of a process that is to be a node; the program has to pass the others to RunNode.
const NodeCommand = "raftecho-node"

const (
	nodeCount    = 3
	startTimeout = 30 * time.Second
)

// Cluster is three nodes, each a process.
type Cluster struct {
	Leader string // its address for clients
	Procs  []*proc.Proc
	dir    string
}

// RunNode is a node until ctx ends: dir, log store, Raft address, client address, all Raft addresses by comma.
func RunNode(ctx context.Context, args []string) error {
	if len(args) != 5 {
		return errors.New("a node wants five arguments")
	}
	return Serve(ctx, Config{Dir: args[0], LogStore: args[1], Raft: args[2], Listen: args[3], Peers: strings.Split(args[4], ",")})
}

// StartCluster starts three nodes with a kind of log store on free loopback ports, with their data below a new folder of
// dir ("" for the temporary one), and waits for a leader.
func StartCluster(ctx context.Context, dir, logStore string) (_ *Cluster, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	addresses, err := freeAddresses(2 * nodeCount)
	if err != nil {
		return nil, err
	}
	c := &Cluster{}
	if c.dir, err = os.MkdirTemp(dir, "raftecho-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	peers, clients := addresses[:nodeCount], addresses[nodeCount:]
	for i := range nodeCount {
		name := fmt.Sprintf("echo%d", i+1)
		own := filepath.Join(c.dir, name)
		if err := os.Mkdir(own, 0o755); err != nil {
			return nil, err
		}
		p, err := proc.Start(proc.Spec{
			Name: name, Dir: c.dir, Path: program,
			Args: []string{NodeCommand, own, logStore, peers[i], clients[i], strings.Join(peers, ",")},
		})
		if err != nil {
			return nil, err
		}
		c.Procs = append(c.Procs, p)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return c, proc.Retry(ctx, "wait for a leader", func() error { return c.find(clients) })
}

// find looks for the one node that takes clients.
func (c *Cluster) find(clients []string) (err error) {
	for _, address := range clients {
		var conn *Client
		if conn, err = Dial(address); err == nil {
			c.Leader = address
			err = conn.Do([]byte("ready"))
			conn.Close()
			return err
		}
	}
	return err
}

// Stop ends the processes and removes their data.
func (c *Cluster) Stop() error {
	for _, p := range c.Procs {
		p.Stop()
	}
	c.Procs = nil
	return os.RemoveAll(c.dir)
}

func freeAddresses(count int) (addresses []string, err error) {
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
