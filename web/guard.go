package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// policy keeps pages to what this server itself sends: no inline script or style, no frame, nothing from elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'self'"

const (
	corsMethods = "GET, POST, PUT, PATCH, DELETE"
	corsHeaders = "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID"
	corsExposed = "ETag, Retry-After, " + headerIndex + ", " + headerStale
)

// guard puts around a handler what holds for every request.
func (s *Server) guard(next http.Handler) (http.Handler, error) {
	cross := http.NewCrossOriginProtection()
	for _, origin := range s.cfg.Origins {
		if err := cross.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("CORS origin %q: %w", origin, err)
		}
	}
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, newProblem(http.StatusForbidden, "not_allowed", "a page of another origin may not change anything here"))
	}))
	h := s.admit(s.withToken(next))
	h = s.cors(cross.Handler(h))
	return s.dress(h), nil
}

// dress sets the headers of every answer, watches its deadlines and survives a panic of its handler.
func (s *Server) dress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.knowsHost(r.Host) {
			writeProblem(w, newProblem(http.StatusMisdirectedRequest, "not_allowed", fmt.Sprintf(
				"host %q is not this server's; a name of its own has to be listed with http.cors_origins", task.ClipText(r.Host, 100))))
			return
		}
		out := newResponse(w, r, s)
		defer func() {
			if cause := recover(); cause != nil && cause != http.ErrAbortHandler {
				s.log.Error("a request panicked", "method", r.Method, "path", r.URL.Path, "cause", cause, "stack", string(debug.Stack()))
				if !out.started {
					writeProblem(out, newProblem(0, "internal", task.ErrInternal.Error()))
				}
			}
			out.end()
			if r.ContentLength != 0 { // what is left of the body is read for the sake of the next request
				_ = out.control.SetReadDeadline(time.Now().Add(s.cfg.Limits.BodyTimeout)) // a connection that is gone
			}
		}()
		next.ServeHTTP(out, r)
	})
}

// knowsHost keeps pages of others away whose name was made to lead here after they were loaded: a server on loopback
// trusts whoever reaches it.
func (s *Server) knowsHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	tcp, _ := s.listener.Addr().(*net.TCPAddr)
	if tcp == nil || !tcp.IP.IsLoopback() || name == "localhost" || net.ParseIP(name) != nil {
		return true
	}
	return slices.ContainsFunc(s.cfg.Origins, func(origin string) bool {
		u, err := url.Parse(origin)
		return err == nil && u.Host == host
	})
}

// cors answers for the origins that are listed.
func (s *Server) cors(next http.Handler) http.Handler {
	if len(s.cfg.Origins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if !slices.Contains(s.cfg.Origins, origin) {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Access-Control-Expose-Headers", corsExposed)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", corsMethods)
			h.Set("Access-Control-Allow-Headers", corsHeaders)
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admitTimeout is how long a request waits for a place.
const admitTimeout = time.Second

// admit gives requests a place, and their bodies room and a deadline.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			writeProblem(w, problemOf(shutdown()))
			return
		}
		if !waits(r) {
			timer := time.NewTimer(admitTimeout)
			defer timer.Stop()
			select {
			case s.requests <- struct{}{}:
				defer func() { <-s.requests }()
			case <-timer.C:
				writeProblem(w, busy("%d requests are in work", cap(s.requests)))
				return
			case <-r.Context().Done():
				return
			}
		}
		if r.Body != nil && r.Body != http.NoBody {
			size := r.ContentLength
			if size < 0 || size > maxLargeBody {
				size = maxLargeBody
			}
			if !s.bodies.take(size) {
				writeProblem(w, busy("bodies of %d bytes are in work", s.bodies.limit))
				return
			}
			defer s.bodies.give(size)
			limited := newBody(w, r, s.cfg.Limits.BodyTimeout)
			r = r.WithContext(r.Context()) // a copy: the server looks at the body of its own to see whether all of it was read
			r.Body = limited
		}
		next.ServeHTTP(w, r)
	})
}

// waits reports whether a request may wait for something to happen.
func waits(r *http.Request) bool {
	return r.URL.Path == pathEvents || r.URL.Path == pathClaim || r.URL.Query().Has("wait")
}

func busy(format string, args ...any) *Problem {
	err := fmt.Errorf("%w: "+format, append([]any{task.ErrBusy}, args...)...)
	return problemOf(&task.RetryLater{Err: err, After: time.Second})
}

// body reads a request's body with a deadline for the whole of it.
type body struct {
	readCloser
	control *http.ResponseController
	until   time.Time
}

type readCloser = interface {
	Read([]byte) (int, error)
	Close() error
}

func newBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) *body {
	return &body{
		readCloser: http.MaxBytesReader(w, r.Body, maxLargeBody+1), control: http.NewResponseController(w),
		until: time.Now().Add(timeout),
	}
}

// Read sets the deadline for as long as there is something to read: left in place after the end of the body, it would end
// what the handler waits for. After an error it stays, or the server would go on reading for the sake of the next request.
func (b *body) Read(p []byte) (int, error) {
	if err := b.control.SetReadDeadline(b.until); err != nil {
		return 0, err
	}
	n, err := b.readCloser.Read(p)
	if err == nil || err == io.EOF {
		if cerr := b.control.SetReadDeadline(time.Time{}); cerr != nil {
			err = cerr
		}
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		err = newProblem(0, "too_large", fmt.Sprintf("the body has more than %d bytes", maxLargeBody))
	}
	return n, err
}

// within limits what waits for nothing.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, requestTimeout)
}
