package task

import "time"

// Verification is what a comparison of a store's indexes and counters with its records found. In a dry run added,
// rewritten, removed and corrected are what a repair would do.
type Verification struct {
	DryRun    bool          `json:"dry_run"`
	Records   uint64        `json:"records"`   // read
	Checked   uint64        `json:"checked"`   // index entries
	Added     uint64        `json:"added"`     // index entries that were missing
	Rewritten uint64        `json:"rewritten"` // index entries with another value than their task's
	Removed   uint64        `json:"removed"`   // index entries that no task calls for
	Corrected uint64        `json:"corrected"` // counters
	Damaged   uint64        `json:"damaged"`   // what nobody can derive from something else: left as it is
	Problems  []string      `json:"problems"`  // the first of all these, in words
	Elapsed   time.Duration `json:"-"`
}

// Wrong is how many entries and counters were not what the records call for.
func (v *Verification) Wrong() uint64 { return v.Added + v.Rewritten + v.Removed + v.Corrected }

// Healthy reports whether nothing is wrong, or nothing is any more.
func (v *Verification) Healthy() bool { return v.Damaged == 0 && (v.Wrong() == 0 || !v.DryRun) }
