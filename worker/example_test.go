package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"runtime/debug"
	"slices"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/haikutest"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

// shop gives the examples a broker, a client that submits, and a worker that is not started yet. An example that hangs
// says where.
type shop struct {
	*haikutest.Broker
	*worker.Worker
	c, own *client.Client
	done   chan error
	late   *time.Timer
}

func open() *shop { return openTraced(nil) }

// openTraced is open with a provider of spans; the process's own if it is nil.
func openTraced(provider trace.TracerProvider) *shop {
	b, err := haikutest.New()
	if err != nil {
		log.Fatal(err)
	}
	s := &shop{Broker: b, done: make(chan error, 1), late: time.AfterFunc(time.Minute, func() {
		debug.SetTraceback("all")
		panic("the example has not ended in a minute")
	})}
	for _, c := range []**client.Client{&s.c, &s.own} {
		if *c, err = client.New(client.Config{Addrs: []string{b.Addr()}, TracerProvider: provider}); err != nil {
			log.Fatal(err)
		}
	}
	if s.Worker, err = worker.New(s.own, worker.Config{Name: "w1", Concurrency: 4, TracerProvider: provider}); err != nil {
		log.Fatal(err)
	}
	return s
}

// start runs the worker until the shop is closed. A program would give Run a context that ends with SIGTERM.
func (s *shop) start() (end func()) {
	ctx, stop := context.WithCancel(context.Background())
	go func() { s.done <- s.Run(ctx) }()
	return func() {
		stop()
		if err := <-s.done; err != nil {
			fmt.Println(err)
		}
		s.close()
	}
}

func (s *shop) close() {
	s.own.Close()
	s.c.Close()
	_ = s.Broker.Close()
	s.late.Stop()
}

// submit submits a task and returns its id.
func (s *shop) submit(typ, payload string, opts ...client.Option) task.ID {
	receipt, err := s.c.Submit(context.Background(), typ, []byte(payload), opts...)
	if err != nil {
		log.Fatal(err)
	}
	return receipt.ID
}

// await waits until a task has a status.
func (s *shop) await(id task.ID, status task.Status) *task.Task {
	t, err := s.Await(context.Background(), id, status)
	if err != nil {
		log.Fatal(err)
	}
	return t
}

func ExampleWorker() {
	s := open()
	s.Handle("shout", func(_ context.Context, t *task.Task) ([]byte, error) {
		return append(t.Payload, '!'), nil
	})
	defer s.start()()
	t := s.await(s.submit("shout", "hello"), task.Completed)
	fmt.Println(string(t.Result), t.WorkerID)
	// Output: hello! w1
}

func ExampleTyped() {
	type order struct{ Item string }
	type bill struct{ Text string }
	s := open()
	s.Handle("order", worker.Typed(func(ctx context.Context, o order) (bill, error) {
		return bill{fmt.Sprintf("%s, attempt %d", o.Item, worker.TaskOf(ctx).Attempt)}, nil
	}))
	defer s.start()()
	fmt.Println(string(s.await(s.submit("order", `{"Item":"tea"}`), task.Completed).Result))
	t := s.await(s.submit("order", `tea`), task.DeadLetter) // no retry would help
	fmt.Println(t.Reason)
	// Output:
	// {"Text":"tea, attempt 1"}
	// rejected
}

// What is given first is outermost. A panic of the handler is an error outside of it.
func ExampleWorker_Use() {
	note := func(name string) func(worker.Handler) worker.Handler {
		return func(next worker.Handler) worker.Handler {
			return func(ctx context.Context, t *task.Task) ([]byte, error) {
				fmt.Println(name, "in")
				result, err := next(ctx, t)
				fmt.Println(name, "out, failed:", err != nil)
				return result, err
			}
		}
	}
	s := open()
	s.Use(note("log"))
	s.Use(note("trace"))
	s.HandleAny(func(context.Context, *task.Task) ([]byte, error) { panic("oh") })
	defer s.start()()
	s.await(s.submit("t", "", client.MaxRetries(0)), task.DeadLetter)
	// Output:
	// log in
	// trace in
	// trace out, failed: true
	// log out, failed: true
}

