package main

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/spf13/pflag"

	"github.com/haiku-queue/haiku/task"
)

// attempts holds the flags that say how often a task runs, and with what pauses.
type attempts struct {
	maxRetries, maxCrashes uint32
	initial, longest       time.Duration
	factor                 float64
	jitter                 uint32
}

func (s *attempts) addFlags(flags *pflag.FlagSet) {
	flags.Uint32Var(&s.maxRetries, "max-retries", task.DefaultRetries, "runs after the first that failed")
	flags.Uint32Var(&s.maxCrashes, "max-crashes", task.DefaultCrashes, "workers that may die of it")
	d := task.DefaultBackoff
	flags.DurationVar(&s.initial, "backoff", d.Initial, "pause before the first retry")
	flags.Float64Var(&s.factor, "backoff-factor", float64(d.FactorPercent)/100, "growth of the pause with each retry, 1 to 100")
	flags.DurationVar(&s.longest, "backoff-max", d.Max, "longest pause, or --backoff if that is longer")
	flags.Uint32Var(&s.jitter, "backoff-jitter", d.JitterPercent, "percent by which pauses are spread, 0 to 100")
}

// attemptFlags are the names of the flags.
var attemptFlags = [...]string{"max-retries", "max-crashes", "backoff", "backoff-factor", "backoff-max", "backoff-jitter"}

// set gives a task what was said. A pause that is said in part is that of the defaults in the rest.
func (s *attempts) set(flags *pflag.FlagSet, spec *task.Spec) error {
	if flags.Changed("max-retries") {
		spec.MaxRetries = &s.maxRetries
	}
	if flags.Changed("max-crashes") {
		spec.MaxCrashes = &s.maxCrashes
	}
	if s.factor < 1 || s.factor > 100 || math.IsNaN(s.factor) {
		return &usageError{fmt.Errorf("--backoff-factor %g is not within 1 and 100", s.factor)}
	}
	if flags.Changed("backoff") && s.initial <= 0 {
		return &usageError{fmt.Errorf("--backoff %s is not above 0", s.initial)}
	}
	if flags.Changed("backoff-max") && s.longest <= 0 {
		return &usageError{fmt.Errorf("--backoff-max %s is not above 0", s.longest)}
	}
	for _, name := range attemptFlags[2:] {
		if flags.Changed(name) {
			spec.Backoff = task.Backoff{Initial: s.initial, FactorPercent: uint32(math.Round(s.factor * 100)), JitterPercent: s.jitter}
			if flags.Changed("backoff-max") {
				spec.Backoff.Max = s.longest
			}
		}
	}
	return nil
}

// backoffLine is the pause before a retry as a line of a file says it, with the names of a task's JSON. Other than there,
// a name that is not known is refused.
type backoffLine struct {
	InitialSeconds float64 `json:"initial_seconds"`
	FactorPercent  uint32  `json:"factor_percent"`
	MaxSeconds     float64 `json:"max_seconds"`
	JitterPercent  uint32  `json:"jitter_percent"`
}

func (l *backoffLine) backoff() (b task.Backoff, err error) {
	raw, err := json.Marshal(l)
	if err == nil {
		err = json.Unmarshal(raw, &b)
	}
	if err != nil {
		return b, fmt.Errorf("backoff: %w", err)
	}
	return b, nil
}
