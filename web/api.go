package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/haiku-queue/haiku/task"
)

// The paths that more than one part of the server knows.
const (
	pathEvents  = "/v1/events"
	pathClaim   = "/v1/worker/claim"
	pathLogin   = "/v1/login"
	pathOpenAPI = "/v1/openapi.json"
)

// api collects the operations of REST.
type api struct {
	huma.API
	mux *http.ServeMux
}

// op is one operation: what it is called and where it is.
type op struct{ method, path, id, tag, summary string }

// plain is an answer that is only a body.
type plain[T any] struct{ Body T }

// newAPI has huma serve on mux.
func newAPI(mux *http.ServeMux, base string) *api {
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	registry.RegisterTypeAlias(reflect.TypeFor[task.ID](), reflect.TypeFor[idText]())
	registry.RegisterTypeAlias(reflect.TypeFor[task.SessionID](), reflect.TypeFor[sessionText]())
	format := huma.Format{Marshal: marshal, Unmarshal: unmarshal}
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "Haiku", Version: "1",
				Description: "The HTTP interface of a Haiku node. docs/http.md explains it with examples.",
			},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token":  {Type: "http", Scheme: "bearer"},
					"cookie": {Type: "apiKey", In: "cookie", Name: cookieName},
				},
			},
			Security: []map[string][]string{{"token": {}}, {"cookie": {}}, {}},
			Tags:     tags(),
		},
		Formats:       map[string]huma.Format{"application/json": format, "json": format},
		DefaultFormat: "application/json", RejectUnknownQueryParameters: true,
		Transformers: []huma.Transformer{understand},
	}
	if base != "" {
		config.Servers = []*huma.Server{{URL: base}}
	}
	return &api{API: humago.New(mux, config), mux: mux}
}

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "tasks", Description: "Submit, show, list and change tasks"},
		{Name: "worker", Description: "Claim tasks and report what became of them, over plain HTTP"},
		{Name: "queues", Description: "Counts and settings of queues, retention"},
		{Name: "schedules", Description: "Tasks that are submitted again and again at set times"},
		{Name: "operations", Description: "Changes of many tasks"},
		{Name: "cluster", Description: "Nodes, leadership, snapshots, workers"},
		{Name: "overview", Description: "How the cluster does, and what changes"},
		{Name: "session", Description: "Who asks, and what they may do"},
	}
}

// schemaName names a type in the description.
func schemaName(t reflect.Type, hint string) string {
	return strings.TrimSuffix(huma.DefaultSchemaNamer(t, hint), "Fields")
}

// register adds an operation. Its errors become problems.
func register[I, O any](a *api, o op, h func(context.Context, *I) (*O, error)) {
	registerWith(a, o, nil, h)
}

// registerWith is register with a change of what is said of the operation.
func registerWith[I, O any](a *api, o op, change func(*huma.Operation), h func(context.Context, *I) (*O, error)) {
	problem := a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	operation := huma.Operation{
		OperationID: o.id, Method: o.method, Path: o.path, Summary: o.summary, Tags: []string{o.tag},
		MaxBodyBytes: maxBody, BodyReadTimeout: -1, // body.Read has a deadline
		Responses: map[string]*huma.Response{"default": {
			Description: "An error", Content: map[string]*huma.MediaType{problemType: {Schema: problem}},
		}},
	}
	if change != nil {
		change(&operation)
	}
	huma.Register(a.API, operation, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, problemOf(err)
		}
		return out, nil
	})
}

// large lets an operation have a body with payloads.
func large(o *huma.Operation) { o.MaxBodyBytes = maxLargeBody }

// tagged says of a read that its answer has an ETag, with which response.go answers 304.
func tagged(o *huma.Operation) {
	o.Parameters = append(o.Parameters, &huma.Param{Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "304 without a body if one of these ETags is that of the settings; they say nothing of counts and fires"})
	o.Responses["304"] = &huma.Response{Description: "The settings still have that ETag"}
}

// describe returns the OpenAPI description as JSON.
func (a *api) describe() ([]byte, error) {
	schemas := a.OpenAPI().Components.Schemas.Map()
	delete(schemas, "ErrorModel") // huma's own; Problem takes its place
	delete(schemas, "ErrorDetail")
	for _, s := range schemas {
		neverNull(s)
	}
	return json.MarshalIndent(a.OpenAPI(), "", "  ")
}

// neverNull says that lists are lists, for they are never null here.
func neverNull(s *huma.Schema) {
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	if s.Items != nil {
		neverNull(s.Items)
	}
	for _, p := range s.Properties {
		neverNull(p)
	}
}

func marshal(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(true) // harmless wherever it is shown
	return encoder.Encode(v)
}

// unmarshal refuses what encoding/json would mend in silence.
func unmarshal(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not UTF-8")
	}
	err := json.Unmarshal(data, v)
	var wrong *json.UnmarshalTypeError
	if into, any := v.(*any); any && errors.As(err, &wrong) {
		*into, err = anyNumber(data)
	}
	return plainly(err)
}

// missing answers for paths and methods that there are not.
func (a *api) missing(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range [...]string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		other := *r
		other.Method = method
		if _, pattern := a.mux.Handler(&other); strings.HasPrefix(pattern, method+" /v1/") {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		writeProblem(w, newProblem(0, "not_found", "there is nothing at this path; "+pathOpenAPI+" lists what there is"))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeProblem(w, newProblem(http.StatusMethodNotAllowed, "unknown_type",
		"the path has no method "+clipped(r.Method)+"; allowed are "+strings.Join(allowed, ", ")))
}
