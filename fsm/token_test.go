package fsm

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/member"
)

// tokens is the part of a script that is about tokens: "token ID ROLE [queues=..] [expires=..] [unless-admin] [text=..]",
// "revoke ID [force]" and "tokens".
func (s *script) tokens(words []string, args map[string]string) string {
	switch words[0] {
	case "token":
		role, err := member.RoleOf(words[2])
		s.must(err)
		c := &CreateToken{Token: wish(words[1], role), NodeSecret: [32]byte{7}, UnlessAdmin: slices.Contains(words, "unless-admin")}
		c.Token.ExpiresIn = duration(args["expires"])
		if args["queues"] != "" {
			c.Token.Queues = strings.Split(args["queues"], ",")
		}
		if args["text"] != "" {
			c.Token.Hash = sha256.Sum256([]byte(args["text"]))
		}
		return s.apply(c)
	case "revoke":
		return s.apply(&RevokeToken{ID: words[1], Force: slices.Contains(words, "force")})
	}
	all, secret, err := Tokens(s.store)
	s.must(err)
	out := fmt.Sprintf("authentication=%t\n", secret != nil)
	at := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Sub(epoch).String()
	}
	for _, t := range all {
		out += fmt.Sprintf("%s %s queues=%v created=%s expires=%s revoked=%s\n", t.ID, t.Role, t.Queues, at(t.CreatedAt), at(t.ExpiresAt), at(t.RevokedAt))
	}
	return out
}

func wish(id string, role member.Role) member.NewToken {
	return member.NewToken{ID: id, Hash: sha256.Sum256([]byte(id)), Role: role}
}

func randomToken(rng *rand.Rand) Command {
	id := string(rune('a' + rng.IntN(6)))
	if rng.IntN(2) == 0 {
		return &RevokeToken{ID: id, Force: rng.IntN(3) == 0}
	}
	c := &CreateToken{Token: wish(id, member.Role(1+rng.IntN(4))), NodeSecret: [32]byte{byte(rng.IntN(9))}, UnlessAdmin: rng.IntN(3) == 0}
	if rng.IntN(2) == 0 {
		c.Token.ExpiresIn = time.Duration(rng.IntN(100)) * time.Second
	}
	return c
}
