package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// MemberPath names a node in a path.
type MemberPath struct {
	ID string `path:"id" maxLength:"128" doc:"Id or name of a node"`
}

type transferInput struct {
	Body *struct {
		To string `json:"to,omitempty" maxLength:"128" doc:"Id or name of a node; any that is up to date if left out"`
	}
}

// NewLeader is who leads after a transfer.
type NewLeader struct {
	Address string `json:"leader_address"`
}

type removeInput struct {
	MemberPath
	Force bool `query:"force" doc:"Also if the nodes that are left and can be reached are no majority then"`
}

type snapshotInput struct {
	Stale bool `query:"stale" doc:"What this node knows, without asking the leader: for a cluster that has none"`
}

func (s *Server) registerAdmin(a *api) {
	const tag = "cluster"
	register(a, op{http.MethodPost, "/v1/cluster/transfer", "transfer-leader", tag, "Hand leadership to another node"}, s.transfer)
	register(a, op{http.MethodDelete, "/v1/cluster/members/{id}", "remove-member", tag, "Take a node out of the cluster: for nodes that are lost"}, s.removeMember)
	register(a, op{http.MethodPost, "/v1/cluster/leave", "leave-cluster", tag, "Have this node leave its cluster and go down"},
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			return s.command(ctx, func(ctx context.Context, c *client.Client) error { return c.Leave(ctx) })
		})
	register(a, op{http.MethodPost, "/v1/cluster/join", "join-cluster", tag, "Have this node, alone and without tasks, join another cluster"},
		func(ctx context.Context, in *joinInput) (*struct{}, error) {
			return s.command(ctx, func(ctx context.Context, c *client.Client) error {
				return c.Adopt(ctx, member.Adoption{Addresses: in.Body.Addresses, Token: in.Body.Token})
			})
		})
	dispatch := func(paused bool) func(context.Context, *struct{}) (*struct{}, error) {
		return func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			return s.command(ctx, func(ctx context.Context, c *client.Client) error { return c.SetDispatch(ctx, paused) })
		}
	}
	register(a, op{http.MethodPost, "/v1/cluster/pause", "pause-dispatch", tag, "Hand out no task at all; everything else goes on"}, dispatch(true))
	register(a, op{http.MethodPost, "/v1/cluster/resume", "resume-dispatch", tag, "Hand out tasks again"}, dispatch(false))
	registerWith(a, op{http.MethodGet, "/v1/snapshot", "save-snapshot", tag, "The state of this node as a file, as haiku snapshot save writes it"},
		func(o *huma.Operation) {
			o.Responses["200"] = &huma.Response{Description: "The file; it is whole if it has Content-Length bytes",
				Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
		}, s.snapshot)
	s.registerDoctor(a)
}

type joinInput struct {
	Body struct {
		Addresses []string `json:"addresses" minItems:"1" maxItems:"64" doc:"HOST:PORT of nodes of that cluster"`
		Token     string   `json:"token,omitempty" doc:"Of an admin of that cluster, if it has tokens; the node does not keep it"`
	}
}

// command carries out what has no answer.
func (s *Server) command(ctx context.Context, do func(context.Context, *client.Client) error) (*struct{}, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	return nil, s.call(ctx, func(c *client.Client) error { return do(ctx, c) })
}

func (s *Server) transfer(ctx context.Context, in *transferInput) (*plain[NewLeader], error) {
	var to member.ID
	if in.Body != nil && in.Body.To != "" {
		m, _, err := s.member(ctx, in.Body.To)
		if err != nil {
			return nil, err
		}
		to = m.ID
	}
	ctx, cancel := within(ctx)
	defer cancel()
	out := &plain[NewLeader]{}
	return out, s.call(ctx, func(c *client.Client) (err error) {
		out.Body.Address, err = c.Transfer(ctx, to)
		return err
	})
}

// member finds a node by its id or a name that only one has.
func (s *Server) member(ctx context.Context, text string) (found member.Member, status member.Status, err error) {
	if status, err = s.status(ctx); err != nil {
		return found, status, err
	}
	count := 0
	for _, m := range status.Members {
		if m.ID.String() == text {
			return m, status, nil
		}
		if m.Name == text {
			found, count = m, count+1
		}
	}
	switch count {
	case 1:
		return found, status, nil
	case 0:
		return found, status, fmt.Errorf("%w: no node has the id or name %q", task.ErrNotFound, clipped(text))
	}
	return found, status, fmt.Errorf("%w: %d nodes are called %q: use the id", task.ErrInvalid, count, clipped(text))
}

// removeMember asks first who would be left: the cluster must be able to go on without the node.
func (s *Server) removeMember(ctx context.Context, in *removeInput) (*struct{}, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	gone, status, err := s.member(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if !in.Force {
		_, failed := s.others(ctx, &status)
		voters, missing := 0, []string{}
		for _, m := range status.Members {
			if m.ID == gone.ID || !m.Voter {
				continue
			}
			if voters++; failed[m.ID] != nil {
				missing = append(missing, nameOf(&m))
			}
		}
		if voters == 0 || len(missing) > 0 && (voters-len(missing))*2 <= voters {
			return nil, fmt.Errorf("%w: without %s the cluster would have %d voters, of which this node cannot reach %s: no majority; "+
				"force removes it all the same", task.ErrNotAllowed, nameOf(&gone), voters, either(strings.Join(missing, ", "), "any"))
		}
	}
	if err := s.leaders.need(); err != nil {
		return nil, err
	}
	return s.command(ctx, func(ctx context.Context, c *client.Client) error { return c.Remove(ctx, gone.ID) })
}

func either(text, other string) string {
	if text != "" {
		return text
	}
	return other
}

// snapshot streams the file. A connection that breaks off leaves fewer bytes than its length says.
func (s *Server) snapshot(ctx context.Context, in *snapshotInput) (*huma.StreamResponse, error) {
	if !in.Stale {
		if err := s.leaders.need(); err != nil {
			return nil, err
		}
	}
	c, release, err := s.clients.take(clientKey{token: tokenIn(ctx)})
	if err != nil {
		return nil, err
	}
	from, err := c.OpenSnapshot(ctx, in.Stale)
	if err != nil {
		release()
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer release()
		defer from.Close()
		name := "haiku-" + time.Now().UTC().Format("20060102-150405") + ".snapshot"
		hc.SetHeader("Content-Type", "application/octet-stream")
		hc.SetHeader("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
		hc.SetHeader("Content-Length", strconv.FormatInt(from.Size(), 10))
		hc.SetStatus(http.StatusOK)
		if _, err := io.Copy(hc.BodyWriter(), from); err != nil {
			s.log.Warn("a snapshot was not sent whole", "error", err)
			panic(http.ErrAbortHandler) // the client has to notice
		}
	}}, nil
}
