package task

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestOutcomeValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		o    Outcome
		want error
	}{
		"success":          {Outcome{LeaseID: 1, Kind: Success, Result: make([]byte, MaxResult)}, nil},
		"result too large": {Outcome{LeaseID: 1, Kind: Success, Result: make([]byte, MaxResult+1)}, ErrTooLarge},
		"failure": {Outcome{LeaseID: 1, Kind: Failure, Error: strings.Repeat("e", MaxError), RetryAfter: MaxDelay},
			nil},
		"error too large":       {Outcome{LeaseID: 1, Kind: Failure, Error: strings.Repeat("e", MaxError+1)}, ErrTooLarge},
		"error not UTF-8":       {Outcome{LeaseID: 1, Kind: Failure, Error: "\xff"}, ErrInvalid},
		"failed result":         {Outcome{LeaseID: 1, Kind: Failure, Result: []byte("r")}, ErrInvalid},
		"error of a success":    {Outcome{LeaseID: 1, Kind: Success, Error: "e"}, ErrInvalid},
		"pause of a success":    {Outcome{LeaseID: 1, Kind: Success, RetryAfter: 1}, ErrInvalid},
		"pause of a cancel":     {Outcome{LeaseID: 1, Kind: Discard, RetryAfter: 1}, ErrInvalid},
		"pause when stopped":    {Outcome{LeaseID: 1, Kind: Interrupted, RetryAfter: 1}, ErrInvalid},
		"interrupted":           {Outcome{LeaseID: 1, Kind: Interrupted}, nil},
		"no lease":              {Outcome{Kind: Success}, ErrInvalid},
		"no kind":               {Outcome{LeaseID: 1}, ErrInvalid},
		"kind 7":                {Outcome{LeaseID: 1, Kind: 7}, ErrInvalid},
		"the broker's kind":     {Outcome{LeaseID: 1, Kind: LeaseExpired}, ErrInvalid},
		"submit with a failure": {Outcome{LeaseID: 1, Kind: Failure, Submit: []Spec{{ID: NewID(), Type: "t"}}}, ErrInvalid},
		"bad task to submit":    {Outcome{LeaseID: 1, Kind: Success, Submit: []Spec{{ID: NewID()}}}, ErrInvalid},
		"too many to submit":    {Outcome{LeaseID: 1, Kind: Success, Submit: make([]Spec, MaxFollowUps+1)}, ErrTooLarge},
		"negative delay":        {Outcome{LeaseID: 1, Kind: Snooze, RetryAfter: -1}, ErrInvalid},
		"delay too long":        {Outcome{LeaseID: 1, Kind: Snooze, RetryAfter: MaxDelay + 1}, ErrInvalid},
	} {
		if err := tt.o.Validate(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestClaimValidate(t *testing.T) {
	names := func(n int) (out []string) {
		for range n {
			out = append(out, "n")
		}
		return out
	}
	good := func() ClaimRequest { return ClaimRequest{Session: SessionID{1}, WorkerID: "w", Max: 1} }
	for name, tt := range map[string]struct {
		change func(*ClaimRequest)
		want   error
	}{
		"least":            {func(*ClaimRequest) {}, nil},
		"most":             {func(c *ClaimRequest) { c.Max, c.Wait, c.Lease = MaxItems, MaxWait, MaxLease }, nil},
		"no session":       {func(c *ClaimRequest) { c.Session = SessionID{} }, ErrInvalid},
		"no worker":        {func(c *ClaimRequest) { c.WorkerID = "" }, ErrInvalid},
		"none":             {func(c *ClaimRequest) { c.Max = 0 }, ErrInvalid},
		"too many":         {func(c *ClaimRequest) { c.Max = MaxItems + 1 }, ErrInvalid},
		"negative wait":    {func(c *ClaimRequest) { c.Wait = -1 }, ErrInvalid},
		"wait too long":    {func(c *ClaimRequest) { c.Wait = MaxWait + 1 }, ErrInvalid},
		"negative lease":   {func(c *ClaimRequest) { c.Lease = -1 }, ErrInvalid},
		"lease too long":   {func(c *ClaimRequest) { c.Lease = MaxLease + 1 }, ErrInvalid},
		"empty queue":      {func(c *ClaimRequest) { c.Queues = []string{""} }, ErrInvalid},
		"bad type":         {func(c *ClaimRequest) { c.Types = []string{"\t"} }, ErrInvalid},
		"most pairs":       {func(c *ClaimRequest) { c.Queues, c.Types = names(16), names(16) }, nil},
		"too many pairs":   {func(c *ClaimRequest) { c.Queues, c.Types = names(16), names(17) }, ErrInvalid},
		"too many queues":  {func(c *ClaimRequest) { c.Queues = names(MaxPairs + 1) }, ErrInvalid},
		"too many types":   {func(c *ClaimRequest) { c.Types = names(MaxPairs + 1) }, ErrInvalid},
		"most types alone": {func(c *ClaimRequest) { c.Types = names(MaxPairs) }, nil},
	} {
		c := good()
		tt.change(&c)
		if err := c.Validate(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	c := good()
	if err := c.Validate(); err != nil || len(c.Queues) != 1 || c.Queues[0] != DefaultQueue || c.Lease != DefaultLease {
		t.Errorf("defaults are not filled in: %+v, %v", c, err)
	}
}

func TestHeartbeatValidate(t *testing.T) {
	beat := func(p Progress) Heartbeat {
		return Heartbeat{Session: SessionID{1}, Leases: []LeaseRef{{ID: ID{1}, LeaseID: 1, Progress: p}}}
	}
	for name, tt := range map[string]struct {
		h    Heartbeat
		want error
	}{
		"none":             {Heartbeat{Session: SessionID{1}}, nil},
		"most":             {Heartbeat{Session: SessionID{1}, Leases: make([]LeaseRef, MaxItems+1)}, ErrTooLarge},
		"no session":       {Heartbeat{}, ErrInvalid},
		"no lease id":      {Heartbeat{Session: SessionID{1}, Leases: []LeaseRef{{ID: ID{1}}}}, ErrInvalid},
		"progress":         {beat(Progress{Percent: 100, Message: "m", Cursor: make([]byte, MaxProgress-1)}), nil},
		"progress beyond":  {beat(Progress{Percent: 101}), ErrInvalid},
		"progress large":   {beat(Progress{Message: "m", Cursor: make([]byte, MaxProgress)}), ErrTooLarge},
		"progress garbled": {beat(Progress{Message: "\xff"}), ErrInvalid},
	} {
		if err := tt.h.Validate(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestQueryValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		q    Query
		want error
	}{
		"one":           {Query{IDs: make([]ID, 1), Wait: MaxWait}, nil},
		"most":          {Query{IDs: make([]ID, MaxItems)}, nil},
		"none":          {Query{}, ErrInvalid},
		"too many":      {Query{IDs: make([]ID, MaxItems+1)}, ErrTooLarge},
		"two that wait": {Query{IDs: make([]ID, 2), Wait: 1}, ErrInvalid},
		"negative wait": {Query{IDs: make([]ID, 1), Wait: -1}, ErrInvalid},
		"wait too long": {Query{IDs: make([]ID, 1), Wait: MaxWait + 1}, ErrInvalid},
	} {
		if err := tt.q.Validate(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestFilterValidate(t *testing.T) {
	low, now := Priority(5), time.UnixMicro(1_700_000_000_000_000)
	for name, tt := range map[string]struct {
		f    Filter
		want error
	}{
		"all": {Filter{}, nil},
		"full": {Filter{Queue: "q", Type: "t", Status: Cancelled, MinPriority: 5, MaxPriority: &low,
			Limit: MaxItems}, nil},
		"bad status":        {Filter{Status: 7}, ErrInvalid},
		"negative limit":    {Filter{Limit: -1}, ErrInvalid},
		"limit too large":   {Filter{Limit: MaxItems + 1}, ErrInvalid},
		"empty range":       {Filter{MinPriority: 6, MaxPriority: &low}, ErrInvalid},
		"long cursor":       {Filter{Cursor: make([]byte, MaxCursor+1)}, ErrTooLarge},
		"queue not a name":  {Filter{Queue: "\x00"}, ErrInvalid},
		"type not a name":   {Filter{Type: "\xff"}, ErrInvalid},
		"priorities of one": {Filter{MinPriority: 5, MaxPriority: &low}, nil},
		"unknown order":     {Filter{Order: 4}, ErrInvalid},
		"parent and time":   {Filter{DependsOn: ID{1}, Order: OrderByScheduled}, ErrInvalid},
		"ready ones":        {Filter{Order: OrderByPriority, Status: Pending, ScheduledFrom: now}, nil},
		"running by order":  {Filter{Order: OrderByPriority, Status: InProgress}, ErrInvalid},
		"retries by time":   {Filter{Order: OrderByScheduled, Status: Failed, ScheduledTo: now}, nil},
		"completed by time": {Filter{Order: OrderByScheduled, Status: Completed}, ErrInvalid},
		"empty time range":  {Filter{ScheduledFrom: now, ScheduledTo: now}, ErrInvalid},
		"moment of one":     {Filter{ScheduledFrom: now, ScheduledTo: now.Add(1)}, nil},
	} {
		if err := tt.f.Validate(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	var f Filter
	if err := f.Validate(); err != nil || f.Limit != DefaultListLimit {
		t.Errorf("the default limit is not filled in: %+v, %v", f, err)
	}
}

func TestRetryLater(t *testing.T) {
	err := error(&RetryLater{Err: ErrBusy, After: time.Second})
	var later *RetryLater
	if !errors.Is(err, ErrBusy) || !errors.As(err,
		&later) || later.After != time.Second || err.Error() != ErrBusy.Error() {
		t.Errorf("got %v", err)
	}
}

func TestParseOrder(t *testing.T) {
	for _, o := range []Order{OrderByID, OrderByPriority, OrderByScheduled} {
		if got, err := ParseOrder(o.String()); err != nil || got != o {
			t.Errorf("%s reads as %s, %v", o, got, err)
		}
	}
	if _, err := ParseOrder("age"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "id, priority, scheduled") {
		t.Errorf("got %v", err)
	}
}
