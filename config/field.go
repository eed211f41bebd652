package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is one setting: a leaf of Config with its tags and the place that holds its value.
type field struct {
	key      string // as in the file, sections joined with a dot: raft.heartbeat_timeout
	flag     string // empty if there is none
	help     string
	min, max string
	oneOf    []string
	value    reflect.Value
}

// fields lists every setting of c in the order of the struct.
func fields(c *Config) []field { return walk(reflect.ValueOf(c).Elem(), "") }

func walk(section reflect.Value, prefix string) []field {
	var out []field
	for i := range section.NumField() {
		tag := section.Type().Field(i).Tag
		key, value := prefix+tag.Get("key"), section.Field(i)
		if value.Kind() == reflect.Struct {
			out = append(out, walk(value, key+".")...)
			continue
		}
		out = append(out, field{
			key: key, flag: tag.Get("flag"), help: meanings[key], min: tag.Get("min"), max: tag.Get("max"),
			oneOf: strings.Fields(tag.Get("oneof")), value: value,
		})
	}
	return out
}

// env is the environment variable of the setting.
func (f *field) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(f.key, ".", "_"))
}

// allowed says in words what the setting may hold; empty if its type says it all.
func (f *field) allowed() string {
	switch {
	case len(f.oneOf) > 0:
		return strings.Join(f.oneOf, ", ")
	case f.min != "":
		return f.min + " to " + f.max
	}
	return ""
}

// set stores what a flag, a variable or the file says. The error says what is wanted.
func (f *field) set(raw any) error {
	switch f.value.Interface().(type) {
	case []string:
		list, err := stringList(raw)
		f.value.Set(reflect.ValueOf(list))
		return err
	case bool:
		b, err := strconv.ParseBool(fmt.Sprint(raw))
		if err != nil {
			return fmt.Errorf("%q is not true or false", fmt.Sprint(raw))
		}
		f.value.SetBool(b)
	case string:
		switch raw.(type) {
		case []any, map[string]any:
			return fmt.Errorf("wants one text, not a list or section")
		}
		f.value.SetString(fmt.Sprint(raw))
	case float64:
		v, err := strconv.ParseFloat(fmt.Sprint(raw), 64)
		if err != nil || math.IsNaN(v) {
			return fmt.Errorf("%q is not a number such as 0.1", fmt.Sprint(raw))
		}
		f.value.SetFloat(v)
	default:
		n, err := f.parseNumber(fmt.Sprint(raw))
		if err != nil {
			return err
		}
		f.value.SetInt(n)
	}
	return nil
}

// parseNumber reads a number in the form that the setting's type has.
func (f *field) parseNumber(s string) (int64, error) {
	switch f.value.Interface().(type) {
	case time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration such as 500ms, 2s or 24h", s)
		}
		return int64(d), nil
	case Size:
		size, err := ParseSize(s)
		return int64(size), err
	default:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a whole number", s)
		}
		return n, nil
	}
}

func stringList(raw any) ([]string, error) {
	var parts []string
	switch raw := raw.(type) {
	case []any:
		for _, p := range raw {
			parts = append(parts, fmt.Sprint(p))
		}
	case []string:
		parts = raw
	case string:
		parts = strings.Split(raw, ",")
	default:
		return nil, fmt.Errorf("wants a list or names with commas between them")
	}
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out, nil
}

// text is the value as it is written in the file.
func (f *field) text() string {
	switch v := f.value.Interface().(type) {
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case string:
		if v == "" {
			return `""`
		}
		return v
	case time.Duration:
		return shortDuration(v)
	default:
		return fmt.Sprint(v)
	}
}

// shortDuration leaves out the zero parts that Duration.String writes: 24h, not 24h0m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
