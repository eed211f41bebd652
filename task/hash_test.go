package task

import (
	"encoding/hex"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func fullSpec() *Spec {
	priority, retries, crashes := Priority(7), uint32(0), uint32(2)
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	return &Spec{
		ID: ID{0x01, 0x8f, 6: 0x70, 8: 0x80, 15: 1}, Type: "email", Queue: "mail", Payload: []byte("hello"),
		Priority:    &priority,
		ScheduledAt: at, MaxRetries: &retries, MaxCrashes: &crashes, TimeoutSeconds: 9,
		Dependencies: []ID{{1}, {2}, {3}}, OnDependencyFailure: PolicyIgnore, Headers: []Header{{"a", "1"}, {"b", ""}, {"c",
			"3"}},
		UniqueKey: "u", ExpiresAt: at.Add(time.Hour), Retention: time.Minute,
		Backoff: Backoff{Initial: time.Second, FactorPercent: 150, Max: time.Hour, JitterPercent: 1},
	}
}

// TestContentHashGolden: the hash is stored and compared across versions, so it never changes.
func TestContentHashGolden(t *testing.T) {
	for name, tt := range map[string]struct {
		spec *Spec
		want string
	}{
		"type only": {&Spec{Type: "email"}, "9ec0485514a896e0481c21c254c6b242"},
		"full":      {fullSpec(), "4ed0151e27e2e4af13206e1db09b3a20"},
		"delay":     {&Spec{Type: "email", Delay: 1500 * time.Millisecond}, "ef298c04316b099cb52f6884c2ee8ef1"},
	} {
		if sum := tt.spec.ContentHash(); hex.EncodeToString(sum[:]) != tt.want {
			t.Errorf("%s: %x, want %s", name, sum, tt.want)
		}
	}
}

// TestContentHashSame: what must not matter.
func TestContentHashSame(t *testing.T) {
	want := fullSpec().ContentHash()
	for name, change := range map[string]func(*Spec){
		"id":                  func(s *Spec) { s.ID = ID{5} },
		"order of parents":    func(s *Spec) { s.Dependencies = []ID{{3}, {1}, {2}} },
		"order of headers":    func(s *Spec) { s.Headers = []Header{{"c", "3"}, {"a", "1"}, {"b", ""}} },
		"time zone":           func(s *Spec) { s.ScheduledAt = s.ScheduledAt.In(time.FixedZone("x", 3600)) },
		"below a microsecond": func(s *Spec) { s.ScheduledAt = s.ScheduledAt.Add(999); s.Retention += 999 },
		"trace context": func(s *Spec) {
			s.Headers = append(s.Headers, Header{HeaderTraceParent, "x"}, Header{HeaderTraceState, "y"})
		},
		"a slice of its own": func(s *Spec) { s.Payload = append([]byte(nil), s.Payload...) },
	} {
		s := fullSpec()
		change(s)
		if s.ContentHash() != want {
			t.Errorf("%s changes the hash", name)
		}
	}
	full := fullSpec()
	full.ContentHash()
	if full.Dependencies[0] != (ID{1}) || full.Headers[0].Name != "a" {
		t.Error("hashing reorders the spec")
	}
	if (&Spec{Type: "t", Payload: []byte{}}).ContentHash() != (&Spec{Type: "t"}).ContentHash() {
		t.Error("an empty payload is not the same as none")
	}
}

// TestContentHashDiffers: every field counts, and defaults are not filled in.
func TestContentHashDiffers(t *testing.T) {
	two := func(v uint32) *uint32 { return &v }
	changes := map[string]func(*Spec){
		"type":        func(s *Spec) { s.Type = "emai" },
		"queue":       func(s *Spec) { s.Queue = "" },
		"payload":     func(s *Spec) { s.Payload = []byte("hellp") },
		"priority":    func(s *Spec) { s.Priority = nil },
		"delay":       func(s *Spec) { s.Delay = time.Second },
		"scheduled":   func(s *Spec) { s.ScheduledAt = s.ScheduledAt.Add(time.Microsecond) },
		"retries":     func(s *Spec) { s.MaxRetries = nil },
		"retries 3":   func(s *Spec) { s.MaxRetries = two(DefaultRetries) },
		"crashes":     func(s *Spec) { s.MaxCrashes = two(3) },
		"timeout":     func(s *Spec) { s.TimeoutSeconds = 0 },
		"parents":     func(s *Spec) { s.Dependencies = s.Dependencies[:2] },
		"policy":      func(s *Spec) { s.OnDependencyFailure = PolicyCancel },
		"header":      func(s *Spec) { s.Headers = s.Headers[:2] },
		"header name": func(s *Spec) { s.Headers = []Header{{"a", "1"}, {"b", ""}, {"c3", ""}} },
		"like traced": func(s *Spec) { s.Headers = append(s.Headers, Header{"Traceparent", "x"}) },
		"unique":      func(s *Spec) { s.UniqueKey = "" },
		"expires":     func(s *Spec) { s.ExpiresAt = time.Time{} },
		"scope":       func(s *Spec) { s.UniqueScope = UniquePending },
		"ttl":         func(s *Spec) { s.UniqueTTL = time.Second },
		"conflict":    func(s *Spec) { s.OnConflict = ConflictReject },
		"expires in":  func(s *Spec) { s.ExpiresIn = time.Second },
		"retention":   func(s *Spec) { s.Retention = 0 },
		"initial":     func(s *Spec) { s.Backoff.Initial = 0 },
		"factor":      func(s *Spec) { s.Backoff.FactorPercent = 0 },
		"max":         func(s *Spec) { s.Backoff.Max = 0 },
		"jitter":      func(s *Spec) { s.Backoff.JitterPercent = 0 },
	}
	seen := map[[16]byte]string{fullSpec().ContentHash(): "unchanged"}
	for name, change := range changes {
		s := fullSpec()
		change(s)
		sum := s.ContentHash()
		if other, taken := seen[sum]; taken {
			t.Errorf("%s has the hash of %s", name, other)
		}
		seen[sum] = name
	}
	priority, retries := DefaultPriority, uint32(DefaultRetries)
	plain := (&Spec{Type: "t"}).ContentHash()
	for name, s := range map[string]*Spec{
		"priority": {Type: "t", Priority: &priority}, "retries": {Type: "t", MaxRetries: &retries}, "queue": {Type: "t",
			Queue: DefaultQueue},
	} {
		if s.ContentHash() == plain {
			t.Errorf("the default %s is filled in", name)
		}
	}
}

// TestContentHashOfShuffled: any order of parents and headers is the same submit.
func TestContentHashOfShuffled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Spec{Type: "t", Dependencies: rapid.SliceOf(rapid.Custom(func(t *rapid.T) ID {
			return ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		})).Draw(t, "parents")}
		s.Headers = rapid.SliceOfDistinct(rapid.Custom(func(t *rapid.T) Header {
			return Header{Name: rapid.String().Draw(t, "name"), Value: rapid.String().Draw(t, "value")}
		}), func(h Header) string { return h.Name }).Draw(t, "headers")
		want := s.ContentHash()
		if len(s.Dependencies) > 0 {
			s.Dependencies = rapid.Permutation(s.Dependencies).Draw(t, "other parents")
		}
		if len(s.Headers) > 0 {
			s.Headers = rapid.Permutation(s.Headers).Draw(t, "other headers")
		}
		if s.ContentHash() != want {
			t.Fatal("the order counts")
		}
	})
}

func TestDigest(t *testing.T) {
	base := Outcome{ID: ID{1}, LeaseID: 1, Kind: Success, Result: []byte("ab")}
	same := Outcome{ID: ID{2}, LeaseID: 2, Kind: Success, Result: []byte("ab"), RetryAfter: time.Second}
	if base.Digest(nil) != same.Digest(nil) {
		t.Error("id, lease or delay count")
	}
	for _, o := range []Outcome{
		{Kind: Success, Result: []byte("a"), Error: "b"}, {Kind: Success, Error: "ab"}, {Kind: Failure,
			Result: []byte("ab")}, {Kind: Success},
	} {
		if o.Digest(nil) == base.Digest(nil) {
			t.Errorf("%+v has the digest of another outcome", o)
		}
	}
	if base.Digest([][16]byte{{1}}) == base.Digest(nil) || base.Digest([][16]byte{{1}}) == base.Digest([][16]byte{{2}}) {
		t.Error("what is submitted with an outcome does not count")
	}
}
