package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCoverageNamesRealTests: each row of docs/coverage.md names tests, and each of them is in the tree.
func TestCoverageNamesRealTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	tests := map[string]map[string]bool{} // by folder
	topics := 0
	for i, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| topic ") || strings.HasPrefix(line, "| ---") {
			continue
		}
		topics++
		found := named.FindAllStringSubmatch(line, -1)
		if len(found) == 0 || len(found) != strings.Count(line, "`")/2 {
			t.Errorf("line %d names %d tests as `package.Test`: %s", i+1, len(found), line)
		}
		for _, m := range found {
			if tests[m[1]] == nil {
				tests[m[1]] = testsIn(t, m[1])
			}
			if !tests[m[1]][m[2]] {
				t.Errorf("line %d: there is no test %s in %s", i+1, m[2], m[1])
			}
		}
	}
	if topics != 11+14+15 {
		t.Errorf("%d topics are covered, there are 11 + 14 + 15", topics)
	}
}

// testsIn lists the tests of the package in a folder.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", folder, err)
	}
	names := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}
