package outage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

// TestTokensThroughFailover: three nodes with tokens. Clients and workers that are relayed go on when the leader is killed;
// a restarted node is known to the others though its token's file is gone; a revoked worker stops and says why.
func TestTokensThroughFailover(t *testing.T) {
	t.Parallel()
	_, admin := client.MakeToken()
	n := startGuarded(t, 3, quick, admin)
	if err := os.Remove(filepath.Join(n.dir, "token")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	text, made, err := n.c.CreateToken(ctx, client.TokenOrder{Role: member.RoleWorker, Queues: []string{"mail"}})
	if err != nil {
		t.Fatal(err)
	}

	leader := 0
	for i, one := range n.list {
		if s, err := n.status(one); err == nil && s.State == member.Leader {
			leader = i
		}
	}
	follower := n.list[(leader+1)%3]
	with := func(token string) *client.Client {
		return dial(t, client.Config{Addrs: []string{follower.address}, Token: token, Stay: true, RetryFor: patience})
	}
	c := with(text)
	if a, err := c.Access(ctx); err != nil || a.Token != made.ID || a.Role != member.RoleWorker {
		t.Fatalf("access %+v, %v", a, err)
	}
	if _, err := with("").Stats(ctx); !errors.Is(err, task.ErrUnauthenticated) {
		t.Errorf("without a token: %v", err)
	}
	if err := c.SetDispatch(ctx, true); !errors.Is(err, task.ErrPermissionDenied) {
		t.Errorf("a worker pauses dispatch: %v", err)
	}
	w, err := worker.New(c, worker.Config{Queues: []string{"mail"}, Concurrency: 2})
	if err != nil {
		t.Fatal(err)
	}
	w.Handle("email", func(context.Context, *task.Task) ([]byte, error) { return nil, nil })
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	submit := func() {
		t.Helper()
		receipt, err := c.Submit(ctx, "email", nil, client.Queue("mail"))
		if err != nil {
			t.Fatal(err)
		}
		done, err := c.Wait(ctx, receipt.ID)
		if err != nil || done.Status != task.Completed {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	submit()
	if _, err := c.Submit(ctx, "email", nil, client.Queue("report")); !errors.Is(err, task.ErrPermissionDenied) {
		t.Errorf("a submit to another queue: %v", err)
	}

	n.list[leader].kill(t)
	submit()
	n.start(n.list[leader])
	n.complete()
	submit()

	if _, err := n.c.RevokeToken(ctx, made.ID, false); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, task.ErrUnauthenticated) || !strings.Contains(err.Error(), "revoked") {
			t.Errorf("the worker ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("the worker of a revoked token goes on")
	}
	if _, err := c.Stats(ctx); !errors.Is(err, task.ErrUnauthenticated) {
		t.Errorf("a revoked token: %v", err)
	}
}
