package web

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

const (
	topQueues   = 20          // of an overview
	overviewAge = time.Second // for which an overview is shown to all who ask
)

// Overview is how the cluster does, at a glance.
type Overview struct {
	At             time.Time          `json:"at"`
	ClusterID      member.ID          `json:"cluster_id"`
	Node           string             `json:"node" doc:"Name of the node that answers"`
	Leader         string             `json:"leader" doc:"Name of the leader; empty if there is none"`
	Stale          bool               `json:"stale" doc:"No leader answered: this is the state of this node alone"`
	AppliedIndex   uint64             `json:"applied_index"`
	Missing        []string           `json:"missing" doc:"Names of the nodes that this one cannot reach"`
	Counts         task.QueueCounts   `json:"counts"`
	Rates          map[string]float64 `json:"rates" doc:"Events a second at this node over the last seconds: submitted, claimed, completed, failed, dead. They are of all queues: none for a token of some"`
	Latency        map[string]float64 `json:"latency" doc:"Of the last minute at this node, in microseconds; of all queues, too"`
	OldestReadyAge float64            `json:"oldest_ready_age_s" doc:"How long the task has waited that has waited longest; 0 if none is ready"`
	Queues         []Queue            `json:"queues" doc:"The queues with most waiting tasks"`
	DispatchPaused bool               `json:"dispatch_paused"`
}

// overviews makes overviews, one a second for each token, however many want it.
type overviews struct {
	s *Server

	mu   sync.Mutex
	kept map[string]*keptOverview
}

type keptOverview struct {
	mu   sync.Mutex
	at   time.Time
	body *reply[Overview]
}

func newOverviews(s *Server) *overviews {
	return &overviews{s: s, kept: make(map[string]*keptOverview)}
}

func (s *Server) registerOverview(a *api) {
	register(a, op{http.MethodGet, "/v1/overview", "get-overview", "overview", "How the cluster does, at a glance"},
		func(ctx context.Context, in *struct{ Reads }) (*reply[Overview], error) {
			if in.Reads == (Reads{}) {
				return s.overview.get(ctx)
			}
			return s.overviewNow(ctx, in.Reads)
		})
	register(a, op{http.MethodGet, "/v1/stats", "get-stats", "overview", "Count tasks by queue, type and status"}, s.stats)
	register(a, op{http.MethodGet, "/v1/history", "get-history", "overview", "Samples of this node for charts, of all queues"}, s.history)
}

// get returns an overview that is not older than overviewAge.
func (o *overviews) get(ctx context.Context) (*reply[Overview], error) {
	token := tokenIn(ctx)
	o.mu.Lock()
	k := o.kept[token]
	if k == nil {
		if len(o.kept) >= maxClients { // those who still ask make theirs anew
			clear(o.kept)
		}
		k = &keptOverview{}
		o.kept[token] = k
	}
	o.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.body != nil && time.Since(k.at) < overviewAge*9/10 {
		return k.body, nil
	}
	begun := time.Now()
	body, err := o.s.overviewNow(ctx, Reads{})
	if err == nil {
		k.at, k.body = begun, body
	}
	return body, err
}

func (s *Server) overviewNow(ctx context.Context, r Reads) (*reply[Overview], error) {
	status, err := s.status(ctx)
	if err != nil {
		return nil, err
	}
	out, err := read(ctx, s, r, func(ctx context.Context, c *client.Client, stale bool) (o Overview, index uint64, err error) {
		queues, err := c.QueueSums(ctx, staleness(stale)...)
		o.count(queues)
		o.DispatchPaused = status.DispatchPaused
		return o, 0, err
	})
	if err != nil {
		return nil, err
	}
	o := &out.Body
	o.At, o.ClusterID, o.Node, o.AppliedIndex = time.Now().UTC(), status.ClusterID, status.NodeName, out.AppliedIndex
	o.Stale, o.Leader = out.Stale != "", leaderName(&status)
	o.Missing = s.missing(ctx, &status)
	o.Rates, o.Latency = map[string]float64{}, map[string]float64{}
	if a := accessIn(ctx); s.src.Meter != nil && !a.IsRestricted() { // they are of all queues
		o.Rates, o.Latency = finite(s.src.Meter.Rates()), finite(s.src.Meter.Latencies())
	}
	return out, nil
}

// count takes in the states of all queues.
func (o *Overview) count(queues []task.QueueState) {
	now := time.Now()
	o.Queues = []Queue{}
	for i := range queues {
		q := &queues[i]
		o.Counts.Add(&q.Counts)
		o.Queues = append(o.Queues, queueOf(q))
		if !q.NextSince.IsZero() {
			o.OldestReadyAge = max(o.OldestReadyAge, now.Sub(q.NextSince).Seconds())
		}
	}
	slices.SortStableFunc(o.Queues, func(a, b Queue) int {
		return cmp.Compare(b.Counts.Pending+b.Counts.InProgress+b.Counts.Failed, a.Counts.Pending+a.Counts.InProgress+a.Counts.Failed)
	})
	o.Queues = o.Queues[:min(len(o.Queues), topQueues)]
}

func leaderName(status *member.Status) string {
	for _, m := range status.Members {
		if m.Address == status.LeaderAddress && m.Name != "" {
			return m.Name
		}
	}
	return status.LeaderAddress
}

// finite leaves out what JSON cannot say.
func finite(values map[string]float64) map[string]float64 {
	out := make(map[string]float64, len(values))
	for name, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[name] = v
		}
	}
	return out
}

type statsInput struct {
	Reads
	Queue string `query:"queue" doc:"Only of this queue"`
	Type  string `query:"type" doc:"Only of this type"`
}

func (s *Server) stats(ctx context.Context, in *statsInput) (*reply[task.Stats], error) {
	return read(ctx, s, in.Reads, func(ctx context.Context, c *client.Client, stale bool) (task.Stats, uint64, error) {
		stats, err := c.Counts(ctx, task.StatsQuery{Queue: in.Queue, Type: in.Type, Stale: stale})
		if stats.Queues == nil {
			stats.Queues = []task.QueueCounts{}
		}
		return stats, stats.AppliedIndex, err
	})
}

// History are samples at even distances, for charts.
type History struct {
	StepS  int                   `json:"step_s" doc:"Seconds between two samples"`
	From   int64                 `json:"from" doc:"Unix time of the first sample"`
	Series map[string][]*float64 `json:"series" doc:"All of one length; null where there is no sample"`
}

type historyInput struct {
	Range string `query:"range" enum:"1h,24h" default:"1h" doc:"1h by seconds, or 24h by minutes"`
}

func (s *Server) history(ctx context.Context, in *historyInput) (*plain[History], error) {
	if s.src.Meter == nil {
		return nil, newProblem(0, "not_found", "this node keeps no history")
	}
	span := time.Hour
	if in.Range == "24h" {
		span = 24 * time.Hour
	}
	step, from, series := s.src.Meter.History(span)
	h := History{StepS: int(step / time.Second), From: from.Unix(), Series: make(map[string][]*float64, len(series))}
	for name, values := range series {
		list := make([]*float64, len(values))
		for i := range values {
			if v := values[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
				list[i] = &v
			}
		}
		h.Series[name] = list
	}
	return &plain[History]{Body: h}, nil
}
