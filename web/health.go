package web

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"time"

	"github.com/haiku-queue/haiku/member"
)

const (
	readyBehind   = 1000 // entries of the log that a node which is ready may still have to apply
	healthTimeout = 2 * time.Second
)

// health is the answer of /healthz and /readyz.
type health struct {
	Status string `json:"status"` // ok, or why not
	Reason string `json:"reason,omitempty"`
}

func writeHealth(w http.ResponseWriter, reason string) {
	h, status := health{Status: "ok"}, http.StatusOK
	if reason != "" {
		h, status = health{Status: "unavailable", Reason: reason}, http.StatusServiceUnavailable
	}
	writeJSON(w, status, h)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that is gone
}

// healthz says that the process answers: what restarts processes may ask it.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { writeHealth(w, "") }

// readyz says whether requests are better sent elsewhere: what balances load may ask it. With ?noleader a node is ready
// without a leader, too: it answers reads.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
	defer cancel()
	writeHealth(w, s.unready(ctx, r.URL.Query().Has("noleader")))
}

func (s *Server) unready(ctx context.Context, noLeader bool) string {
	if s.draining.Load() {
		return "the node goes down"
	}
	status, err := s.src.Inspector.Status(ctx)
	switch {
	case err != nil:
		return "the node cannot tell its state"
	case !noLeader && status.LeaderAddress == "":
		return "no leader is known"
	case status.AppliedIndex+readyBehind < status.CommitIndex:
		return "the node is behind: it catches up"
	}
	return ""
}

// version says what runs.
func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"version": s.src.Version, "go": runtime.Version()})
}

// metrics serves Prometheus. Once there are tokens it needs one, and one for all queues, for they name them.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	access, err := s.access(r.Context(), tokenIn(r.Context()))
	if err == nil {
		err = permission{role: member.RoleViewer, all: true}.check(&access)
	}
	if err != nil {
		writeProblem(w, problemOf(err))
		return
	}
	kind, text, err := s.src.Meter.Expose(r.Header.Get("Accept"))
	if err != nil {
		s.log.Error("metrics", "error", err)
		writeProblem(w, problemOf(err))
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(text) // a client that is gone
}
