package fsm

import (
	"time"

	"github.com/haiku-queue/haiku/task"
)

// The kinds of commands about schedules.
const (
	KindSetSchedule    Kind = 26
	KindRemoveSchedule Kind = 27
	KindFire           Kind = 28
)

// SetSchedule makes a schedule or changes it, unless another change came in between: nothing happens unless the version
// is still what it is in Schedule, 0 for no such schedule. Of what the broker keeps Schedule says Anchor, Paused,
// PauseReason and Next; the rest stays as it is.
type SetSchedule struct{ Schedule task.Schedule }

// RemoveSchedule forgets a schedule. What it has submitted stays.
type RemoveSchedule struct{ Name string }

// Fire goes on to the next fire of a schedule and submits its task for the moment At. Nothing happens unless the
// schedule has this version and its next fire is the one at Due, so each fires once however often this is proposed. Only
// the leader makes it.
type Fire struct {
	Name    string
	Version uint64
	Due     time.Time
	At      time.Time // Due or a moment after it; zero: nothing is submitted, all that were due are left out
	Next    time.Time // zero: there is none

	// Trigger is the id of the task to submit now, by hand, with no effect on the next fire. Only Name counts besides.
	Trigger task.ID
}

// Kind and its siblings name the commands' numbers.
func (*SetSchedule) Kind() Kind    { return KindSetSchedule }
func (*RemoveSchedule) Kind() Kind { return KindRemoveSchedule }
func (*Fire) Kind() Kind           { return KindFire }
