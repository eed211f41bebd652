package fsm

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/member"
)

func createTokenToPB(c *CreateToken) message {
	t := &c.Token
	return &commandpb.CreateToken{
		Id: t.ID, Hash: t.Hash[:], Name: t.Name, Role: uint32(t.Role), Queues: t.Queues, ExpiresInUs: t.ExpiresIn.Microseconds(),
		NodeSecret: c.NodeSecret[:], UnlessAdmin: c.UnlessAdmin,
	}
}

func createTokenFromPB(m *commandpb.CreateToken) (Command, error) {
	c := &CreateToken{UnlessAdmin: m.UnlessAdmin, Token: member.NewToken{
		ID: m.Id, Name: m.Name, Role: member.Role(m.Role), Queues: m.Queues, ExpiresIn: micros(m.ExpiresInUs),
	}}
	if len(m.Hash) != len(c.Token.Hash) || len(m.NodeSecret) != len(c.NodeSecret) || m.Role > uint32(member.RoleAdmin) {
		return nil, fmt.Errorf("%w: token %q", errField, m.Id)
	}
	c.Token.Hash, c.NodeSecret = [32]byte(m.Hash), [32]byte(m.NodeSecret)
	return c, nil
}
