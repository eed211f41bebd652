package fsm

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

var update = flag.Bool("update", false, "write what the scripts print into testdata")

// TestScripts runs testdata/*.txt. A script is a list of
//
//	command
//	----
//	what it prints
//
// with an empty line after each. Tasks and workers go by short names.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newScript(t).run(string(raw))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(raw), got); diff != "" {
				t.Errorf("output differs (-want +got):\n%s", diff)
			}
		})
	}
}

// script drives one FSM; time stands still but for the command "advance".
type script struct {
	t     *testing.T
	store *store.Store
	fsm   *FSM
	index uint64
	now   time.Time
	names map[task.ID]string
}

var epoch = time.UnixMilli(1_700_000_000_000).UTC()

func newScript(t *testing.T) *script {
	st := openStore(t, t.TempDir())
	return &script{t: t, store: st, fsm: newFSM(st), now: epoch, names: make(map[task.ID]string)}
}

func openStore(t testing.TB, dir string) *store.Store {
	t.Helper()
	cfg := store.Default()
	cfg.Dir, cfg.Create = dir, true
	st, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func newFSM(st *store.Store) *FSM {
	return New(st, Options{
		OnCommit: func(Committed) {},
		OnMark:   func(_ uint64, s *store.Snapshot) { s.Release() },
		OnFatal:  func(err error) { panic(err) },
	})
}

func (s *script) run(input string) string {
	var out strings.Builder
	lines := strings.Split(input, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if line == "" || strings.HasPrefix(line, "#") {
			out.WriteString(line + "\n")
			continue
		}
		out.WriteString(line + "\n----\n" + s.command(strings.Fields(line)))
		for i+1 < len(lines) && lines[i+1] != "" {
			i++ // the old output
		}
	}
	if err := s.store.Check(); err != nil {
		s.t.Errorf("store is not consistent after the script: %v", err)
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// command runs one line and returns what it prints.
func (s *script) command(words []string) string {
	args := arguments(words[1:])
	switch words[0] {
	case "advance":
		d, err := time.ParseDuration(words[1])
		s.must(err)
		s.now = s.now.Add(d)
		return ""
	case "submit":
		return s.apply(s.submit(words[1:]))
	case "claim":
		return s.apply(&Claim{
			Session: task.SessionID{words[1][0]}, WorkerID: words[1], Queues: split(args["queues"], task.DefaultQueue), Types: split(args["types"], ""),
			Max: number(args["max"], 1), Lease: 30 * time.Second,
		})
	case "finish":
		words, submit, _ := cut(words, "submit")
		o := task.Outcome{ID: s.id(words[1]), LeaseID: uint64(number(args["lease"], 0)), Kind: task.Success, Error: args["error"]}
		if args["kind"] != "" {
			s.must(o.Kind.UnmarshalText([]byte(args["kind"])))
		}
		if args["result"] != "" {
			o.Result = []byte(args["result"])
		}
		if args["cursor"] != "" {
			o.Progress = task.Progress{Percent: 50, Cursor: []byte(args["cursor"])}
		}
		c := s.submit(submit).(*Submit)
		o.Submit = c.Specs
		return s.apply(&Finish{
			Outcomes: []task.Outcome{o}, Delays: []time.Duration{duration(args["delay"])}, Hashes: [][][16]byte{c.Hashes},
			DedupWindow: c.DedupWindow,
		})
	case "release":
		e := Ended{ID: s.id(words[1]), LeaseID: uint64(number(args["lease"], 0)), Crash: args["crash"] != "", Delay: duration(args["delay"])}
		if args["cursor"] != "" {
			e.Progress = task.Progress{Percent: 50, Cursor: []byte(args["cursor"])}
		}
		s.must(e.Kind.UnmarshalText([]byte(args["kind"])))
		return s.apply(&Release{Ended: []Ended{e}})
	case "cancel":
		var c Cancel
		for _, name := range words[1:] {
			c.IDs = append(c.IDs, s.id(name))
		}
		return s.apply(&c)
	case "retry", "delete", "start", "step-operation", "end", "operations":
		return s.bulk(words, args)
	case "promote":
		return s.apply(&Promote{Max: number(args["max"], task.MaxTouch)})
	case "step":
		return s.apply(&Step{})
	case "requeue":
		c := &Requeue{Max: number(args["max"], task.MaxTouch)}
		if args["after"] != "" {
			c.After = s.id(args["after"])
		}
		return s.apply(c)
	case "retention":
		return s.apply(&SetRetention{task.Retention{
			Type: args["type"], Completed: kept(args["completed"]), DeadLetter: kept(args["dead"]), Cancelled: kept(args["cancelled"]),
		}})
	case "reap":
		return s.apply(&Reap{Max: number(args["max"], task.MaxTouch), DedupWindow: 24 * time.Hour})
	case "schedule", "unschedule", "fire", "trigger", "schedules":
		return s.scheduling(words, args)
	case "token", "revoke", "tokens":
		return s.tokens(words, args)
	case "expire":
		return s.apply(&Expire{Max: number(args["max"], task.MaxTouch)})
	case "mark":
		return s.apply(&Mark{})
	case "dispatch":
		return s.apply(&SetDispatch{Paused: words[1] == "pause"})
	case "queue":
		return s.apply(s.queue(words[1], words[2:]))
	case "queues":
		return s.queues()
	case "found":
		return s.apply(&Found{ClusterID: member.ID{words[1][0]}})
	case "member":
		return s.apply(&SetMember{Member: member.Member{ID: member.ID{words[1][0]}, Name: words[1], Address: args["address"], MaxCommandVersion: 1}})
	case "forget":
		return s.apply(&RemoveMember{ID: member.ID{words[1][0]}})
	case "stale-term":
		e, err := Encode(&Promote{Max: 1})
		s.must(err)
		return s.entry(append(AppendHeader(nil, 6, s.now), e...))
	case "tasks":
		return s.tasks()
	case "counts":
		return s.counts()
	case "members":
		return s.members()
	}
	s.t.Fatalf("unknown command %q", words[0])
	return ""
}

// cut splits words at the first that is sep.
func cut(words []string, sep string) (before, after []string, found bool) {
	if i := slices.Index(words, sep); i >= 0 {
		return words[:i], words[i+1:], true
	}
	return words, nil, false
}

// submit reads "NAME key=value ... [, NAME key=value ...]" and the word "atomic".
func (s *script) submit(words []string) Command {
	c := &Submit{DedupWindow: 24 * time.Hour}
	var item []string
	flush := func() {
		if len(item) > 0 {
			spec := s.spec(item[0], arguments(item[1:]))
			c.Specs, c.Hashes = append(c.Specs, spec), append(c.Hashes, spec.ContentHash())
		}
		item = nil
	}
	for _, w := range words {
		switch w {
		case "atomic":
			c.Atomic = true
		case ",":
			flush()
		default:
			item = append(item, w)
		}
	}
	flush()
	return c
}

func (s *script) spec(name string, args map[string]string) task.Spec {
	spec := task.Spec{ID: s.id(name), Type: args["type"], Queue: args["queue"], Payload: []byte(args["payload"]), Delay: duration(args["delay"])}
	if spec.Type == "" {
		spec.Type = "t"
	}
	if v, ok := args["priority"]; ok {
		p := task.Priority(number(v, 0))
		spec.Priority = &p
	}
	if v, ok := args["retries"]; ok {
		r := uint32(number(v, 0))
		spec.MaxRetries = &r
	}
	if v, ok := args["crashes"]; ok {
		r := uint32(number(v, 0))
		spec.MaxCrashes = &r
	}
	spec.Retention = duration(args["keep"])
	spec.TimeoutSeconds = uint64(number(args["timeout"], 0))
	for _, parent := range split(args["after"], "") {
		spec.Dependencies = append(spec.Dependencies, s.id(parent))
	}
	policy, err := task.ParsePolicy(args["policy"])
	s.must(err)
	spec.OnDependencyFailure = policy
	s.uniqueSpec(&spec, args)
	return spec
}

// uniqueSpec reads unique=KEY scope= ttl= conflict=, and expires= since the beginning of the script or expires-in=.
func (s *script) uniqueSpec(spec *task.Spec, args map[string]string) {
	var err error
	spec.UniqueKey, spec.UniqueTTL, spec.ExpiresIn = args["unique"], duration(args["ttl"]), duration(args["expires-in"])
	spec.UniqueScope, err = task.ParseUniqueScope(args["scope"])
	s.must(err)
	spec.OnConflict, err = task.ParseConflictPolicy(args["conflict"])
	s.must(err)
	if args["expires"] != "" {
		spec.ExpiresAt = epoch.Add(duration(args["expires"]))
	}
	s.must(spec.Validate())
}

// id makes the same id of the same name: a version 7 UUID of the script's epoch; "old..." is two days older, "new..." newer.
func (s *script) id(name string) task.ID {
	if strings.Contains(name, "@") {
		for id, known := range s.names { // of a fire
			if known == name {
				return id
			}
		}
	}
	at := epoch
	if strings.HasPrefix(name, "old") {
		at = at.Add(-48 * time.Hour)
	}
	if strings.HasPrefix(name, "new") {
		at = at.Add(48 * time.Hour)
	}
	ms := at.UnixMilli()
	id := task.ID{byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms), 0x70, 0, 0x80}
	copy(id[9:], name)
	s.names[id] = name
	return id
}

func (s *script) apply(c Command) string {
	e, err := Encode(c)
	s.must(err)
	return s.entry(append(AppendHeader(nil, 7, s.now), e...))
}

func (s *script) entry(data []byte) string {
	s.index++
	results := s.fsm.Apply(&raft.Log{Index: s.index, Term: 7, Type: raft.LogCommand, Data: data}).([]Result)
	return s.print(&results[0])
}

func (s *script) print(r *Result) string {
	var out bytes.Buffer
	if r.Err != nil {
		fmt.Fprintf(&out, "refused: %s\n", s.rename(r.Err.Error()))
	}
	for _, receipt := range r.Receipts {
		switch {
		case receipt.Err != nil:
			fmt.Fprintf(&out, "%s: %s\n", s.names[receipt.ID], s.rename(receipt.Err.Error()))
		case receipt.Existing && receipt.Duplicate:
			fmt.Fprintf(&out, "%s: existing, duplicate\n", s.names[receipt.ID])
		case receipt.Existing:
			fmt.Fprintf(&out, "%s: existing\n", s.names[receipt.ID])
		case receipt.Duplicate:
			fmt.Fprintf(&out, "%s: duplicate\n", s.names[receipt.ID])
		default:
			fmt.Fprintf(&out, "%s: ok\n", s.names[receipt.ID])
		}
	}
	for _, t := range r.Tasks {
		fmt.Fprintf(&out, "%s lease=%d attempt=%d payload=%q\n", s.names[t.ID], t.LeaseID, t.Attempt, t.Payload)
	}
	for _, l := range r.Moved {
		fmt.Fprintf(&out, "%s lease=%d ended\n", s.names[l.ID], l.LeaseID)
	}
	if r.Count > 0 || r.More {
		fmt.Fprintf(&out, "count=%d more=%v\n", r.Count, r.More)
	}
	if r.Index > 0 {
		fmt.Fprintf(&out, "index=%d\n", r.Index)
	}
	if out.Len() == 0 {
		return "nothing\n"
	}
	return out.String()
}

// tasks prints the state of every task, by name.
func (s *script) tasks() string {
	var lines []string
	for id, name := range s.names {
		t, err := s.store.Task(id, true)
		s.must(err)
		if t == nil {
			continue
		}
		line := fmt.Sprintf("%s %s", name, t.Phase())
		add := func(format string, args ...any) { line += " " + fmt.Sprintf(format, args...) }
		if t.Reason != "" {
			add("reason=%s", t.Reason)
		}
		add("attempt=%d", t.Attempt)
		if t.RetryCount > 0 {
			add("retries=%d", t.RetryCount)
		}
		if t.CrashCount > 0 {
			add("crashes=%d", t.CrashCount)
		}
		if t.WorkerID != "" {
			add("worker=%s", t.WorkerID)
		}
		if t.Status == task.InProgress {
			add("expires=+%s", t.LeaseExpiresAt.Sub(epoch))
		}
		if t.ScheduledAt.After(t.CreatedAt) {
			add("at=+%s", t.ScheduledAt.Sub(epoch))
		}
		if t.WaitingFor > 0 {
			add("waiting=%d", t.WaitingFor)
		}
		if t.UniqueKey != "" {
			add("key=%s", t.UniqueKey)
		}
		if t.UniqueHeld {
			add("held")
		}
		if t.ReplacedBy != (task.ID{}) {
			add("by=%s payload=%q priority=%d", s.names[t.ReplacedBy], t.Payload, t.Priority)
		}
		if !t.ExpiresAt.IsZero() {
			add("start-by=+%s", t.ExpiresAt.Sub(epoch))
		}
		if !t.DeleteAt.IsZero() {
			add("delete=+%s", t.DeleteAt.Sub(epoch))
		}
		if t.CancelRequested {
			add("cancel-requested")
		}
		if !t.Progress.IsZero() {
			add("progress=%d%%:%s", t.Progress.Percent, t.Progress.Cursor)
		}
		if t.Error != "" {
			add("error=%q", t.Error)
		}
		if t.Result != nil {
			add("result=%q", t.Result)
		}
		for _, a := range t.History {
			add("[%d %s]", a.Number, a.Outcome)
		}
		lines = append(lines, line)
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n") + "\n"
}

func (s *script) counts() string {
	var out strings.Builder
	for _, c := range s.store.Stats().Queues {
		fmt.Fprintf(&out, "%s/%s pending=%d (ready=%d scheduled=%d blocked=%d) in_progress=%d completed=%d failed=%d dead_letter=%d cancelled=%d\n", c.Queue, c.Type,
			c.Pending, c.Ready, c.Scheduled, c.Blocked, c.InProgress, c.Completed, c.Failed, c.DeadLetter, c.Cancelled)
	}
	return out.String()
}

func (s *script) members() string {
	members, err := Members(s.store)
	s.must(err)
	id, err := ClusterID(s.store)
	s.must(err)
	out := fmt.Sprintf("cluster %c\n", max('-', rune(id[0])))
	for _, m := range members {
		out += fmt.Sprintf("%s %s\n", m.Name, m.Address)
	}
	return out
}

// rename puts names in the place of ids.
func (s *script) rename(text string) string {
	for id, name := range s.names {
		text = strings.ReplaceAll(text, id.String(), name)
	}
	return text
}

func (s *script) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func arguments(words []string) map[string]string {
	args := make(map[string]string)
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		}
	}
	return args
}

func split(v, fallback string) []string {
	if v == "" {
		v = fallback
	}
	if v == "" {
		return nil
	}
	return strings.Split(v, ",")
}

func number(v string, fallback int) int {
	if n, err := strconv.Atoi(v); err == nil {
		return n
	}
	return fallback
}

// kept reads a retention: a duration, "forever" or nothing.
func kept(v string) time.Duration {
	if v == "forever" {
		return task.KeepForever
	}
	return duration(v)
}

func duration(v string) time.Duration {
	d, _ := time.ParseDuration(v)
	return d
}
