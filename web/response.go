package web

import (
	"compress/gzip"
	"net/http"
	"strings"
	"time"
)

// compressFrom is the size of an answer from which it is compressed.
const compressFrom = 1 << 10

// response gives each write of an answer a deadline, leaves out what the client has by its tag, and compresses what is
// worth it.
type response struct {
	http.ResponseWriter
	s       *Server
	control *http.ResponseController
	accepts bool   // gzip
	known   string // If-None-Match of a read: the tags of what the client has
	started bool   // the headers are decided
	status  int
	held    []byte // what is written before it is known whether to compress
	decided bool
	gzip    *gzip.Writer
}

func newResponse(w http.ResponseWriter, r *http.Request, s *Server) *response {
	out := &response{
		ResponseWriter: w, s: s, control: http.NewResponseController(w), status: http.StatusOK,
		accepts: r.Method != http.MethodHead && acceptsGzip(r.Header.Get("Accept-Encoding")),
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		out.known = strings.Join(r.Header.Values("If-None-Match"), ",")
	}
	return out
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		weight = strings.ReplaceAll(weight, " ", "")
		if strings.TrimSpace(name) == "gzip" && weight != "q=0" && weight != "q=0.0" {
			return true
		}
	}
	return false
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader keeps the status until it is known whether the answer is compressed.
func (w *response) WriteHeader(status int) {
	if w.started {
		return
	}
	if status == http.StatusOK && hasTag(w.known, w.Header().Get("ETag")) {
		status = http.StatusNotModified
		w.Header().Del("Content-Type")
		w.Header().Del("Content-Length")
	}
	w.started, w.status = true, status
	if !w.compressible() {
		w.decide(false)
	}
}

// hasTag reports whether a list of tags has one, or * for any. Weak ones will do: a compressed answer has such.
func hasTag(list, tag string) bool {
	if tag == "" || list == "" {
		return false
	}
	tag = strings.TrimPrefix(tag, "W/")
	for one := range strings.SplitSeq(list, ",") { // no tag of this server has a comma
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

func (w *response) compressible() bool {
	h := w.Header()
	// A part is one of the content as it is: its place would be wrong within the compressed one.
	if w.status == http.StatusPartialContent || w.status == http.StatusNoContent || w.status == http.StatusNotModified || h.Get("Content-Encoding") != "" {
		return false
	}
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch kind {
	case "application/json", problemType, "text/html", "text/css", "text/javascript", "application/javascript", "text/plain",
		"image/svg+xml", "application/yaml":
		return true
	}
	return false
}

// decide sends the headers.
func (w *response) decide(compress bool) {
	w.decided = true
	h := w.Header()
	if w.compressible() {
		h.Add("Vary", "Accept-Encoding")
	}
	if compress {
		h.Set("Content-Encoding", "gzip")
		h.Del("Content-Length")
		if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
			h.Set("ETag", "W/"+tag)
		}
		w.gzip = w.s.compressors.Get().(*gzip.Writer)
		w.gzip.Reset(deadlined{w})
	}
	w.extend()
	w.ResponseWriter.WriteHeader(w.status)
}

// extend gives the client its time for the next part.
func (w *response) extend() {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.s.cfg.Limits.WriteTimeout)) // the write itself says if the connection is gone
}

// Write sends a part of the answer.
func (w *response) Write(p []byte) (int, error) {
	if !w.started {
		w.WriteHeader(http.StatusOK)
	}
	if !w.decided {
		if len(w.held)+len(p) < compressFrom {
			w.held = append(w.held, p...)
			return len(p), nil
		}
		w.decide(w.accepts)
		if err := w.release(); err != nil {
			return 0, err
		}
	}
	return w.send(p)
}

func (w *response) release() error {
	held := w.held
	w.held = nil
	if len(held) == 0 {
		return nil
	}
	_, err := w.send(held)
	return err
}

func (w *response) send(p []byte) (int, error) {
	if w.status == http.StatusNotModified {
		return len(p), nil
	}
	if w.gzip != nil {
		return w.gzip.Write(p)
	}
	return deadlined{w}.Write(p)
}

// deadlined writes to the connection in parts, each with a deadline.
type deadlined struct{ w *response }

const writePart = 256 << 10

func (d deadlined) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		var k int
		d.w.extend()
		k, err = d.w.ResponseWriter.Write(p[:min(len(p), writePart)])
		n, p = n+k, p[k:]
	}
	return n, err
}

// FlushError sends what was written so far.
func (w *response) FlushError() error {
	if !w.started {
		w.WriteHeader(http.StatusOK)
	}
	if !w.decided {
		w.decide(false)
	}
	if err := w.release(); err != nil {
		return err
	}
	if w.gzip != nil {
		if err := w.gzip.Flush(); err != nil {
			return err
		}
	}
	w.extend()
	return w.control.Flush()
}

// end sends what is left.
func (w *response) end() {
	if w.started && !w.decided {
		w.decide(false)
		_ = w.release() // a client that is gone
	}
	if w.gzip != nil {
		_ = w.gzip.Close()
		w.s.compressors.Put(w.gzip)
		w.gzip = nil
	}
}
