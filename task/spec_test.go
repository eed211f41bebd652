package task

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestSpecValidate holds each limit from both sides. want is nil for what must pass; the message has to name field.
func TestSpecValidate(t *testing.T) {
	u32 := func(v uint32) *uint32 { return &v }
	long := strings.Repeat("é", MaxName/2)
	headers := func(n int) (h []Header) {
		for i := range n {
			h = append(h, Header{Name: strings.Repeat("n", i+1)})
		}
		return h
	}
	parents := func(n int) (ids []ID) {
		for i := range n {
			ids = append(ids, ID{byte(i >> 8), byte(i), 1})
		}
		return ids
	}
	for name, tt := range map[string]struct {
		change func(*Spec)
		want   error
		field  string
	}{
		"as it is":              {func(*Spec) {}, nil, ""},
		"no id":                 {func(s *Spec) { s.ID = ID{} }, ErrInvalid, "id"},
		"id of version 4":       {func(s *Spec) { s.ID[6] = 0x40 }, ErrInvalid, "id"},
		"id of another variant": {func(s *Spec) { s.ID[8] = 0 }, ErrInvalid, "id"},
		"no type":               {func(s *Spec) { s.Type = "" }, ErrInvalid, "type"},
		"longest type":          {func(s *Spec) { s.Type = long }, nil, ""},
		"type too long":         {func(s *Spec) { s.Type = long + "x" }, ErrInvalid, "type"},
		"type not UTF-8":        {func(s *Spec) { s.Type = "\xff" }, ErrInvalid, "type"},
		"type with newline":     {func(s *Spec) { s.Type = "a\nb" }, ErrInvalid, "type"},
		"type with NUL":         {func(s *Spec) { s.Type = "a\x00" }, ErrInvalid, "type"},
		"type with C1 control":  {func(s *Spec) { s.Type = "a\u0085" }, ErrInvalid, "type"},
		"no queue":              {func(s *Spec) { s.Queue = "" }, nil, ""},
		"queue too long":        {func(s *Spec) { s.Queue = long + "x" }, ErrInvalid, "queue"},
		"largest payload":       {func(s *Spec) { s.Payload = make([]byte, MaxPayload) }, nil, ""},
		"payload too large":     {func(s *Spec) { s.Payload = make([]byte, MaxPayload+1) }, ErrTooLarge, "payload"},
		"negative delay":        {func(s *Spec) { s.ScheduledAt, s.Delay = time.Time{}, -1 }, ErrInvalid, "delay"},
		"longest delay":         {func(s *Spec) { s.ScheduledAt, s.Delay = time.Time{}, MaxDelay }, nil, ""},
		"delay too long":        {func(s *Spec) { s.ScheduledAt, s.Delay = time.Time{}, MaxDelay+1 }, ErrInvalid, "delay"},
		"delay and time":        {func(s *Spec) { s.Delay = 1 }, ErrInvalid, "scheduled_at"},
		"before 1970":           {func(s *Spec) { s.ScheduledAt = time.Unix(-1, 0) }, ErrInvalid, "scheduled_at"},
		"after 9999": {func(s *Spec) { s.ExpiresAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, ErrInvalid,
			"expires_at"},
		"last moment":     {func(s *Spec) { s.ExpiresAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }, nil, ""},
		"longest timeout": {func(s *Spec) { s.TimeoutSeconds = uint64(MaxTimeout / time.Second) }, nil, ""},
		"timeout too long": {func(s *Spec) { s.TimeoutSeconds = uint64(MaxTimeout/time.Second) + 1 }, ErrInvalid,
			"timeout_seconds"},
		"huge timeout":       {func(s *Spec) { s.TimeoutSeconds = 1 << 63 }, ErrInvalid, "timeout_seconds"},
		"negative retention": {func(s *Spec) { s.Retention = -1 }, ErrInvalid, "retention"},
		"retention too long": {func(s *Spec) { s.Retention = MaxDelay + 1 }, ErrInvalid, "retention"},
		"most retries":       {func(s *Spec) { s.MaxRetries = u32(MaxRetriesLimit) }, nil, ""},
		"too many retries":   {func(s *Spec) { s.MaxRetries = u32(MaxRetriesLimit + 1) }, ErrInvalid, "max_retries"},
		"no crash allowed":   {func(s *Spec) { s.MaxCrashes = u32(0) }, ErrInvalid, "max_crashes"},
		"too many crashes":   {func(s *Spec) { s.MaxCrashes = u32(MaxCrashesLimit + 1) }, ErrInvalid, "max_crashes"},
		"longest unique key": {func(s *Spec) { s.UniqueKey = strings.Repeat("k", MaxUniqueKey) }, nil, ""},
		"unique key too long": {func(s *Spec) { s.UniqueKey = strings.Repeat("k", MaxUniqueKey+1) }, ErrTooLarge,
			"unique_key"},
		"unique key not UTF-8": {func(s *Spec) { s.UniqueKey = "\xc3" }, ErrInvalid, "unique_key"},
		"unknown policy":       {func(s *Spec) { s.OnDependencyFailure = 3 }, ErrInvalid, "on_dependency_failure"},
		"bad backoff":          {func(s *Spec) { s.Backoff.FactorPercent = 1 }, ErrInvalid, "factor_percent"},
		"most parents":         {func(s *Spec) { s.Dependencies = parents(MaxDependencies) }, nil, ""},
		"too many parents": {func(s *Spec) { s.Dependencies = parents(MaxDependencies + 1) }, ErrTooLarge,
			"dependencies"},
		"itself":              {func(s *Spec) { s.Dependencies = []ID{s.ID} }, ErrInvalid, "itself"},
		"parent twice":        {func(s *Spec) { s.Dependencies = []ID{{1}, {2}, {1}} }, ErrInvalid, "twice"},
		"most headers":        {func(s *Spec) { s.Headers = headers(MaxHeaderCount) }, nil, ""},
		"too many headers":    {func(s *Spec) { s.Headers = headers(MaxHeaderCount + 1) }, ErrTooLarge, "headers"},
		"header without name": {func(s *Spec) { s.Headers = []Header{{"", "v"}} }, ErrInvalid, "header name"},
		"header twice":        {func(s *Spec) { s.Headers = []Header{{"a", "1"}, {"a", "2"}} }, ErrInvalid, "twice"},
		"header not UTF-8":    {func(s *Spec) { s.Headers = []Header{{"a", "\xff"}} }, ErrInvalid, "header"},
		"header with newline": {func(s *Spec) { s.Headers = []Header{{"a", "x\ny"}} }, nil, ""},
		"largest headers":     {func(s *Spec) { s.Headers = []Header{{"a", strings.Repeat("v", MaxHeaders-1)}} }, nil, ""},
		"headers too large": {func(s *Spec) { s.Headers = []Header{{"a", strings.Repeat("v", MaxHeaders)}} },
			ErrTooLarge, "headers"},
		"headers too large in 2": {func(s *Spec) {
			s.Headers = []Header{{"a", strings.Repeat("v", MaxHeaders-1)}, {"b",
				""}}
		}, ErrTooLarge, "headers"},
	} {
		s := fullSpec()
		tt.change(s)
		err := s.Validate()
		if !errors.Is(err, tt.want) || (err != nil && !strings.Contains(err.Error(), tt.field)) {
			t.Errorf("%s: got %v, want %v that names %q", name, err, tt.want, tt.field)
		}
	}
}

func TestPolicyNames(t *testing.T) {
	for i, name := range policyNames {
		p, err := ParsePolicy(name)
		if int(p) != i || err != nil || p.String() != name {
			t.Errorf("%q: %v, %v", name, p, err)
		}
	}
	if p, err := ParsePolicy(""); p != PolicyCancel || err != nil {
		t.Errorf("no name: %v, %v", p, err)
	}
	if _, err := ParsePolicy("wait"); !errors.Is(err, ErrInvalid) {
		t.Errorf("unknown name: %v", err)
	}
}

func TestClipText(t *testing.T) {
	for _, tt := range []struct {
		s     string
		limit int
		want  string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"aé", 2, "a"}, {"aé", 3, "aé"}, {"日本", 5, "日"}, {"é", 1, ""}, {"x", 0, ""}} {
		if got := ClipText(tt.s, tt.limit); got != tt.want {
			t.Errorf("ClipText(%q, %d) = %q, want %q", tt.s, tt.limit, got, tt.want)
		}
	}
}