// With an OpenTelemetry SDK each submit and each attempt is a span. A program would give its provider an exporter to a
// collector, and to otel.SetTracerProvider instead of to each Config.
func ExampleConfig_tracing() {
	spans := tracetest.NewInMemoryExporter()
	s := openTraced(sdk.NewTracerProvider(sdk.WithSyncer(spans)))
	s.Handle("mail", func(ctx context.Context, _ *task.Task) ([]byte, error) {
		return nil, fmt.Errorf("in a span: %t", trace.SpanFromContext(ctx).IsRecording())
	})
	end := s.start()
	s.await(s.submit("mail", "hello", client.MaxRetries(0)), task.DeadLetter)
	end()
	list := spans.GetSpans() // as they ended
	slices.SortFunc(list, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	sent, run := list[0], list[1]
	fmt.Println(sent.Name, sent.SpanKind, sent.Status.Code)
	fmt.Println(run.Name, run.SpanKind, run.Status.Code, run.Status.Description)
	fmt.Println("one trace:", run.Parent.SpanID() == sent.SpanContext.SpanID(), len(run.Links))
	// Output:
	// submit default producer Unset
	// process default consumer Error in a span: true
	// one trace: true 1
}

func ExampleRetryAfter() {
	s := open()
	s.HandleAny(func(_ context.Context, t *task.Task) ([]byte, error) {
		if t.Attempt == 1 {
			return nil, worker.RetryAfter(errors.New("too many requests"), time.Hour)
		}
		return nil, nil
	})
	defer s.start()()
	id := s.submit("t", "")
	t := s.await(id, task.Failed)
	fmt.Println(t.Error, t.ScheduledAt.Sub(t.UpdatedAt))
	s.Advance(time.Hour)
	fmt.Println(s.await(id, task.Completed).RetryCount)
	// Output:
	// too many requests 1h0m0s
	// 1
}

func ExampleSnooze() {
	s := open()
	again := false
	s.HandleAny(func(_ context.Context, t *task.Task) ([]byte, error) {
		if !again {
			again = true
			return nil, worker.Snooze(time.Hour)
		}
		return fmt.Appendf(nil, "attempt %d", t.Attempt), nil
	})
	defer s.start()()
	id := s.submit("t", "", client.MaxRetries(0))
	snoozed := func(t *task.Task) bool { return t.Phase() == task.Scheduled }
	if _, err := s.Until(context.Background(), id, snoozed); err != nil {
		log.Fatal(err)
	}
	s.Advance(time.Hour)
	fmt.Println(string(s.await(id, task.Completed).Result)) // neither an attempt nor a retry was used
	// Output: attempt 1
}

func ExampleDiscard() {
	s := open()
	s.Handle("old", func(context.Context, *task.Task) ([]byte, error) { return nil, worker.Discard(errors.New("too old")) })
	s.Handle("bad", func(context.Context, *task.Task) ([]byte, error) {
		return nil, worker.Reject(errors.New("no such user"))
	})
	defer s.start()()
	old, bad := s.await(s.submit("old", ""), task.Cancelled), s.await(s.submit("bad", ""), task.DeadLetter)
	fmt.Println(old.Reason, "-", old.Error)
	fmt.Println(bad.Reason, "-", bad.Error)
	// Output:
	// handler - too old
	// rejected - no such user
}

// The cursor of an attempt that did not end well reaches the next one.
func ExampleReport() {
	s := open()
	s.HandleAny(func(ctx context.Context, t *task.Task) ([]byte, error) {
		if t.Progress.Cursor != nil {
			return fmt.Appendf(nil, "went on from %s", t.Progress.Cursor), nil
		}
		if err := worker.Report(ctx, task.Progress{Percent: 40, Message: "page 4 of 10", Cursor: []byte("page 4")}); err != nil {
			return nil, err
		}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	defer s.start()()
	id := s.submit("t", "")
	told := func(t *task.Task) bool { return t.Progress.Message != "" } // by a heartbeat
	t, err := s.Until(context.Background(), id, told)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Progress.Message)
	if err := s.Crash(id); err != nil { // as if the worker had died
		log.Fatal(err)
	}
	t = s.await(id, task.Completed)
	fmt.Println(string(t.Result), t.CrashCount)
	// Output:
	// page 4 of 10
	// went on from page 4 1
}

// Follow-up tasks come into being with the success of the handler's own, or not at all.
func ExampleEnqueue() {
	s := open()
	s.Handle("order", func(ctx context.Context, t *task.Task) ([]byte, error) {
		id, err := worker.Enqueue(ctx, client.NewSpec("bill", t.Payload))
		return []byte(id.String()), err
	})
	s.Handle("bill", func(_ context.Context, t *task.Task) ([]byte, error) {
		return append([]byte("bill for "), t.Payload...), nil
	})
	defer s.start()()
	order := s.await(s.submit("order", "tea"), task.Completed)
	bill, err := task.ParseID(string(order.Result))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(s.await(bill, task.Completed).Result))
	// Output: bill for tea
}

// A handler's context ends when nobody wants its result any more, and says why.
func ExampleHandler() {
	s := open()
	begun := make(chan struct{})
	s.HandleAny(func(ctx context.Context, t *task.Task) ([]byte, error) {
		close(begun)
		<-ctx.Done()
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, worker.ErrCancelled):
			fmt.Println("someone cancelled it")
		case errors.Is(cause, worker.ErrTimeout), errors.Is(cause, worker.ErrLeaseLost), errors.Is(cause, worker.ErrShutdown):
			fmt.Println("it will run again")
		}
		return nil, context.Cause(ctx)
	})
	defer s.start()()
	id := s.submit("t", "", client.Timeout(time.Minute))
	<-begun
	if _, err := s.c.Cancel(context.Background(), id); err != nil {
		log.Fatal(err)
	}
	s.await(id, task.Cancelled)
	// Output: someone cancelled it
}

