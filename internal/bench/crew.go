package bench

import (
	"context"
	"io"
	"log/slog"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/buildinfo"
)

// crew is a number of producers or workers with the connections that they share. Those that share one stand side by
// side, and the connections go round the addresses.
type crew struct {
	size    int
	clients []*client.Client
}

func newCrew(cfg *Config, size int) (*crew, error) {
	connections := cfg.Connections
	if connections == 0 {
		connections = (size + perConnection - 1) / perConnection
	}
	c := &crew{size: size}
	for i := range min(connections, size) {
		first := i % len(cfg.Addrs)
		addresses := append(append([]string(nil), cfg.Addrs[first:]...), cfg.Addrs[:first]...)
		one, err := client.New(client.Config{
			Addrs: addresses, Name: "haiku bench " + buildinfo.Version(), Stay: !cfg.ToLeader, Token: cfg.Token,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			c.close()
			return nil, err
		}
		c.clients = append(c.clients, one)
	}
	return c, nil
}

// place tells which of the connections the i-th member uses.
func (c *crew) place(i int) int { return i * len(c.clients) / c.size }

// connect opens every connection.
func (c *crew) connect(ctx context.Context) error {
	for _, one := range c.clients {
		if _, err := one.Stats(ctx, client.Stale()); err != nil {
			return err
		}
	}
	return nil
}

func (c *crew) close() {
	for _, one := range c.clients {
		one.Close()
	}
}

// histograms makes one for each connection.
func (c *crew) histograms() []*histogram {
	list := make([]*histogram, len(c.clients))
	for i := range list {
		list[i] = newHistogram()
	}
	return list
}
