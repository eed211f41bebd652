package cluster

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// tokenWait is how long a node that does not lead looks for a token that it does not know: it may have just been made.
const tokenWait = time.Second

// proofPrefix begins what members show each other instead of a token: the node's id and a MAC of it follow, in hexadecimal
// digits.
const proofPrefix = "haiku-node_"

// guard holds in memory what the state of this node says of tokens. It is read anew after each change.
type guard struct {
	mu      sync.Mutex
	byID    map[string]*fsm.TokenRecord // never changed, only replaced
	secret  []byte                      // nil as long as there never was a token
	changed chan struct{}
}

// load reads the tokens as they are committed.
func (g *guard) load(st *store.Store) error {
	all, secret, err := fsm.Tokens(st)
	if err != nil {
		return fmt.Errorf("read tokens: %w", err)
	}
	byID := make(map[string]*fsm.TokenRecord, len(all))
	for i := range all {
		byID[all[i].ID] = &all[i]
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.byID, g.secret = byID, secret
	if g.changed != nil {
		close(g.changed)
	}
	g.changed = make(chan struct{})
	return nil
}

func (g *guard) view() (byID map[string]*fsm.TokenRecord, secret []byte, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.byID, g.secret, g.changed
}

// onTokens is called by the state machine when tokens changed.
func (n *Node) onTokens() {
	if err := n.guard.load(n.store); err != nil {
		n.fatal(err)
	}
}

// TokensChanged returns a channel that is closed when tokens change next, as far as this node knows.
func (n *Node) TokensChanged() <-chan struct{} {
	_, _, changed := n.guard.view()
	return changed
}

// Authenticate returns what the holder of a token may do, as this node knows it: what everybody may as long as the
// cluster has no token. The error wraps task.ErrUnauthenticated.
func (n *Node) Authenticate(ctx context.Context, text string) (member.Access, error) {
	over := time.NewTimer(tokenWait)
	defer over.Stop()
	for {
		byID, secret, changed := n.guard.view()
		if secret == nil {
			return member.Open(), nil
		}
		if strings.HasPrefix(text, proofPrefix) {
			return n.checkProof(text, secret)
		}
		access, known, err := checkToken(byID, text, time.Now())
		if err == nil || known {
			return access, err
		}
		if _, self := n.Leader(); self {
			return access, err
		}
		select {
		case <-changed:
		case <-over.C:
			return access, err
		case <-ctx.Done():
			return access, err
		}
	}
}

// checkToken looks for a token. known says that it is of no use to look again later.
func checkToken(byID map[string]*fsm.TokenRecord, text string, now time.Time) (a member.Access, known bool, err error) {
	if text == "" {
		return a, true, fmt.Errorf("%w: this cluster wants a token", task.ErrUnauthenticated)
	}
	id, hash, err := member.ParseToken(text)
	if err != nil {
		return a, true, fmt.Errorf("%w: %v", task.ErrUnauthenticated, err) // not wrapped: one error, one code
	}
	t := byID[id]
	if t == nil {
		return a, false, errNoSuchToken()
	}
	if subtle.ConstantTimeCompare(hash[:], t.Hash[:]) != 1 {
		return a, true, errNoSuchToken()
	}
	if err := stillValid(&t.Token, now); err != nil {
		return a, true, err
	}
	return member.AccessOf(&t.Token), true, nil
}

func errNoSuchToken() error {
	return fmt.Errorf("%w: the token is none of this cluster's", task.ErrUnauthenticated)
}

func stillValid(t *member.Token, now time.Time) error {
	switch {
	case !t.RevokedAt.IsZero():
		return fmt.Errorf("%w: token %s was revoked", task.ErrUnauthenticated, t.ID)
	case !t.IsValid(now):
		return fmt.Errorf("%w: token %s expired at %s", task.ErrUnauthenticated, t.ID, t.ExpiresAt.Format(time.RFC3339))
	}
	return nil
}

// AccessOf returns what a principal may do now, which a member established: the id of a token, a node, or "" for those
// without a token. The error wraps task.ErrUnauthenticated.
func (n *Node) AccessOf(principal string) (a member.Access, err error) {
	byID, secret, _ := n.guard.view()
	if secret == nil {
		return member.Open(), nil
	}
	if id, isNode := member.NodeOf(principal); isNode {
		if !n.IsMember(id) {
			return a, fmt.Errorf("%w: %q is no member", task.ErrUnauthenticated, principal)
		}
		return nodeAccess(id), nil
	}
	if principal == "" {
		return a, fmt.Errorf("%w: this cluster wants a token", task.ErrUnauthenticated)
	}
	t := byID[principal]
	if t == nil {
		return a, errNoSuchToken()
	}
	if err := stillValid(&t.Token, time.Now()); err != nil {
		return a, err
	}
	return member.AccessOf(&t.Token), nil
}

// Proof is what this node shows other members instead of a token; empty as long as it knows of none.
func (n *Node) Proof() string {
	_, secret, _ := n.guard.view()
	if secret == nil {
		return ""
	}
	return proofPrefix + n.id.String() + "_" + hex.EncodeToString(n.mac(secret, n.id))
}

// mac is over "haiku node" | cluster id 16 | node id 16, with the secret of the cluster's members as key.
func (n *Node) mac(secret []byte, id member.ID) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("haiku node"))
	h.Write(n.clusterID[:])
	h.Write(id[:])
	return h.Sum(nil)
}

func (n *Node) checkProof(text string, secret []byte) (a member.Access, err error) {
	digits, sum, _ := strings.Cut(strings.TrimPrefix(text, proofPrefix), "_")
	id, err := member.ParseID(digits)
	if err != nil {
		return a, errNoSuchToken()
	}
	given, err := hex.DecodeString(sum)
	if err != nil || !hmac.Equal(given, n.mac(secret, id)) {
		return a, errNoSuchToken()
	}
	if !n.IsMember(id) {
		return a, fmt.Errorf("%w: node %s is no member", task.ErrUnauthenticated, id)
	}
	return nodeAccess(id), nil
}

func nodeAccess(id member.ID) member.Access {
	return member.Access{Authentication: true, Token: member.Principal(id), Role: member.RoleAdmin}
}
