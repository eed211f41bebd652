package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/wire"
)

// TokenOrder says what token to make.
type TokenOrder struct {
	Name      string // for people; may be empty
	Role      member.Role
	Queues    []string      // prefixes of the names of the queues that it is for; none for all
	ExpiresIn time.Duration // 0 for never
}

// MakeToken makes up the text of a token, which no cluster knows yet.
func MakeToken() (id, text string) {
	var random [6 + 24]byte
	rand.Read(random[:]) // never fails
	id = hex.EncodeToString(random[:6])
	return id, member.TokenText(id, hex.EncodeToString(random[6:]))
}

// CreateToken makes a token and returns its text, which nobody but the caller ever sees: the cluster gets its hash.
func (c *Client) CreateToken(ctx context.Context, o TokenOrder) (text string, t member.Token, err error) {
	id, text := MakeToken()
	wish := member.NewToken{
		ID: id, Hash: sha256.Sum256([]byte(text)), Name: o.Name, Role: o.Role, Queues: o.Queues, ExpiresIn: o.ExpiresIn,
	}
	if err := wish.Validate(); err != nil {
		return "", t, err
	}
	var reply wirepb.CreateTokenReply
	if err := c.do(ctx, wire.CreateToken, wire.NewTokenToPB(&wish), &reply, true); err != nil {
		return "", t, err
	}
	t, err = wire.TokenFromPB(reply.Token)
	return text, t, err
}

// Tokens lists the cluster's tokens, in the order of their ids; with stale as the node knows them, without a leader.
func (c *Client) Tokens(ctx context.Context, stale bool) ([]member.Token, error) {
	var reply wirepb.TokensReply
	if err := c.do(ctx, wire.Tokens, &wirepb.TokensRequest{Stale: stale}, &reply, true); err != nil {
		return nil, err
	}
	return wire.TokensFromPB(&reply)
}

// RevokeToken ends a token, and the connections that use it. The last admin's is kept unless force is set. The error
// wraps task.ErrNotFound if there is no such token.
func (c *Client) RevokeToken(ctx context.Context, id string, force bool) (member.Token, error) {
	var reply wirepb.RevokeTokenReply
	if err := c.do(ctx, wire.RevokeToken, &wirepb.RevokeTokenRequest{Id: id, Force: force}, &reply, true); err != nil {
		return member.Token{}, err
	}
	return wire.TokenFromPB(reply.Token)
}

// Access returns what this client may do, as the node says that it is connected to. The error wraps
// task.ErrUnauthenticated if the node does not accept its token.
func (c *Client) Access(ctx context.Context) (a member.Access, err error) {
	err = c.retry(ctx, true, func() error {
		conn, err := c.connect(ctx)
		if err != nil {
			return err
		}
		if a = conn.welcome.Access; a.Role == 0 { // a node that knows nothing of tokens
			a = member.Open()
		}
		return nil
	})
	return a, err
}
