package web

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/haiku-queue/haiku/task"
)

// Server is the HTTP side of a node.
type Server struct {
	cfg      Config
	log      *slog.Logger
	listener net.Listener
	http     *http.Server
	clients  *clients
	sessions *sessions
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	waits    context.Context // ends with Drain: event streams, waiting claims
	drain    context.CancelFunc
	draining atomic.Bool
	requests chan struct{} // a place for each request in work
	bodies   budget
	wg       sync.WaitGroup
	closed   sync.Once
	closeErr error

	// Set by Serve before served is closed, constant afterwards.
	src         Sources
	handler     http.Handler
	leaders     *leaders
	overview    *overviews
	peers       *peers
	streams     chan struct{}
	compressors sync.Pool // of *gzip.Writer
	served      chan struct{}
	serving     sync.Once
}

// Listen binds the port. Clients that connect wait for Serve.
func Listen(cfg Config) (*Server, error) {
	cfg.Limits = cfg.Limits.normal()
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, listener: l, requests: make(chan struct{}, cfg.Limits.Requests),
		compressors: sync.Pool{New: func() any { return gzip.NewWriter(nil) }}, bodies: budget{limit: max(cfg.Limits.Bodies, maxLargeBody)}, streams: make(chan struct{}, maxStreams), served: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.waits, s.drain = context.WithCancel(s.ctx)
	s.clients = newClients(cfg.Node, cfg.Logger)
	s.sessions = newSessions(s.clients)
	s.http = &http.Server{
		Handler: http.HandlerFunc(s.answer), ReadHeaderTimeout: cfg.Limits.HeaderTimeout,
		IdleTimeout: cfg.Limits.IdleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:    slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return s.ctx },
	}
	return s, nil
}

func (l Limits) normal() Limits {
	d := DefaultLimits()
	return Limits{
		Connections: cmp.Or(l.Connections, d.Connections), Requests: cmp.Or(l.Requests, d.Requests),
		Bodies:        cmp.Or(l.Bodies, d.Bodies),
		HeaderTimeout: cmp.Or(l.HeaderTimeout, d.HeaderTimeout), BodyTimeout: cmp.Or(l.BodyTimeout, d.BodyTimeout),
		WriteTimeout: cmp.Or(l.WriteTimeout, d.WriteTimeout), IdleTimeout: cmp.Or(l.IdleTimeout, d.IdleTimeout),
		DrainTimeout: cmp.Or(l.DrainTimeout, d.DrainTimeout),
	}
}

// Addr returns the address that is listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve starts serving. Only the first call has an effect. An error is one of the configuration.
func (s *Server) Serve(src Sources) (err error) {
	s.serving.Do(func() {
		s.src = src
		s.leaders = newLeaders(src.Inspector)
		s.peers = newPeers()
		s.overview = newOverviews(s)
		if s.handler, err = s.routes(); err != nil {
			return
		}
		close(s.served)
		s.wg.Go(func() { s.leaders.watch(s.ctx) })
		s.wg.Go(func() { s.clients.tidy(s.ctx) })
		s.wg.Go(func() { s.sessions.tidy(s.ctx) })
		s.wg.Go(func() {
			err := s.http.Serve(limitConns(s.listener, s.cfg.Limits.Connections))
			if err != nil && !errors.Is(err, http.ErrServerClosed) {
				s.log.Error("HTTP is not served any more", "error", err)
			}
		})
	})
	return err
}

// Drain ends event streams and waiting claims, refuses new requests and gives those in work the drain timeout.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.drain()
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Limits.DrainTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("HTTP requests are cut off", "error", err)
	}
}

// Close drains, ends every connection and waits for all goroutines. It is idempotent.
func (s *Server) Close() error {
	s.closed.Do(func() {
		s.Drain()
		s.cancel()
		err := s.http.Close()
		if lerr := s.listener.Close(); lerr != nil && !errors.Is(lerr, net.ErrClosed) {
			err = errors.Join(err, lerr)
		}
		s.sessions.close()
		s.clients.close()
		s.wg.Wait()
		s.closeErr = err
	})
	return s.closeErr
}

// answer is the first handler of every request.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.served:
	case <-r.Context().Done():
		return
	}
	if text := r.URL.EscapedPath(); text != cleanPath(text) { // ServeMux would lead to the clean one, without the base path
		writeProblem(w, newProblem(0, "not_found", "there is nothing at this path: it has empty or dotted parts"))
		return
	}
	if base := s.cfg.BasePath; base != "" {
		rest, ok := strings.CutPrefix(r.URL.Path, base)
		if r.URL.Path == base {
			http.Redirect(w, r, base+"/", http.StatusPermanentRedirect)
			return
		}
		if !ok || !strings.HasPrefix(rest, "/") {
			writeProblem(w, newProblem(0, "not_found", "everything is served below "+base+"/"))
			return
		}
		r.URL.Path, r.URL.RawPath = rest, strings.TrimPrefix(r.URL.RawPath, base)
	}
	s.handler.ServeHTTP(w, r)
}

// cleanPath is what http.ServeMux takes for the clean form of a path.
func cleanPath(text string) string {
	clean := path.Clean(text)
	if strings.HasSuffix(text, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

func shutdown() error { return fmt.Errorf("%w: ask another node", task.ErrShutdown) }
