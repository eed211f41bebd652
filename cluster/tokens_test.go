package cluster

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// text is a token's text, and wish the wish for it.
func text(id string) string { return member.TokenText(id, strings.Repeat("s3cret", 6)) }

func wishFor(id string, role member.Role) member.NewToken {
	return member.NewToken{ID: id, Hash: sha256.Sum256([]byte(text(id))), Role: role}
}

func (c *liveCluster) createToken(t member.NewToken) {
	c.t.Helper()
	if made, err := c.leader().CreateToken(c.t.Context(), t); err != nil || made.ID != t.ID || made.Role != t.Role {
		c.t.Fatalf("create token: %+v, %v", made, err)
	}
}

// TestTokensOnEveryNode: each node answers from its own state, also without a leader, after restarts and in a node that
// came later; whoever revokes a token ends it everywhere.
func TestTokensOnEveryNode(t *testing.T) {
	c := startCluster(t, 3, nil)
	for _, n := range c.nodes {
		if a, err := n.Authenticate(t.Context(), "anything"); err != nil || a.Authentication || a.Role != member.RoleAdmin || n.Proof() != "" {
			t.Errorf("without tokens %s says %+v, %v", n.name, a, err)
		}
	}
	c.createToken(wishFor("root", member.RoleAdmin))
	c.createToken(wishFor("root", member.RoleAdmin)) // the same again
	worker := wishFor("w1", member.RoleWorker)
	worker.Queues, worker.ExpiresIn = []string{"mail"}, time.Hour
	c.createToken(worker)
	for _, n := range c.nodes { // those that do not lead wait for a token, once they know that there are some
		eventually(t, "authentication on "+n.name, func() bool { return n.Proof() != "" })
		a, err := n.Authenticate(t.Context(), text("w1"))
		if err != nil || !a.Authentication || a.Token != "w1" || a.Role != member.RoleWorker || !a.Covers("mail.eu") || a.Covers("report") || a.ExpiresAt.IsZero() {
			t.Errorf("%s says %+v, %v", n.name, a, err)
		}
		for _, wrong := range []string{
			"", "w1", text("none"), text("w1") + "x", member.TokenText("w1", strings.Repeat("0", 40)), "haiku-node_", proofPrefix + n.id.String() + "_00",
		} {
			if _, err := n.Authenticate(t.Context(), wrong); !errors.Is(err, task.ErrUnauthenticated) {
				t.Errorf("%s takes %q: %v", n.name, wrong, err)
			}
		}
	}
	c.sameState()

	if _, err := c.leader().RevokeToken(t.Context(), "root", false); !errors.Is(err, task.ErrNotAllowed) {
		t.Errorf("the last admin's token was revoked: %v", err)
	}
	old := c.leader()
	c.crash(old)
	revoked, err := c.leader().RevokeToken(t.Context(), "w1", false)
	if err != nil || revoked.RevokedAt.IsZero() {
		t.Errorf("revoke: %+v, %v", revoked, err)
	}
	c.start(old, nil)
	for _, n := range c.nodes {
		eventually(t, "the end of the token on "+n.name, func() bool {
			_, err := n.AccessOf("w1")
			return errors.Is(err, task.ErrUnauthenticated)
		})
		if _, err := n.Authenticate(t.Context(), text("w1")); !errors.Is(err, task.ErrUnauthenticated) {
			t.Errorf("%s takes a revoked token: %v", n.name, err)
		}
	}

	late := c.add()
	c.join(late)
	if a, err := late.Authenticate(t.Context(), text("root")); err != nil || a.Role != member.RoleAdmin {
		t.Errorf("a node that came later says %+v, %v", a, err)
	}
	for _, n := range c.nodes { // until one is left, who has no leader
		if n != late {
			c.crash(n)
		}
	}
	if _, err := late.Authenticate(t.Context(), text("root")); err != nil {
		t.Errorf("without a leader: %v", err)
	}
	list, err := late.Tokens(t.Context(), true)
	if err != nil || len(list) != 2 || list[0].ID != "root" || list[1].RevokedAt.IsZero() {
		t.Errorf("tokens %+v, %v", list, err)
	}
}

// TestMembersProveThemselves to each other, for themselves alone, and no longer when they are removed.
func TestMembersProveThemselves(t *testing.T) {
	c := startCluster(t, 3, nil)
	c.createToken(wishFor("root", member.RoleAdmin))
	for _, n := range c.nodes {
		eventually(t, "a proof", func() bool { return n.Proof() != "" })
	}
	leader := c.leader()
	var other *testNode
	for _, n := range c.nodes {
		a, err := leader.Authenticate(t.Context(), n.Proof())
		if err != nil || a.Role != member.RoleAdmin || a.Token != member.Principal(n.id) {
			t.Errorf("proof of %s: %+v, %v", n.name, a, err)
		}
		if n != leader {
			other = n
		}
	}
	proof := other.Proof()
	stolen := strings.Replace(proof, other.id.String(), leader.id.String(), 1)
	if _, err := leader.Authenticate(t.Context(), stolen); !errors.Is(err, task.ErrUnauthenticated) {
		t.Errorf("the proof of one node stands for another: %v", err)
	}
	if err := leader.Remove(t.Context(), other.id); err != nil {
		t.Fatal(err)
	}
	if _, err := leader.Authenticate(t.Context(), proof); !errors.Is(err, task.ErrUnauthenticated) {
		t.Errorf("a node that was removed is taken: %v", err)
	}
	if _, err := leader.AccessOf(member.Principal(other.id)); !errors.Is(err, task.ErrUnauthenticated) {
		t.Errorf("a node that was removed relays: %v", err)
	}
}

// TestFirstToken: the settings' token comes into being when no admin has one, and a revoked one does not come back.
func TestFirstToken(t *testing.T) {
	c := startCluster(t, 1, func(cfg *Config) { cfg.FirstToken = text("boot") })
	n := c.leader()
	eventually(t, "the token", func() bool { _, err := n.AccessOf("boot"); _, open := n.AccessOf(""); return err == nil && open != nil })
	c.createToken(wishFor("other", member.RoleAdmin))
	if _, err := n.RevokeToken(t.Context(), "boot", false); err != nil {
		t.Fatal(err)
	}
	c.crash(n)
	c.start(n, nil)
	c.leader()
	if _, err := n.AccessOf("boot"); !errors.Is(err, task.ErrUnauthenticated) {
		t.Errorf("a revoked token came back: %v", err)
	}
	if _, err := n.RevokeToken(t.Context(), "other", true); err != nil {
		t.Fatal(err)
	}
	c.crash(n)
	c.start(n, func(cfg *Config) { cfg.FirstToken = text("again") })
	eventually(t, "the new token", func() bool { _, err := n.AccessOf("again"); return err == nil })
}

func TestExpiredToken(t *testing.T) {
	c := startCluster(t, 1, nil)
	c.createToken(wishFor("root", member.RoleAdmin))
	short := wishFor("short", member.RoleViewer)
	short.ExpiresIn = 200 * time.Millisecond
	c.createToken(short)
	n := c.leader()
	eventually(t, "its end", func() bool {
		_, err := n.Authenticate(t.Context(), text("short"))
		return errors.Is(err, task.ErrUnauthenticated) && strings.Contains(err.Error(), "expired")
	})
}
