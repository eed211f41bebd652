package tidy

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// forbiddenCalls checks what a package may not call: sleeps in tests, and whatever makes apply differ between nodes.
func (s *source) forbiddenCalls() {
	if s.test {
		s.calls([]string{"time.Sleep"}, "a test waits for a condition, it does not sleep")
		return
	}
	rule, ok := forbidden[s.dir]
	if !ok {
		return
	}
	for _, spec := range s.file.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil && slices.Contains(rule.imports, imported) {
			s.add(s.rel, s.at(spec), "%s may not import %s: every node has to get the same result", s.dir, imported)
		}
	}
	s.calls(rule.calls, "every node has to get the same result")
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if !slices.Contains(rule.starters, path.Base(s.rel)) {
				s.add(s.rel, s.at(n), "%s may not start goroutines here", s.dir)
			}
		case *ast.Ident:
			if rule.floats && (n.Name == "float64" || n.Name == "float32") {
				s.add(s.rel, s.at(n), "%s may not use floating point", s.dir)
			}
		case *ast.BasicLit:
			if rule.floats && n.Kind == token.FLOAT {
				s.add(s.rel, s.at(n), "%s may not use floating point", s.dir)
			}
		}
		return true
	})
}

// calls finds uses of package.Function, whatever name the file gave the package.
func (s *source) calls(names []string, why string) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); ok {
			if full := s.packageOf(pkg.Name) + "." + selector.Sel.Name; slices.Contains(names, full) {
				s.add(s.rel, s.at(n), "%s is not allowed here: %s", full, why)
			}
		}
		return true
	})
}

// packageOf returns the last part of the import path that a name in this file stands for.
func (s *source) packageOf(name string) string {
	for _, spec := range s.file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		base := path.Base(imported)
		if spec.Name != nil && spec.Name.Name == name || spec.Name == nil && strings.EqualFold(base, name) {
			return base
		}
	}
	return ""
}
