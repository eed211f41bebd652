package tidy

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Violation is one place where a rule does not hold.
type Violation struct {
	File string // relative to the root, with slashes
	Line int    // 0 for the whole file or folder
	Text string
}

func (v Violation) String() string { return fmt.Sprintf("%s:%d: %s", v.File, v.Line, v.Text) }

// Check reads every source file below root and returns what breaks a rule, in the order of the files' names.
func Check(root string) ([]Violation, error) {
	c := &checker{fset: token.NewFileSet(), docs: make(map[string]bool)}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if skipped(rel) || rel != "." && isModule(name) {
				return filepath.SkipDir
			}
			return nil
		}
		return c.file(name, rel)
	})
	if err != nil {
		return nil, err
	}
	for dir, documented := range c.docs {
		if !documented {
			c.add(dir+"/doc.go", 0, "the package has no doc.go that says what it is for")
		}
	}
	slices.SortFunc(c.found, func(a, b Violation) int {
		return strings.Compare(fmt.Sprintf("%s:%06d", a.File, a.Line), fmt.Sprintf("%s:%06d", b.File, b.Line))
	})
	return c.found, nil
}

// skipped reports whether a folder holds nothing of ours.
func skipped(dir string) bool {
	base := path.Base(dir)
	hidden := base != "." && base != ".ci" && strings.HasPrefix(base, ".")
	return hidden || dir == "bin" || base == "testdata" || base == "haiku-data"
}

// isModule reports whether a folder is a module of its own, which has rules of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

type checker struct {
	fset  *token.FileSet
	found []Violation
	docs  map[string]bool // folder of a package that needs a doc.go: has it one
}

func (c *checker) add(file string, line int, format string, args ...any) {
	c.found = append(c.found, Violation{File: file, Line: line, Text: fmt.Sprintf(format, args...)})
}

// machinePath finds paths that exist on one person's machine only.
var machinePath = regexp.MustCompile(`(^|[\s"'=(` + "`" + `])/(root|home|Users|work)/`)

func (c *checker) file(name, rel string) error {
	switch path.Ext(rel) {
	case ".go", ".md", ".sh", ".proto", ".yaml", ".yml", ".mod", "":
	default:
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	for i, line := range strings.Split(string(text), "\n") {
		if machinePath.MatchString(line) {
			c.add(rel, i+1, "names a path of one machine")
		}
	}
	if path.Ext(rel) != ".go" {
		return nil
	}
	return c.goFile(rel, text)
}

func (c *checker) goFile(rel string, text []byte) error {
	file, err := parser.ParseFile(c.fset, rel, text, parser.ParseComments)
	if err != nil {
		return err
	}
	source := &source{checker: c, rel: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"), file: file}
	source.imports()
	if ast.IsGenerated(file) {
		return nil
	}
	source.packageDoc()
	source.sizes(bytes.Count(text, []byte("\n")))
	source.forbiddenCalls()
	return nil
}

// source is one Go file under check.
type source struct {
	*checker
	rel, dir string
	test     bool
	file     *ast.File
}

func (s *source) at(node ast.Node) int { return s.fset.Position(node.Pos()).Line }

// imports checks the table of our own packages and the sole homes of libraries.
func (s *source) imports() {
	allowed, known := mayImport[s.dir]
	if !known && !s.test {
		s.add(s.rel, s.at(s.file.Name), "package %s has no place in the import table of internal/tidy", s.dir)
	}
	for _, spec := range s.file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if ours, ok := strings.CutPrefix(imported, module); ok && known && !s.test && !slices.Contains(allowed, ours) {
			s.add(s.rel, s.at(spec), "%s may not import %s", s.dir, ours)
		}
		for library, homes := range soleHome {
			if within(imported, library) && !slices.Contains(homes, s.dir) {
				s.add(s.rel, s.at(spec), "%s is used outside its home %s", library, strings.Join(homes, ", "))
			}
		}
	}
}

// within reports whether an import path is the library or below it.
func within(imported, library string) bool {
	return imported == library || strings.HasPrefix(imported, library+"/")
}

// packageDoc notes whether the folder has a doc.go with a package comment.
func (s *source) packageDoc() {
	if s.test {
		return
	}
	has := path.Base(s.rel) == "doc.go" && s.file.Doc != nil && len(s.file.Doc.Text()) > 80
	s.docs[s.dir] = s.docs[s.dir] || has
}

func (s *source) sizes(lines int) {
	limit := maxFile
	if s.test {
		limit = maxTestFile
	}
	if lines > limit {
		s.add(s.rel, limit, "the file has %d lines, at most %d are allowed", lines, limit)
	}
	if s.test {
		return
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok {
			if lines := s.fset.Position(f.End()).Line - s.at(f) + 1; lines > maxFunction {
				s.add(s.rel, s.at(f), "function %s has %d lines, at most %d are allowed", f.Name.Name, lines, maxFunction)
			}
		}
		return true
	})
}
