package fsm

import (
	"fmt"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// In meta a token stands under "token/" | id, as version uint8 = 1 | body of commandpb.Token; and since there was a first
// one, what members know each other by under "node_secret", as version uint8 = 1 | 32 bytes.
const (
	tokenPrefix  = "token/"
	secretKey    = "node_secret"
	tokenVersion = 1
)

// TokenRecord is what the state keeps of a token.
type TokenRecord struct {
	member.Token
	Hash [32]byte // SHA-256 of its text
}

// createToken makes a token. The first one has to be an admin's, for it ends the time in which everybody may do
// everything.
func (m *machine) createToken(c *CreateToken) (Result, error) {
	all, err := m.tokenRecords()
	if err != nil {
		return Result{}, err
	}
	t := &c.Token
	for i := range all {
		if old := &all[i]; old.ID == t.ID {
			return Result{Err: compareTokens(old, t)}, nil
		}
	}
	if c.UnlessAdmin && countAdmins(all, m.now) > 0 {
		return Result{Err: fmt.Errorf("%w: there is an admin's token", task.ErrConflict)}, nil
	}
	secret, err := m.batch.Meta(secretKey)
	if err != nil {
		return Result{}, err
	}
	if secret == nil {
		if t.Role != member.RoleAdmin || t.ExpiresIn != 0 {
			return Result{Err: fmt.Errorf("%w: the first token has to be an admin's that does not expire, or nobody could make another", task.ErrInvalid)}, nil
		}
		m.batch.PutMeta(secretKey, append([]byte{tokenVersion}, c.NodeSecret[:]...))
	}
	if len(all) >= member.MaxTokens {
		oldest := firstEnded(all, m.now)
		if oldest == nil {
			return Result{Err: fmt.Errorf("%w: there are %d valid tokens, no more are allowed", task.ErrTooLarge, len(all))}, nil
		}
		m.batch.DeleteMeta(tokenPrefix + oldest.ID)
	}
	made := TokenRecord{Hash: t.Hash, Token: member.Token{ID: t.ID, Name: t.Name, Role: t.Role, Queues: t.Queues, CreatedAt: m.now}}
	if t.ExpiresIn > 0 {
		made.ExpiresAt = m.now.Add(t.ExpiresIn)
	}
	return Result{Count: 1}, m.keepToken(&made)
}

// compareTokens answers a wish for a token whose id is taken: nil if it is that token, which counts yet.
func compareTokens(old *TokenRecord, wish *member.NewToken) error {
	switch {
	case old.Hash != wish.Hash || old.Role != wish.Role:
		return fmt.Errorf("%w: token %s is there with other content", task.ErrConflict, wish.ID)
	case !old.RevokedAt.IsZero():
		return fmt.Errorf("%w: token %s was revoked; make another", task.ErrTransition, wish.ID)
	}
	return nil
}

// revokeToken ends a token. One that was revoked stays as it is.
func (m *machine) revokeToken(c *RevokeToken) (Result, error) {
	all, err := m.tokenRecords()
	if err != nil {
		return Result{}, err
	}
	for i := range all {
		t := &all[i]
		switch {
		case t.ID != c.ID:
			continue
		case !t.RevokedAt.IsZero():
			return Result{}, nil
		case !c.Force && t.Role == member.RoleAdmin && t.IsValid(m.now) && countAdmins(all, m.now) == 1:
			return Result{Err: fmt.Errorf("%w: token %s is the last valid one of an admin: nobody could make another; force revokes it all the same",
				task.ErrNotAllowed, t.ID)}, nil
		}
		t.RevokedAt = m.now
		return Result{Count: 1}, m.keepToken(t)
	}
	return Result{Err: fmt.Errorf("%w: token %q", task.ErrNotFound, c.ID)}, nil
}

func countAdmins(all []TokenRecord, now time.Time) (n int) {
	for i := range all {
		if all[i].Role == member.RoleAdmin && all[i].IsValid(now) {
			n++
		}
	}
	return n
}

// firstEnded is the token that has been revoked or expired for longest; nil if all are valid.
func firstEnded(all []TokenRecord, now time.Time) (first *TokenRecord) {
	var since time.Time
	for i := range all {
		t := &all[i]
		if t.IsValid(now) {
			continue
		}
		end := t.RevokedAt
		if end.IsZero() || !t.ExpiresAt.IsZero() && t.ExpiresAt.Before(end) {
			end = t.ExpiresAt
		}
		if first == nil || end.Before(since) {
			first, since = t, end
		}
	}
	return first
}

func (m *machine) keepToken(t *TokenRecord) error {
	body := &commandpb.Token{
		Id: t.ID, Hash: t.Hash[:], Name: t.Name, Role: uint32(t.Role), Queues: t.Queues, CreatedUs: timeToMicros(t.CreatedAt),
		ExpiresUs: timeToMicros(t.ExpiresAt), RevokedUs: timeToMicros(t.RevokedAt),
	}
	value := make([]byte, 1+body.SizeVT())
	value[0] = tokenVersion
	if _, err := body.MarshalToSizedBufferVT(value[1:]); err != nil {
		return err
	}
	m.batch.PutMeta(tokenPrefix+t.ID, value)
	m.tokens = true
	return nil
}

func (m *machine) tokenRecords() ([]TokenRecord, error) {
	kvs, err := m.batch.ScanMeta(tokenPrefix, 0)
	if err != nil {
		return nil, err
	}
	return decodeTokens(kvs)
}

func decodeTokens(kvs []store.KV) ([]TokenRecord, error) {
	all := make([]TokenRecord, len(kvs))
	for i, kv := range kvs {
		var err error
		if all[i], err = decodeToken(kv); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func decodeToken(kv store.KV) (t TokenRecord, err error) {
	if len(kv.Value) == 0 || kv.Value[0] != tokenVersion {
		return t, fmt.Errorf("%q is damaged", kv.Key)
	}
	var m commandpb.Token
	if err := m.UnmarshalVT(kv.Value[1:]); err != nil {
		return t, fmt.Errorf("%q: %w", kv.Key, err)
	}
	if m.Id != strings.TrimPrefix(kv.Key, tokenPrefix) || len(m.Hash) != len(t.Hash) {
		return t, fmt.Errorf("%q is damaged", kv.Key)
	}
	if err := refuseUnknown(&m); err != nil {
		return t, fmt.Errorf("%q: %w", kv.Key, err)
	}
	return TokenRecord{Hash: [32]byte(m.Hash), Token: member.Token{
		ID: m.Id, Name: m.Name, Role: member.Role(m.Role), Queues: m.Queues, CreatedAt: timeFromMicros(m.CreatedUs),
		ExpiresAt: timeFromMicros(m.ExpiresUs), RevokedAt: timeFromMicros(m.RevokedUs),
	}}, nil
}

// Tokens lists the committed tokens, in the order of their ids. secret is what members know each other by; nil as long as
// there never was a token, and so everybody may do everything.
func Tokens(st *store.Store) (all []TokenRecord, secret []byte, err error) {
	kvs, err := st.ScanMeta(tokenPrefix)
	if err != nil {
		return nil, nil, err
	}
	if all, err = decodeTokens(kvs); err != nil {
		return nil, nil, err
	}
	secret, err = st.Meta(secretKey)
	if err != nil || secret == nil {
		return all, nil, err
	}
	if len(secret) != 33 || secret[0] != tokenVersion {
		return nil, nil, fmt.Errorf("%q is damaged", secretKey)
	}
	return all, secret[1:], nil
}
