package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/task"
)

// Worker claims tasks and runs handlers for them.
type Worker struct {
	c     *client.Client
	cfg   Config
	spans *trace.Source

	mu       sync.Mutex
	handlers map[string]Handler // by type; "" for all others
	around   []func(Handler) Handler
	wrong    []error // what Handle and Use were told that cannot be
	started  bool
}

// New returns a worker that works through c, under the session of c. A client serves one worker. The error wraps
// task.ErrInvalid.
func New(c *client.Client, cfg Config) (*Worker, error) {
	cfg, err := cfg.normal()
	if err != nil {
		return nil, err
	}
	return &Worker{c: c, cfg: cfg, spans: trace.NewSource(cfg.TracerProvider), handlers: make(map[string]Handler)}, nil
}

// Handle has h run the tasks of a type. What is wrong with the type or the handler, Run says.
func (w *Worker) Handle(typ string, h Handler) {
	if err := task.ValidateName("type", typ); err != nil {
		w.refuse(err)
		return
	}
	w.register(typ, h)
}

// HandleAny has h run the tasks of every type that has no handler of its own. The worker then claims all types.
func (w *Worker) HandleAny(h Handler) { w.register("", h) }

// Use puts something around every handler, whatever the type and whether it was registered before or after: wrap gets
// the next handler inwards and returns one that calls it, or does not. What was given first is outermost: it sees a task
// first and its outcome last. A panic of the handler reaches wrap's as an error. What is wrong, Run says.
func (w *Worker) Use(wrap func(next Handler) Handler) {
	w.mu.Lock()
	if wrap != nil && !w.started {
		w.around = append(w.around, wrap)
		w.mu.Unlock()
		return
	}
	w.mu.Unlock()
	w.refuse(fmt.Errorf("%w: what Use was given is nil or comes after Run", task.ErrInvalid))
}

func (w *Worker) register(typ string, h Handler) {
	w.mu.Lock()
	_, twice := w.handlers[typ]
	if h != nil && !twice && !w.started {
		w.handlers[typ] = h
		w.mu.Unlock()
		return
	}
	w.mu.Unlock()
	w.refuse(fmt.Errorf("%w: the handler of type %q is nil, is not the first one or comes after Run", task.ErrInvalid,
		typ))
}

func (w *Worker) refuse(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, err)
}

// begin closes the list of handlers and puts around each what Use was given.
func (w *Worker) begin() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.started:
		return fmt.Errorf("%w: a worker runs once", task.ErrInvalid)
	case len(w.wrong) > 0:
		return errors.Join(w.wrong...)
	case len(w.handlers) == 0:
		return fmt.Errorf("%w: the worker has no handler", task.ErrInvalid)
	}
	w.started = true
	for typ, h := range w.handlers {
		h = recovered(h)
		for _, wrap := range slices.Backward(w.around) {
			if h = wrap(h); h == nil {
				return fmt.Errorf("%w: what Use was given returned no handler", task.ErrInvalid)
			}
		}
		w.handlers[typ] = recovered(h)
	}
	return nil
}

// types returns the types to claim, nil for all.
func (w *Worker) types() []string {
	if w.handlers[""] != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(w.handlers))
}

func (w *Worker) handlerOf(typ string) Handler {
	if h := w.handlers[typ]; h != nil {
		return h
	}
	return w.handlers[""]
}

// Run works until ctx ends or the cluster asks the worker to drain, and then until the handlers that run have ended
// (Config.ShutdownTimeout) and everything is reported. It returns nil after a clean end, otherwise what was left
// undone, or the error that forbids this worker to claim.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.begin(); err != nil {
		return err
	}
	r := newRun(w, ctx)
	stopWatching := w.c.Watch(r.pushed)
	defer stopWatching()
	r.start()
	select {
	case <-ctx.Done():
	case <-r.over:
	}
	left := r.drain()
	return errors.Join(r.fatal, left)
}
