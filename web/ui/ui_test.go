package ui

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"regexp"
	"testing"
)

// TestSizes: the dashboard stays small enough for a slow line.
func TestSizes(t *testing.T) {
	for name, limit := range map[string]int{"app.js": 90_000, "app.css": 12_000} {
		raw := file(t, name)
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(raw); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if packed.Len() > limit {
			t.Errorf("%s has %d bytes compressed, at most %d are allowed", name, packed.Len(), limit)
		}
	}
}

var (
	named   = regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	inline  = regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\son[a-z]+=|\sstyle=`)
	outside = regexp.MustCompile(`(?i)url\((?:["']?)(?:https?:)?//|@import`)
)

// TestIndex: what the page names is there, by relative URLs, and nothing in it runs or is styled inline, which the
// Content-Security-Policy would refuse.
func TestIndex(t *testing.T) {
	page := file(t, "index.html")
	links := named.FindAllSubmatch(page, -1)
	if len(links) != 3 {
		t.Fatalf("the page names %d files, want script, style and icon", len(links))
	}
	for _, link := range links {
		file(t, string(link[1]))
	}
	if found := inline.Find(page); found != nil {
		t.Errorf("inline: %s", found)
	}
	if found := outside.Find(file(t, "app.css")); found != nil {
		t.Errorf("the style asks for something from elsewhere: %s", found)
	}
}

func file(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := fs.ReadFile(Files(), name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
