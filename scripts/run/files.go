package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
)

// sourceFiles lists every regular file of Go's own source tree.
func sourceFiles(ctx context.Context) ([]string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	root := filepath.Join(strings.TrimSpace(string(out)), "src")
	var files []string
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && !strings.ContainsAny(path, "\n\\") {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// expectedSums asks sha256sum, without Haiku, for the line that it prints of each file.
func expectedSums(ctx context.Context, files []string) (map[string]string, error) {
	const at = 500 // files of one call, to keep its command line short
	sums := make(map[string]string, len(files))
	for from := 0; from < len(files); from += at {
		part := files[from:min(from+at, len(files))]
		out, err := exec.CommandContext(ctx, "sha256sum", append([]string{"--"}, part...)...).Output()
		if err != nil {
			return nil, fmt.Errorf("sha256sum: %w", err)
		}
		lines := bytes.SplitAfter(out, []byte("\n"))
		if len(lines) != len(part)+1 {
			return nil, fmt.Errorf("sha256sum printed %d lines for %d files", len(lines)-1, len(part))
		}
		for i, path := range part {
			sums[path] = string(lines[i])
		}
	}
	return sums, nil
}
