package fsm

import (
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// modelToken is a token as the model has it.
type modelToken struct {
	wish    member.NewToken
	expires time.Time // zero for never
	revoked bool
}

func (m *model) valid(t *modelToken) bool {
	return !t.revoked && (t.expires.IsZero() || m.now.Before(t.expires))
}

// admins counts the tokens by which somebody could make another.
func (m *model) admins() (n int) {
	for _, t := range m.tokens {
		if t.wish.Role == member.RoleAdmin && m.valid(t) {
			n++
		}
	}
	return n
}

// createToken says which errors a wish for a token may get; none makes it.
func (m *model) createToken(c *CreateToken) []error {
	t := c.Token
	if old := m.tokens[t.ID]; old != nil {
		switch {
		case old.wish.Hash != t.Hash || old.wish.Role != t.Role:
			return []error{task.ErrConflict}
		case old.revoked:
			return []error{task.ErrTransition}
		}
		return nil
	}
	switch {
	case c.UnlessAdmin && m.admins() > 0:
		return []error{task.ErrConflict}
	case len(m.tokens) == 0 && (t.Role != member.RoleAdmin || t.ExpiresIn > 0):
		return []error{task.ErrInvalid}
	}
	made := &modelToken{wish: t}
	if t.ExpiresIn > 0 {
		made.expires = m.now.Add(t.ExpiresIn)
	}
	m.tokens[t.ID] = made
	return nil
}

func (m *model) revokeToken(c *RevokeToken) []error {
	t := m.tokens[c.ID]
	switch {
	case t == nil:
		return []error{task.ErrNotFound}
	case !c.Force && t.wish.Role == member.RoleAdmin && m.valid(t) && m.admins() == 1:
		return []error{task.ErrNotAllowed}
	}
	t.revoked = true
	return nil
}

func (d *drive) drawToken() Command {
	id := string(rune('a' + d.n("token", 5)))
	if d.n("revoke", 3) == 0 {
		return &RevokeToken{ID: id, Force: d.n("force", 3) == 0}
	}
	c := &CreateToken{Token: wish(id, member.Role(1+d.n("role", 4))), UnlessAdmin: d.n("unless", 4) == 0}
	if d.n("expires", 2) == 0 {
		c.Token.ExpiresIn = time.Duration(1+d.n("s", 60)) * time.Second
	}
	return c
}

// compareTokens holds the tokens against the model's.
func (d *drive) compareTokens(c Command) {
	all, secret, err := Tokens(d.store)
	if err != nil {
		d.t.Fatal(err)
	}
	d.same(c, len(d.model.tokens), len(all))
	d.same(c, len(d.model.tokens) > 0, secret != nil)
	for i := range all {
		got, want := &all[i], d.model.tokens[all[i].ID]
		if want == nil || got.Role != want.wish.Role || got.Hash != want.wish.Hash || got.IsValid(d.model.now) != d.model.valid(want) ||
			got.RevokedAt.IsZero() == want.revoked || !got.ExpiresAt.Equal(want.expires) {
			d.t.Fatalf("token %+v, the model has %+v", got, want)
		}
	}
}
