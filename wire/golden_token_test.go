package wire

import (
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// tokenGoldens are the frames that make, list and revoke tokens.
func tokenGoldens() map[string][]golden {
	made := member.Token{ID: "4f2a9c", Name: "mailers", Role: member.RoleWorker, Queues: []string{"mail", "report"},
		CreatedAt: goldenAt, ExpiresAt: goldenAt.Add(time.Hour)}
	revoked := made
	revoked.RevokedAt = goldenAt.Add(time.Minute)
	wish := &member.NewToken{ID: made.ID, Hash: [32]byte{0xab, 31: 0xcd}, Name: made.Name, Role: made.Role, Queues: made.Queues,
		ExpiresIn: time.Hour}
	last := fmt.Errorf("%w: token 4f2a9c is the last valid one of an admin", task.ErrNotAllowed)
	return map[string][]golden{
		"CreateToken": {
			{"for workers of the queues whose names begin with mail or report, for an hour", true, CreateToken, 32, NewTokenToPB(wish)},
			{"here it is", false, Ack, 32, &wirepb.CreateTokenReply{Token: TokenToPB(&made)}},
			{"whose token is too weak gets this", false, Nack, 33, NackFromError(
				fmt.Errorf("%w: CreateToken needs the role admin, token 4f2a9c has the role worker", task.ErrPermissionDenied), "")},
		},
		"Tokens": {
			{"from any node", true, Tokens, 34, &wirepb.TokensRequest{Stale: true}},
			{"two", false, Ack, 34, TokensToPB([]member.Token{revoked, {ID: "root", Role: member.RoleAdmin, CreatedAt: goldenAt}})},
		},
		"RevokeToken": {
			{"", true, RevokeToken, 35, &wirepb.RevokeTokenRequest{Id: "4f2a9c"}},
			{"", false, Ack, 35, &wirepb.RevokeTokenReply{Token: TokenToPB(&revoked)}},
			{"though nobody could make another then", true, RevokeToken, 36, &wirepb.RevokeTokenRequest{Id: "root", Force: true}},
			{"without force", false, Nack, 37, NackFromError(last, "")},
			{"the connections that use it end with this", false, Nack, 0, NackFromError(
				fmt.Errorf("%w: token 4f2a9c was revoked", task.ErrUnauthenticated), "")},
		},
	}
}