// A worker can be asked to finish what it runs and to end: Run then returns nil.
func ExampleWorker_Run() {
	s := open()
	begun, goOn := make(chan struct{}), make(chan struct{})
	s.HandleAny(func(context.Context, *task.Task) ([]byte, error) {
		close(begun)
		<-goOn
		return []byte("finished"), nil
	})
	go func() { s.done <- s.Run(context.Background()) }()
	id := s.submit("t", "")
	<-begun // a worker that is told sooner gives the task back
	workers, err := s.c.DrainWorker(context.Background(), "w1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(workers[0].Leases, workers[0].Draining)
	close(goOn)
	fmt.Println(<-s.done, string(s.await(id, task.Completed).Result))
	s.close()
	// Output:
	// 1 true
	// <nil> finished
}

// A worker that has to end gives back what it cannot finish: the task runs elsewhere, and neither an attempt nor a retry was
// used.
func ExampleConfig() {
	s := open()
	w, err := worker.New(s.own, worker.Config{Name: "w2", ShutdownTimeout: -1})
	if err != nil {
		log.Fatal(err)
	}
	w.HandleAny(func(ctx context.Context, _ *task.Task) ([]byte, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	ctx, stop := context.WithCancel(context.Background()) // a program's ends with SIGTERM: signal.NotifyContext
	go func() { s.done <- w.Run(ctx) }()
	id := s.submit("t", "")
	s.await(id, task.InProgress)
	stop()
	fmt.Println(<-s.done)
	t := s.await(id, task.Pending)
	fmt.Println(t.Phase(), t.RetryCount, t.History[0].Outcome)
	s.close()
	// Output:
	// <nil>
	// ready 0 interrupted
}
