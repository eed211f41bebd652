package wire

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

func accessToPB(a *member.Access) *wirepb.Access {
	if a.Role == 0 {
		return nil
	}
	return &wirepb.Access{
		Authentication: a.Authentication, Token: a.Token, Name: a.Name, Role: uint32(a.Role), Queues: a.Queues,
		ExpiresAtUs: micros(a.ExpiresAt),
	}
}

// accessFromPB reads an access; zero if the node says none.
func accessFromPB(p *wirepb.Access) (member.Access, error) {
	if p == nil {
		return member.Access{}, nil
	}
	a := member.Access{Authentication: p.Authentication, Token: p.Token, Name: p.Name, Queues: append([]string{}, p.Queues...)}
	var f fields
	role, err := small("access.role", p.Role) // perhaps one of a later version
	a.Role = take(&f, member.Role(role), err)
	at, err := moment("access.expires_at_us", p.ExpiresAtUs)
	a.ExpiresAt = take(&f, at, err)
	return a, f.err
}

// NewTokenToPB says a wish for a token on the wire.
func NewTokenToPB(t *member.NewToken) *wirepb.CreateTokenRequest {
	return &wirepb.CreateTokenRequest{
		Token: &wirepb.Token{Id: t.ID, Name: t.Name, Role: uint32(t.Role), Queues: t.Queues}, Hash: t.Hash[:],
		ExpiresInUs: t.ExpiresIn.Microseconds(),
	}
}

// NewTokenFromPB reads a wish for a token and checks it. The error wraps task.ErrInvalid or task.ErrTooLarge and names
// the field.
func NewTokenFromPB(p *wirepb.CreateTokenRequest) (t member.NewToken, err error) {
	if len(p.GetHash()) != len(t.Hash) {
		return t, fmt.Errorf("%w: hash has %d bytes, it is a SHA-256 of %d", task.ErrInvalid, len(p.GetHash()), len(t.Hash))
	}
	if p.GetToken().GetRole() > uint32(member.RoleAdmin) {
		return t, fmt.Errorf("%w: role %d is not known; allowed are 1 to %d", task.ErrInvalid, p.Token.Role, member.RoleAdmin)
	}
	t = member.NewToken{
		ID: p.GetToken().GetId(), Hash: [32]byte(p.Hash), Name: p.GetToken().GetName(), Role: member.Role(p.GetToken().GetRole()),
		Queues: p.GetToken().GetQueues(),
	}
	if t.ExpiresIn, err = duration("expires_in_us", p.ExpiresInUs); err != nil {
		return t, err
	}
	return t, t.Validate()
}

// TokenToPB says a token on the wire.
func TokenToPB(t *member.Token) *wirepb.Token {
	return &wirepb.Token{
		Id: t.ID, Name: t.Name, Role: uint32(t.Role), Queues: t.Queues, CreatedAtUs: micros(t.CreatedAt),
		ExpiresAtUs: micros(t.ExpiresAt), RevokedAtUs: micros(t.RevokedAt),
	}
}

// TokenFromPB reads a token. The error wraps task.ErrInvalid and names the field.
func TokenFromPB(p *wirepb.Token) (member.Token, error) {
	t := member.Token{ID: p.GetId(), Name: p.GetName(), Role: member.Role(p.GetRole()), Queues: append([]string{}, p.GetQueues()...)}
	if p.GetRole() > uint32(member.RoleAdmin) || !t.Role.Known() {
		return t, fmt.Errorf("%w: role %d of token %q is not known", task.ErrInvalid, p.GetRole(), t.ID)
	}
	var f fields
	at, err := moment("created_at_us", p.GetCreatedAtUs())
	t.CreatedAt = take(&f, at, err)
	at, err = moment("expires_at_us", p.GetExpiresAtUs())
	t.ExpiresAt = take(&f, at, err)
	at, err = moment("revoked_at_us", p.GetRevokedAtUs())
	t.RevokedAt = take(&f, at, err)
	return t, f.err
}

// TokensToPB says tokens on the wire.
func TokensToPB(list []member.Token) *wirepb.TokensReply {
	p := new(wirepb.TokensReply)
	for i := range list {
		p.Tokens = append(p.Tokens, TokenToPB(&list[i]))
	}
	return p
}

// TokensFromPB reads tokens. The error wraps task.ErrInvalid and names the field.
func TokensFromPB(p *wirepb.TokensReply) ([]member.Token, error) {
	return each(p.GetTokens(), TokenFromPB)
}
