package web

import (
	"context"
	"net/http"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
)

// Token is what the cluster keeps of a token: never its secret.
type Token struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role" enum:"viewer,worker,operator,admin"`
	Queues    []string   `json:"queues" doc:"Beginnings of the names of the queues that it is for; empty for all"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

// TokenList is all tokens, those that are revoked or expired included.
type TokenList struct {
	Tokens []Token `json:"tokens"`
}

// NewToken is a token with its text, which nobody is told again.
type NewToken struct {
	Token
	Text string `json:"token" doc:"What goes into the Authorization header. It is shown this once"`
}

// TokenOrder says what token to make.
type TokenOrder struct {
	Name             string   `json:"name,omitempty" maxLength:"128" doc:"For people"`
	Role             string   `json:"role" enum:"viewer,worker,operator,admin"`
	Queues           []string `json:"queues,omitempty" maxItems:"64" doc:"Beginnings of the names of the queues that it is for; left out for all"`
	ExpiresInSeconds float64  `json:"expires_in_seconds,omitempty" minimum:"0" doc:"0 for never"`
}

func tokenOfMember(t member.Token) Token {
	return Token{t.ID, t.Name, t.Role.String(), some(t.Queues), t.CreatedAt, momentOrNil(t.ExpiresAt), momentOrNil(t.RevokedAt)}
}

type makeTokenInput struct{ Body TokenOrder }

type makeTokenOutput struct {
	Status int
	Body   NewToken
}

type revokeInput struct {
	ID    string `path:"id" maxLength:"32"`
	Force bool   `query:"force" doc:"Also if it is the last admin's"`
}

func (s *Server) registerTokens(a *api) {
	const tag = "session"
	register(a, op{http.MethodGet, "/v1/tokens", "list-tokens", tag, "List the tokens"},
		func(ctx context.Context, in *struct{ Reads }) (*reply[TokenList], error) {
			return read(ctx, s, in.Reads, func(ctx context.Context, c *client.Client, stale bool) (TokenList, uint64, error) {
				tokens, err := c.Tokens(ctx, stale)
				list := TokenList{Tokens: []Token{}}
				for _, t := range tokens {
					list.Tokens = append(list.Tokens, tokenOfMember(t))
				}
				return list, 0, err
			})
		})
	register(a, op{http.MethodPost, "/v1/tokens", "make-token", tag, "Make a token. From the first one on everybody needs one"}, s.makeToken)
	register(a, op{http.MethodDelete, "/v1/tokens/{id}", "revoke-token", tag, "Revoke a token, and end the connections that use it"},
		func(ctx context.Context, in *revokeInput) (*plain[Token], error) {
			ctx, cancel := within(ctx)
			defer cancel()
			out := &plain[Token]{}
			return out, s.call(ctx, func(c *client.Client) error {
				t, err := c.RevokeToken(ctx, in.ID, in.Force)
				out.Body = tokenOfMember(t)
				return err
			})
		})
}

func (s *Server) makeToken(ctx context.Context, in *makeTokenInput) (*makeTokenOutput, error) {
	role, err := member.RoleOf(in.Body.Role)
	if err != nil {
		return nil, err
	}
	expires, err := durationOf("expires_in_seconds", in.Body.ExpiresInSeconds)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(ctx)
	defer cancel()
	out := &makeTokenOutput{Status: http.StatusCreated}
	return out, s.call(ctx, func(c *client.Client) error {
		text, t, err := c.CreateToken(ctx, client.TokenOrder{Name: in.Body.Name, Role: role, Queues: in.Body.Queues, ExpiresIn: expires})
		out.Body = NewToken{tokenOfMember(t), text}
		return err
	})
}
