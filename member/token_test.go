package member

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

func TestParseToken(t *testing.T) {
	secret := strings.Repeat("aB3", 11)
	id, hash, err := ParseToken(TokenText("a1", secret))
	if err != nil || id != "a1" || hash == [32]byte{} {
		t.Errorf("%q, %v", id, err)
	}
	if _, other, _ := ParseToken(TokenText("a2", secret)); other == hash {
		t.Error("the hash says nothing of the id")
	}
	for _, bad := range []string{
		"", "haiku_", "haiku_a1", "haiku_a1_", secret, "haiku__" + secret, "Haiku_a1_" + secret, "haiku_A1_" + secret,
		"haiku_a1_" + secret[:31], "haiku_a1_" + secret + "_", "haiku_a1_" + secret + "\n", "haiku_" + strings.Repeat("a", 33) + "_" + secret,
		"haiku_a1_" + strings.Repeat("a", 129), "haiku_a1_" + secret + "ä",
	} {
		if _, _, err := ParseToken(bad); !errors.Is(err, task.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		} else if len(bad) > 20 && strings.Contains(err.Error(), bad) {
			t.Errorf("the error shows %q", bad)
		}
	}
}

func TestRoles(t *testing.T) {
	for r := Role(0); r < 10; r++ {
		back, err := RoleOf(r.String())
		if r.Known() != (err == nil && back == r) {
			t.Errorf("%s became %s, %v", r, back, err)
		}
	}
	if _, err := RoleOf("root"); !errors.Is(err, task.ErrInvalid) || !strings.Contains(err.Error(), "viewer, worker, operator, admin") {
		t.Error(err)
	}
}

func TestAccessCovers(t *testing.T) {
	all := Open()
	some := Access{Token: "w", Queues: []string{"mail", "def"}}
	for queue, want := range map[string]bool{"mail": true, "mail.eu": true, "": true, "default": true, "Mail": false, "report": false, "mai": false} {
		if !all.Covers(queue) || some.Covers(queue) != want || (some.Check(queue) == nil) != want {
			t.Errorf("%q: %t, want %t", queue, some.Covers(queue), want)
		}
	}
	if err := some.Check("report"); !errors.Is(err, task.ErrPermissionDenied) || !strings.Contains(err.Error(), "mail, def") {
		t.Error(err)
	}
	if (&Access{Queues: []string{"mail"}}).Covers("") {
		t.Error("the default queue is no other")
	}
}

func TestNewTokenValidate(t *testing.T) {
	good := NewToken{ID: "a1", Name: "n", Role: RoleWorker, Queues: []string{"q"}, ExpiresIn: time.Hour}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*NewToken){
		"id": func(t *NewToken) { t.ID = "A" }, "no id": func(t *NewToken) { t.ID = "" }, "name": func(t *NewToken) { t.Name = "\n" },
		"role": func(t *NewToken) { t.Role = 0 }, "role above": func(t *NewToken) { t.Role = 5 }, "admin": func(t *NewToken) { t.Role = RoleAdmin },
		"prefix": func(t *NewToken) { t.Queues = []string{""} }, "prefixes": func(t *NewToken) { t.Queues = make([]string, MaxTokenQueues+1) },
		"negative": func(t *NewToken) { t.ExpiresIn = -1 }, "too long": func(t *NewToken) { t.ExpiresIn = task.MaxDelay + 1 },
	} {
		bad := good
		change(&bad)
		if err := bad.Validate(); !errors.Is(err, task.ErrInvalid) && !errors.Is(err, task.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrincipal(t *testing.T) {
	id := ID{7}
	if back, isNode := NodeOf(Principal(id)); !isNode || back != id {
		t.Errorf("%s, %t", back, isNode)
	}
	for _, other := range []string{"", "node", "node/", "node/7", id.String()} {
		if _, isNode := NodeOf(other); isNode {
			t.Errorf("%q is a node", other)
		}
	}
}
