package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
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
		if checkToken(cookie.Value) == nil { // any other is not of this server's making
			return cookie.Value, nil
		}
	}
	return "", nil
}

func checkToken(token string) error {
	if _, _, err := member.ParseToken(token); err != nil {
		return newProblem(http.StatusUnauthorized, "unauthenticated", err.Error())
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
	Role           string     `json:"role" doc:"viewer, worker, operator or admin"`
	Queues         []string   `json:"queues" doc:"Beginnings of the names of the queues that the token is for; empty for all"`
	Authentication bool       `json:"authentication" doc:"The cluster has tokens; without any, everybody may do everything"`
	Token          string     `json:"token,omitempty" doc:"Id of the token"`
	Name           string     `json:"name,omitempty" doc:"Of the token"`
	ExpiresAt      *time.Time `json:"expires_at,omitempty"`
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
	register(a, op{http.MethodPost, pathLogin, "login", "session", "Put a token into a cookie that scripts cannot read"}, s.login)
	register(a, op{http.MethodPost, "/v1/logout", "logout", "session", "Remove the cookie"},
		func(ctx context.Context, _ *struct{}) (*cookieOutput, error) {
			return &cookieOutput{Cookie: s.cookie(ctx, "", -1), Body: Session{Queues: []string{}, Authentication: true}}, nil
		})
	register(a, op{http.MethodGet, "/v1/session", "get-session", "session", "What whoever asks may do"},
		func(ctx context.Context, _ *struct{}) (*plain[Session], error) {
			return &plain[Session]{Body: sessionOf(accessIn(ctx))}, nil
		})
}

func (s *Server) login(ctx context.Context, in *loginInput) (*cookieOutput, error) {
	if err := checkToken(in.Body.Token); err != nil {
		return nil, err
	}
	a, err := s.access(ctx, in.Body.Token)
	if err != nil {
		return nil, err
	}
	if !a.Authentication {
		return nil, newProblem(0, "invalid", "the cluster has no tokens: everybody may do everything without a login")
	}
	return &cookieOutput{Cookie: s.cookie(ctx, in.Body.Token, int(cookieAge.Seconds())), Body: sessionOf(a)}, nil
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

// sessionOf says it for people.
func sessionOf(a member.Access) Session {
	return Session{
		Role: a.Role.String(), Queues: some(a.Queues), Authentication: a.Authentication, Token: a.Token, Name: a.Name,
		ExpiresAt: momentOrNil(a.ExpiresAt),
	}
}
