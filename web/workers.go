package web

import (
	"context"
	"net/http"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
)

// WorkerList is the sessions that claim tasks, as the leader knows them.
type WorkerList struct {
	Workers []member.Worker `json:"workers"`
}

// WorkerPath names workers in a path.
type WorkerPath struct {
	ID string `path:"id" maxLength:"128" doc:"A session, or a worker id, which means all that have it"`
}

func (s *Server) registerWorkers(a *api) {
	register(a, op{http.MethodGet, "/v1/workers", "list-workers", "cluster", "The workers that are connected to the cluster"},
		func(ctx context.Context, _ *struct{}) (*plain[WorkerList], error) {
			return s.workers(ctx, func(ctx context.Context, c *client.Client) (list []member.Worker, err error) {
				return list, s.fromLeader(ctx, func(ctx context.Context) (err error) {
					list, err = c.Workers(ctx)
					return err
				})
			})
		})
	register(a, op{http.MethodPost, "/v1/workers/{id}/drain", "drain-workers", "cluster",
		"Have workers finish what they run, claim nothing more and end"},
		func(ctx context.Context, in *WorkerPath) (*plain[WorkerList], error) {
			return s.workers(ctx, func(ctx context.Context, c *client.Client) ([]member.Worker, error) { return c.DrainWorker(ctx, in.ID) })
		})
}

func (s *Server) workers(ctx context.Context, ask func(context.Context, *client.Client) ([]member.Worker, error)) (*plain[WorkerList], error) {
	ctx, cancel := within(ctx)
	defer cancel()
	out := &plain[WorkerList]{WorkerList{[]member.Worker{}}}
	return out, s.call(ctx, func(c *client.Client) error {
		list, err := ask(ctx, c)
		for _, w := range list { // lists are never null
			w.IDs, w.Queues, w.Types = some(w.IDs), some(w.Queues), some(w.Types)
			out.Body.Workers = append(out.Body.Workers, w)
		}
		return err
	})
}

func some(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
