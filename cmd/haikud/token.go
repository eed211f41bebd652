package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/tokenfile"
)

// readTokens reads the tokens that the settings name. gone is the error of files that are not there.
func (d *daemon) readTokens() (gone, err error) {
	d.token = d.cfg.Token
	for _, of := range []struct {
		key, file string
		to        *string
	}{{"token_file", d.cfg.TokenFile, &d.token}, {"bootstrap_token_file", d.cfg.BootstrapTokenFile, &d.firstToken}} {
		if of.file == "" {
			continue
		}
		text, err := tokenfile.Read(of.file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			gone = fmt.Errorf("%s: %w", of.key, err)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", of.key, err)
		default:
			*of.to = text
		}
	}
	return gone, nil
}

// allowGone lets the files be gone once the node belongs to a cluster: it does not need them then.
func (d *daemon) allowGone(gone error) error {
	if gone == nil || d.dir.ClusterID().IsZero() {
		return gone
	}
	d.log.Info("a token's file is gone, and not needed: the directory belongs to a cluster", "error", gone)
	return nil
}

// newClient makes a client to other nodes, which shows them that this one is a member, or else the token of the settings.
func (d *daemon) newClient(addresses ...string) (*client.Client, error) {
	token := cmp.Or(d.token, d.firstToken)
	if d.node != nil {
		token = cmp.Or(d.node.Proof(), token)
	}
	return client.New(client.Config{Addrs: addresses, Name: "haikud " + d.name(), RetryFor: joinTimeout, Token: token})
}

// warnInsecure says loudly that anybody may come.
func (d *daemon) warnInsecure(key, address string, exposed bool) {
	if exposed && d.cfg.Insecure && d.node.Proof() == "" {
		d.log.Warn("INSECURE: others can reach this node and nothing checks who connects, until the cluster has a token", key, address)
	}
}
