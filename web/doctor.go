package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

const doctorAnswer = 5 * time.Second // for one node's answer

// Examination says how far the nodes are with examining their own state, and what they found.
type Examination struct {
	Index    uint64    `json:"index" doc:"Place in the log at which every node examines its state"`
	Finished bool      `json:"finished"`
	Healthy  bool      `json:"healthy" doc:"Once it is finished: nothing is wrong anywhere, and all nodes answered"`
	Nodes    []Patient `json:"nodes"`
}

// Patient is one node under examination.
type Patient struct {
	ID        member.ID `json:"id"`
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	Role      string    `json:"role"`
	Finished  bool      `json:"finished"`
	Done      uint64    `json:"done" doc:"Keys compared"`
	Total     uint64    `json:"total" doc:"An estimate"`
	Healthy   bool      `json:"healthy"`
	StateHash string    `json:"state_hash" doc:"Empty while it is computed"`
	Differs   bool      `json:"differs" doc:"Its state is not that of most nodes"`
	Error     string    `json:"error,omitempty" doc:"Why there is no result"`
	// Findings is empty if nothing is wrong as far as is known.
	Findings []member.Finding `json:"findings" doc:"What is wrong, and what to do; empty if the node is well"`
	task.Verification
}

type examinationInput struct {
	Index uint64 `query:"index" required:"true" minimum:"1" doc:"As the start of the examination said"`
}

func (s *Server) registerDoctor(a *api) {
	register(a, op{http.MethodPost, "/v1/cluster/doctor", "start-examination", "cluster",
		"Have every node examine its state at one moment; the index in the answer tells which"}, s.startExamination)
	register(a, op{http.MethodGet, "/v1/cluster/doctor", "get-examination", "cluster",
		"How far the nodes are with it: to be asked until it is finished"}, s.examination)
}

type markOutput struct {
	Status int
	Body   Mark
}

// Mark is a place in the log.
type Mark struct {
	Index uint64 `json:"index"`
}

func (s *Server) startExamination(ctx context.Context, _ *struct{}) (*markOutput, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	out := &markOutput{Status: http.StatusAccepted}
	return out, s.call(ctx, func(c *client.Client) (err error) {
		out.Body.Index, err = c.Mark(ctx)
		return err
	})
}

func (s *Server) examination(ctx context.Context, in *examinationInput) (*plain[Examination], error) {
	ctx, cancel := context.WithTimeout(ctx, doctorAnswer)
	defer cancel()
	status, err := s.status(ctx)
	if err != nil {
		return nil, err
	}
	out := &plain[Examination]{Examination{Index: in.Index, Finished: true, Healthy: true, Nodes: make([]Patient, len(status.Members))}}
	var wg sync.WaitGroup
	for i, m := range status.Members {
		wg.Go(func() { out.Body.Nodes[i] = s.examine(ctx, m, in.Index) })
	}
	wg.Wait()
	hashes := make([]string, len(out.Body.Nodes))
	for i := range hashes {
		hashes[i] = out.Body.Nodes[i].StateHash
	}
	for i, differs := range member.Differing(hashes) {
		p := &out.Body.Nodes[i]
		p.Differs = differs
		p.Findings = member.Findings(p.Error, p.Differs, &p.Verification)
		p.Healthy = p.Finished && p.Error == "" && !p.Differs && p.Verification.Healthy()
		out.Body.Finished = out.Body.Finished && (p.Finished || p.Error != "")
		out.Body.Healthy = out.Body.Healthy && p.Healthy
	}
	return out, nil
}

func (s *Server) examine(ctx context.Context, m member.Member, index uint64) Patient {
	p := Patient{ID: m.ID, Name: m.Name, Address: m.Address, Role: m.Role, Verification: task.Verification{Problems: []string{}}}
	err := s.call(ctx, func(c *client.Client) error {
		found, err := c.Examine(ctx, m.Address, index)
		if err != nil {
			return err
		}
		p.Finished, p.Done, p.Total, p.StateHash, p.Error = found.Finished, found.Done, found.Total, found.StateHash, found.Error
		p.Verification = found.Found
		if p.Problems == nil {
			p.Problems = []string{}
		}
		return nil
	})
	if err != nil {
		p.Error = problemOf(err).Detail
	}
	return p
}
