package transport

import (
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/wire"
)

func (c *conn) createToken(f wire.Frame) (wire.Message, error) {
	var m wirepb.CreateTokenRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	wish, err := wire.NewTokenFromPB(&m)
	if err != nil {
		return nil, err
	}
	t, err := c.s.admin.CreateToken(c.ctx, wish)
	if err != nil {
		return nil, err
	}
	return &wirepb.CreateTokenReply{Token: wire.TokenToPB(&t)}, nil
}

func (c *conn) tokens(f wire.Frame) (wire.Message, error) {
	var m wirepb.TokensRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	list, err := c.s.admin.Tokens(c.ctx, m.Stale)
	if err != nil {
		return nil, err
	}
	return wire.TokensToPB(list), nil
}

func (c *conn) revokeToken(f wire.Frame) (wire.Message, error) {
	var m wirepb.RevokeTokenRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	t, err := c.s.admin.RevokeToken(c.ctx, m.Id, m.Force)
	if err != nil {
		return nil, err
	}
	return &wirepb.RevokeTokenReply{Token: wire.TokenToPB(&t)}, nil
}
