package task

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestRetentionValidate(t *testing.T) {
	for name, c := range map[string]struct {
		r    Retention
		want string // part of the error; empty for none
	}{
		"nothing":      {Retention{}, ""},
		"the default":  {DefaultRetention(), ""},
		"a type":       {Retention{Type: "email", Completed: time.Second, DeadLetter: KeepForever, Cancelled: MaxDelay}, ""},
		"bad name":     {Retention{Type: "a\x00b"}, "type"},
		"long name":    {Retention{Type: strings.Repeat("a", MaxName+1)}, "type"},
		"negative":     {Retention{DeadLetter: -time.Second}, "dead_letter"},
		"nanosecond":   {Retention{Completed: -1}, "completed"},
		"beyond limit": {Retention{Cancelled: MaxDelay + 1}, "cancelled"},
	} {
		err := c.r.Validate()
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRetentionOf(t *testing.T) {
	r := Retention{Completed: 1, DeadLetter: 2, Cancelled: 3}
	if r.Of(Completed) != 1 || r.Of(DeadLetter) != 2 || r.Of(Cancelled) != 3 || r.IsUnset() || !(&Retention{Type: "x"}).IsUnset() {
		t.Fatal("the wrong duration")
	}
}
