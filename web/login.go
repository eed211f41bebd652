package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

const (
	cookieName = "haiku_token"
	cookieAge  = 30 * 24 * time.Hour
)

// tokenKey is the key of a request's token in its context.
type tokenKey struct{}

// withToken finds out who asks: the Authorization header, or the cookie of a login.
func (s *Server) withToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := tokenOf(r)
		if err != nil {
			writeProblem(w, problemOf(err))
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, token)))
	})
}

func tokenOf(r *http.Request) (string, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
			return "", newProblem(http.StatusUnauthorized, "unauthenticated", "the Authorization header is not: Bearer TOKEN")
		}
		return token, checkToken(token)
	}
	if cookie, err := r.Cookie(cookieName); err == nil {
		return cookie.Value, checkToken(cookie.Value)
	}
	return "", nil
}

func checkToken(token string) error {
	if len(token) > task.MaxToken {
		return newProblem(http.StatusUnauthorized, "unauthenticated", "the token is longer than any token is")
	}
	return nil
}

// call gives f the client of whoever asks.
func (s *Server) call(ctx context.Context, f func(*client.Client) error) error {
	return s.callAs(clientKey{token: tokenIn(ctx)}, f)
}

// callWaiting is call for what may wait.
func (s *Server) callWaiting(ctx context.Context, f func(*client.Client) error) error {
	return s.callAs(clientKey{token: tokenIn(ctx), waits: true}, f)
}

func (s *Server) callAs(key clientKey, f func(*client.Client) error) error {
	c, release, err := s.clients.take(key)
	if err != nil {
		return err
	}
	defer release()
	return f(c)
}

func tokenIn(ctx context.Context) string {
	token, _ := ctx.Value(tokenKey{}).(string)
	return token
}

// Session is what whoever asks may do.
type Session struct {
	Role           string   `json:"role" doc:"viewer, worker, operator or admin"`
	Queues         []string `json:"queues" doc:"Beginnings of the names of the queues that the token is for; empty for all"`
	Authentication bool     `json:"authentication" doc:"The cluster has tokens; without any, everybody may do everything"`
}

type loginInput struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"4096" doc:"Secret of a token"`
	}
}

type cookieOutput struct {
	Cookie http.Cookie `header:"Set-Cookie"`
	Body   Session
}

func (s *Server) registerLogin(a *api) {
	register(a, op{http.MethodPost, "/v1/login", "login", "session", "Put a token into a cookie that scripts cannot read"}, s.login)
	register(a, op{http.MethodPost, "/v1/logout", "logout", "session", "Remove the cookie"},
		func(ctx context.Context, _ *struct{}) (*cookieOutput, error) {
			return &cookieOutput{Cookie: s.cookie(ctx, "", -1), Body: Session{Queues: []string{}}}, nil
		})
	register(a, op{http.MethodGet, "/v1/session", "get-session", "session", "What whoever asks may do"},
		func(ctx context.Context, _ *struct{}) (*plain[Session], error) {
			session, err := s.access(ctx, tokenIn(ctx))
			return &plain[Session]{Body: session}, err
		})
}

func (s *Server) login(ctx context.Context, in *loginInput) (*cookieOutput, error) {
	session, err := s.access(ctx, in.Body.Token)
	if err != nil {
		return nil, err
	}
	if !session.Authentication {
		return nil, newProblem(0, "invalid", "the cluster has no tokens: everybody may do everything without a login")
	}
	return &cookieOutput{Cookie: s.cookie(ctx, in.Body.Token, int(cookieAge.Seconds())), Body: session}, nil
}

func (s *Server) cookie(ctx context.Context, value string, age int) http.Cookie {
	secure, _ := ctx.Value(secureKey{}).(bool)
	return http.Cookie{
		Name: cookieName, Value: value, Path: s.cfg.BasePath + "/", MaxAge: age, HttpOnly: true, Secure: secure,
		SameSite: http.SameSiteStrictMode,
	}
}

// secureKey is the key in a request's context of whether it came through TLS.
type secureKey struct{}

// access asks the node what a token may do.
func (s *Server) access(ctx context.Context, token string) (Session, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	err := s.callAs(clientKey{token: token}, func(c *client.Client) error {
		_, err := c.Status(ctx)
		return err
	})
	if errors.Is(err, task.ErrInvalid) {
		err = newProblem(http.StatusUnauthorized, "unauthenticated", err.Error())
	}
	return Session{Role: "admin", Queues: []string{}}, err
}
