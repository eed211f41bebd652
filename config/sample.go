package config

import (
	"fmt"
	"strings"
)

const sampleHead = `# Settings of haikud, with their defaults. Give it with: haikud --config FILE
# Flags override HAIKU_ variables, those override this file, and what is not set has the value shown here.
`

// Sample returns an annotated YAML file with every setting at its default.
func Sample() string {
	var out strings.Builder
	out.WriteString(sampleHead)
	defaults := Default()
	section := ""
	for _, f := range fields(&defaults) {
		name, indent := f.key, ""
		if s, rest, ok := strings.Cut(f.key, "."); ok {
			if s != section {
				fmt.Fprintf(&out, "\n%s:\n", s)
				section = s
			}
			name, indent = rest, "  "
		}
		if indent == "" {
			out.WriteString("\n")
		}
		for _, line := range wrap(f.help+"; "+f.about(), 110) {
			fmt.Fprintf(&out, "%s# %s\n", indent, line)
		}
		fmt.Fprintf(&out, "%s%s: %s\n", indent, name, f.text())
	}
	return out.String()
}

// about lists what is allowed and the other ways to set it.
func (f *field) about() string {
	parts := []string{}
	if allowed := f.allowed(); allowed != "" {
		parts = append(parts, "allowed: "+allowed)
	}
	parts = append(parts, f.env())
	if f.flag != "" {
		parts = append(parts, "--"+f.flag)
	}
	return strings.Join(parts, "; ")
}

// Reference returns the table of docs/configuration.md.
func Reference() string {
	var out strings.Builder
	out.WriteString("| key | default | allowed | meaning |\n| --- | --- | --- | --- |\n")
	defaults := Default()
	for _, f := range fields(&defaults) {
		key := "`" + f.key + "`"
		if f.flag != "" {
			key += ", `--" + f.flag + "`"
		}
		allowed := f.allowed()
		if allowed == "" {
			allowed = kind(&f)
		}
		fmt.Fprintf(&out, "| %s | `%s` | %s | %s |\n", key, f.text(), allowed, f.help)
	}
	return out.String()
}

// kind says in words what type a setting without a range has.
func kind(f *field) string {
	switch f.value.Interface().(type) {
	case bool:
		return "true, false"
	case []string:
		return "list"
	}
	return "text"
}

// wrap breaks text into lines of at most width bytes.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
