package member

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// The bounds of tokens.
const (
	MaxTokens      = 1000 // kept at once, those that are revoked or expired included
	MaxTokenQueues = 64   // prefixes of one token

	minTokenSecret = 32
	maxTokenSecret = 128
	maxTokenID     = 32
	tokenPrefix    = "haiku_"
	tokenLetters   = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// Role says what the holder of a token may do. Each role may do what those before it may. The numbers are on the wire
// and on disk: they are never reused.
type Role uint8

// The roles of tokens.
const (
	RoleViewer   Role = 1 // look at everything
	RoleWorker   Role = 2 // submit, cancel and run tasks, too
	RoleOperator Role = 3 // change tasks, queues, schedules and settings, too
	RoleAdmin    Role = 4 // members, snapshots and tokens, too
)

var roleNames = [...]string{RoleViewer: "viewer", RoleWorker: "worker", RoleOperator: "operator", RoleAdmin: "admin"}

func (r Role) String() string {
	if r.Known() {
		return roleNames[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// Known reports whether r is one of the roles.
func (r Role) Known() bool { return r >= RoleViewer && r <= RoleAdmin }

// RoleOf reads the name of a role. The error wraps task.ErrInvalid and says what is allowed.
func RoleOf(name string) (Role, error) {
	for r := RoleViewer; r <= RoleAdmin; r++ {
		if roleNames[r] == name {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%w: role %q is not known; allowed are %s", task.ErrInvalid, name, strings.Join(roleNames[RoleViewer:], ", "))
}

// MarshalText gives the role's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the role's name.
func (r *Role) UnmarshalText(b []byte) (err error) {
	*r, err = RoleOf(string(b))
	return err
}

// Token is what a cluster keeps of a token, but for the hash of its secret.
type Token struct {
	ID        string    `json:"id"` // stands in the token's text, too; no secret
	Name      string    `json:"name,omitempty"`
	Role      Role      `json:"role"`
	Queues    []string  `json:"queues"` // prefixes of the names of the queues that it is for; none for all
	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero for never
	RevokedAt time.Time `json:"revoked_at,omitzero"` // zero while it is not
}

// IsValid reports whether a token counts at a moment.
func (t *Token) IsValid(now time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}

// NewToken is the wish for a token.
type NewToken struct {
	ID        string
	Hash      [32]byte // SHA-256 of the token's text; the text itself never leaves its maker
	Name      string   // for people; may be empty
	Role      Role
	Queues    []string
	ExpiresIn time.Duration // 0 for never
}

// Validate checks a wish for a token. The error wraps task.ErrInvalid or task.ErrTooLarge and names the field.
func (t *NewToken) Validate() error {
	if !isTokenID(t.ID) {
		return fmt.Errorf("%w: id %q of a token is not 1 to %d of a-z and 0-9", task.ErrInvalid, t.ID, maxTokenID)
	}
	if t.Name != "" {
		if err := task.ValidateName("name", t.Name); err != nil {
			return err
		}
	}
	if !t.Role.Known() {
		return fmt.Errorf("%w: role %d is not known; allowed are 1 to %d", task.ErrInvalid, t.Role, RoleAdmin)
	}
	if len(t.Queues) > MaxTokenQueues {
		return fmt.Errorf("%w: %d queue prefixes, at most %d are allowed", task.ErrTooLarge, len(t.Queues), MaxTokenQueues)
	}
	if len(t.Queues) > 0 && t.Role == RoleAdmin {
		return fmt.Errorf("%w: an admin's token is for all queues", task.ErrInvalid)
	}
	for _, prefix := range t.Queues {
		if err := task.ValidateName("queue prefix", prefix); err != nil {
			return err
		}
	}
	if t.ExpiresIn < 0 || t.ExpiresIn > task.MaxDelay {
		return fmt.Errorf("%w: expiry in %s is not within 0 and %s", task.ErrInvalid, t.ExpiresIn, task.MaxDelay)
	}
	return nil
}

// TokenText puts a token's text together.
func TokenText(id, secret string) string { return tokenPrefix + id + "_" + secret }

// ParseToken reads a token's text, haiku_ID_SECRET, and returns its id and what the cluster compares. The error wraps
// task.ErrInvalid and shows nothing of the text.
func ParseToken(text string) (id string, hash [32]byte, err error) {
	rest, found := strings.CutPrefix(text, tokenPrefix)
	id, secret, both := strings.Cut(rest, "_")
	if !found || !both || !isTokenID(id) || !isSecret(secret) {
		return "", hash, fmt.Errorf("%w: a token reads haiku_ID_SECRET, where ID has 1 to %d of a-z and 0-9 and SECRET %d to %d letters and digits",
			task.ErrInvalid, maxTokenID, minTokenSecret, maxTokenSecret)
	}
	return id, sha256.Sum256([]byte(text)), nil
}

func isTokenID(s string) bool {
	return s != "" && len(s) <= maxTokenID && strings.Trim(s, tokenLetters) == ""
}

func isSecret(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(s) >= minTokenSecret && len(s) <= maxTokenSecret
}
