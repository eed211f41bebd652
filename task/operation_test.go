package task

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestActionsFitTheTransitions: an action changes exactly the statuses in which its event is allowed.
func TestActionsFitTheTransitions(t *testing.T) {
	for action, want := range map[Action][]Status{
		ActionRetry:  {Failed, DeadLetter, Cancelled},
		ActionCancel: {Pending, InProgress, Failed},
		ActionDelete: {Pending, Completed, Failed, DeadLetter, Cancelled},
	} {
		if diff := cmp.Diff(want, action.Changes()); diff != "" {
			t.Errorf("%s: %s", action, diff)
		}
		for _, s := range action.Changes() {
			event := map[Action]Event{ActionRetry: EventRetry, ActionCancel: EventCancel}[action]
			if _, err := Next(s, event); event != 0 && err != nil {
				t.Errorf("%s in status %s: %v", action, s, err)
			}
		}
	}
}

func TestOrdersAreChecked(t *testing.T) {
	zero := Priority(0)
	good := OperationOrder{ID: NewID(), Action: ActionRetry}
	o := good
	if err := o.Validate(); err != nil || len(o.Selection.Statuses) != 3 {
		t.Fatalf("%+v, %v", o, err)
	}
	for name, spoil := range map[string]func(o *OperationOrder){
		"no id":              func(o *OperationOrder) { o.ID = ID{} },
		"no action":          func(o *OperationOrder) { o.Action = 0 },
		"unknown action":     func(o *OperationOrder) { o.Action = 4 },
		"rate":               func(o *OperationOrder) { o.Rate = MaxRate + 1 },
		"priorities crossed": func(o *OperationOrder) { o.Selection.MinPriority, o.Selection.MaxPriority = 1, &zero },
		"unknown status":     func(o *OperationOrder) { o.Selection.Statuses = []Status{9} },
		"status twice":       func(o *OperationOrder) { o.Selection.Statuses = []Status{Failed, Failed} },
		"status not changed": func(o *OperationOrder) { o.Selection.Statuses = []Status{Completed} },
		"control character":  func(o *OperationOrder) { o.Selection.Queue = "a\n" },
		"no UTF-8":           func(o *OperationOrder) { o.Selection.ErrorContains = "\xff" },
	} {
		o := good
		spoil(&o)
		if err := o.Validate(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o = good
	o.Selection.ErrorContains = strings.Repeat("x", MaxErrorContains+1)
	if err := o.Validate(); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}
