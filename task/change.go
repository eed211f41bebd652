package task

import "time"

// Change is one change of a task's status, as it was applied. It is news, not state: nodes may cut it off.
type Change struct {
	ID    ID
	Queue string
	Type  string
	From  Status    // zero for a new task
	To    Status    // zero for a deleted task
	At    time.Time // leader time
	// Took is how long the attempt ran that the change ended, or, when To is InProgress, how long the task stood ready.
	Took time.Duration
}
