package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

const indexFile = "index.html"

// page is one file of the dashboard.
type page struct {
	content []byte
	kind    string
	tag     string
}

// pages serves the dashboard, which finds its files and the API by relative names, wherever it is.
func (s *Server) pages() http.Handler {
	files := s.readPages()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeProblem(w, newProblem(http.StatusMethodNotAllowed, "unknown_type", "pages are only read; the API is below /v1/"))
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if name == "" {
			name = indexFile
		}
		p, ok := files[name]
		if !ok {
			writeProblem(w, newProblem(0, "not_found", "there is nothing at this path"))
			return
		}
		h := w.Header()
		h.Set("Content-Type", p.kind)
		h.Set("ETag", p.tag)
		h.Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.content))
	})
}

// readPages reads the files once: they are part of the program.
func (s *Server) readPages() map[string]page {
	files := make(map[string]page)
	if s.src.Pages == nil {
		return files
	}
	err := fs.WalkDir(s.src.Pages, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(s.src.Pages, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		files[name] = page{content: content, kind: kindOf(name), tag: `"` + hex.EncodeToString(sum[:8]) + `"`}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("read the dashboard", "error", err)
	}
	return files
}

// kindOf does not ask the machine's tables, which differ.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".webmanifest":
		return "application/manifest+json"
	}
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		return kind
	}
	return "application/octet-stream"
}
