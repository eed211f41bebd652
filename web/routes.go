package web

import (
	"net/http"
)

// routes makes the handler of everything below the base path.
func (s *Server) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	a := newAPI(mux, s.cfg.BasePath)
	s.register(a)
	described, err := a.describe()
	if err != nil {
		return nil, err
	}
	mux.HandleFunc("GET "+pathOpenAPI, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(described) // a client that is gone
	})
	mux.HandleFunc("/v1/", a.missing)
	if s.src.Meter != nil {
		mux.HandleFunc("GET /metrics", s.metrics)
	}
	mux.Handle("/", s.pages())
	guarded, err := s.guard(mux)
	if err != nil {
		return nil, err
	}
	whole := http.NewServeMux()
	whole.Handle("GET /healthz", s.dress(http.HandlerFunc(s.healthz)))
	whole.Handle("GET /readyz", s.dress(http.HandlerFunc(s.readyz)))
	whole.Handle("GET /version", s.dress(http.HandlerFunc(s.version)))
	whole.Handle("/", guarded)
	return whole, nil
}

// register adds every operation of REST.
func (s *Server) register(a *api) {
	a.UseMiddleware(s.permit)
	s.registerTasks(a)
	s.registerQueues(a)
	s.registerDeadLetters(a)
	s.registerOperations(a)
	s.registerSchedules(a)
	s.registerWorkers(a)
	s.registerWorkerAPI(a)
	s.registerCluster(a)
	s.registerAdmin(a)
	s.registerOverview(a)
	s.registerEvents(a)
	s.registerLogin(a)
	s.registerTokens(a)
}
