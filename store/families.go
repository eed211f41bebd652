package store

import "github.com/haiku-queue/haiku/task"

// family names one column family. The order is that of the state hash: new ones go to the end.
type family uint8

const (
	famPending family = iota
	famInProgress
	famCompleted
	famFailed
	famDeadLetter
	famCancelled
	famBlobs
	famID
	famType
	famPriority
	famSchedule
	famDependents
	famUnique
	famMeta // Verify takes those from famBlobs up to here for indexes
	familyCount
)

var familyNames = [familyCount]string{
	famPending:    "pending",
	famInProgress: "in_progress",
	famCompleted:  "completed",
	famFailed:     "failed",
	famDeadLetter: "dead_letter",
	famCancelled:  "cancelled",
	famBlobs:      "blobs",
	famID:         "index_task_id",
	famType:       "index_task_type",
	famPriority:   "index_priority",
	famSchedule:   "index_scheduled_time",
	famDependents: "index_dependents",
	famUnique:     "index_unique",
	famMeta:       "meta",
}

func (f family) String() string { return familyNames[f] }

// statusFamily is where the records of tasks in status s are.
func statusFamily(s task.Status) family { return famPending + family(s-task.Pending) }

// familyStatus is the status of the records in f, one of the first six families.
func familyStatus(f family) task.Status { return task.Pending + task.Status(f-famPending) }
