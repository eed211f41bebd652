package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"
)

const (
	formatTable = "table"
	formatJSON  = "json"
	formatJSONL = "jsonl"
	formatYAML  = "yaml"
)

var formats = [...]string{formatTable, formatJSON, formatJSONL, formatYAML}

// print writes a value in the format of -o; table writes it for people.
func (a *app) print(value any, table func(w io.Writer)) error {
	switch a.output {
	case formatJSON:
		return writeJSON(a.out, value, "  ")
	case formatJSONL:
		return writeLines(a.out, value)
	case formatYAML:
		return writeYAML(a.out, value)
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	table(w)
	return w.Flush()
}

func writeJSON(w io.Writer, value any, indent string) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	return encoder.Encode(value)
}

// writeLines writes a list as one line an element, anything else as one line.
func writeLines(w io.Writer, value any) error {
	list := reflect.ValueOf(value)
	if list.Kind() != reflect.Slice {
		return writeJSON(w, value, "")
	}
	for i := range list.Len() {
		if err := writeJSON(w, list.Index(i).Interface(), ""); err != nil {
			return err
		}
	}
	return nil
}

// writeYAML writes the value's JSON in YAML's block style, so names and their order are the same in both.
func writeYAML(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		return err
	}
	blockStyle(&node)
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return err
	}
	return encoder.Close()
}

func blockStyle(node *yaml.Node) {
	node.Style = 0
	for _, child := range node.Content {
		blockStyle(child)
	}
}

// row writes the cells of one line of a table.
func row(w io.Writer, cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, cell)
	}
	fmt.Fprintln(w)
}
