package task

import "time"

// The limits that every layer checks, before it allocates. PROTOCOL.md lists them.
const (
	MaxPayload       = 10 << 20 // bytes
	MaxResult        = 4 << 20  // bytes
	MaxError         = 64 << 10 // bytes of UTF-8
	MaxHeaders       = 16 << 10 // bytes of all names and values together
	MaxHeaderCount   = 128      // headers of one task
	MaxName          = 128      // bytes of UTF-8 without control characters: queue, type, worker and the like
	MaxUniqueKey     = 1 << 10  // bytes of UTF-8
	MaxProgress      = 4 << 10  // bytes of message and cursor together
	MaxCursor        = 1 << 10  // bytes of the cursor of a list
	MaxErrorContains = 1 << 10  // bytes of the text that the errors of selected tasks contain
	MaxToken         = 4 << 10  // bytes
	MaxItems         = 1000     // tasks, results or ids in one request
	MaxFollowUps     = 100      // tasks submitted with one result
	MaxDependencies  = 1000     // of one task
	MaxBatchParents  = 10000    // dependencies in one request, all tasks together
	MaxHistory       = 20       // attempts kept
	MaxPairs         = 256      // (queue, type) pairs of one claim
	MaxClaimBytes    = 8 << 20  // payload bytes of one claim; one task is always given
	MaxRetriesLimit  = 10000
	MaxCrashesLimit  = 1000
	MaxTimeout       = 366 * 24 * time.Hour
	MaxDelay         = 10 * 366 * 24 * time.Hour
	MaxWait          = 10 * time.Minute // of one claim or query
	MaxLease         = 12 * time.Hour
	InlineBytes      = 1 << 10  // a payload or result up to this size stands in the record
	MaxTouch         = 1000     // tasks that one command may change
	MaxExpression    = 256      // bytes of a cron expression
	MaxSchedules     = 10000    // of a cluster
	MaxScheduleBytes = 64 << 10 // payload of a schedule's task
	MaxUpcoming      = 100      // next fires told at once
	DefaultLease     = 30 * time.Second
	DefaultRetries   = 3
	DefaultCrashes   = 3
	DefaultQueue     = "default"
	DefaultDedup     = 24 * time.Hour
	DefaultListLimit = 100
)
