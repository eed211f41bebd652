// Package ui is the dashboard as files: what web/ui/dist holds, embedded, so that Go alone builds it.
//
// The sources are the TypeScript files under src; `make ui` bundles them into dist with esbuild, and `make check` does the
// same and compares. The page finds its node by relative URLs and routes by the part of the URL after the #, so it works
// under any base path and needs nothing of the server but these files and the REST API beside them. It knows nothing
// of HTTP; package web serves it.
package ui
