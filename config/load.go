package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

const envPrefix = "HAIKU_"

// foreignEnv are the HAIKU_ variables that are not settings of a node: those of the haiku command, and those that its
// worker hands to the commands it runs.
var foreignEnv = [...]string{
	"HAIKU_ADDR", "HAIKU_CONFIG", "HAIKU_TASK_ID", "HAIKU_TASK_TYPE", "HAIKU_TASK_QUEUE", "HAIKU_ATTEMPT",
	"HAIKU_LEASE_ID", "HAIKU_WORKER",
}

// AddFlags adds a flag for each setting that has one. Give the set to Load.
func AddFlags(flags *pflag.FlagSet) {
	defaults := Default()
	for _, f := range fields(&defaults) {
		switch v := f.value.Interface().(type) {
		case bool:
			if f.flag != "" {
				flags.Bool(f.flag, v, f.help)
			}
		case []string:
			if f.flag != "" {
				flags.StringSlice(f.flag, v, f.help)
			}
		case string:
			if f.flag != "" {
				flags.String(f.flag, v, f.help)
			}
		}
	}
}

// Load returns the checked settings. flags may be nil; environ has the form of os.Environ and may be nil; file may be
// empty for none. The error joins one line a problem.
func Load(flags *pflag.FlagSet, environ []string, file string) (Config, error) {
	c := Default()
	known := fields(&c)
	v := viper.New()
	problems := []error{readFile(v, known, file), mergeEnv(v, known, environ)}
	if err := errors.Join(problems...); err != nil {
		return c, err
	}
	for _, f := range known {
		if flags != nil && f.flag != "" {
			if err := v.BindPFlag(f.key, flags.Lookup(f.flag)); err != nil {
				return c, fmt.Errorf("flag --%s: %w", f.flag, err)
			}
		}
		if raw := v.Get(f.key); raw != nil {
			if err := f.set(raw); err != nil {
				problems = append(problems, problem(&f, "%w", err))
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// readFile reads the YAML file and refuses every key that is not a setting.
func readFile(v *viper.Viper, known []field, file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("config file: %w", err)
	}
	v.SetConfigType("yaml")
	if err := v.ReadConfig(bytes.NewReader(text)); err != nil {
		return fmt.Errorf("config file %s: %s", file, strings.Join(strings.Fields(err.Error()), " "))
	}
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.key
	}
	keys := v.AllKeys()
	slices.Sort(keys)
	var problems []error
	for _, key := range keys {
		if !slices.Contains(names, key) {
			problems = append(problems, fmt.Errorf("config file %s: unknown key %q%s", file, key, suggestion(key, names)))
		}
	}
	return errors.Join(problems...)
}

// mergeEnv lays the HAIKU_ variables over the file. A variable that nobody knows is refused only if it is close to a
// known one or names a section: container platforms set variables such as HAIKU_SERVICE_HOST by themselves.
func mergeEnv(v *viper.Viper, known []field, environ []string) error {
	byName := make(map[string]field, len(known))
	names := make([]string, 0, len(known))
	for _, f := range known {
		byName[f.env()] = f
		names = append(names, f.env())
	}
	var problems []error
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(foreignEnv[:], name) || value == "" {
			continue
		}
		if f, ok := byName[name]; ok {
			if err := v.MergeConfigMap(nested(f.key, value)); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", name, err))
			}
			continue
		}
		if hint := suggestion(name, names); hint != "" || inSection(name, known) {
			problems = append(problems, fmt.Errorf("unknown environment variable %s%s", name, hint))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(problems...)
}

// nested gives the map that a YAML file with this one key would have.
func nested(key string, value any) map[string]any {
	if section, rest, ok := strings.Cut(key, "."); ok {
		return map[string]any{section: map[string]any{rest: value}}
	}
	return map[string]any{key: value}
}

// inSection reports whether the variable begins like those of a section, such as HAIKU_RAFT_.
func inSection(name string, known []field) bool {
	for _, f := range known {
		if section, _, ok := strings.Cut(f.key, "."); ok && strings.HasPrefix(name, envPrefix+strings.ToUpper(section)+"_") {
			return true
		}
	}
	return false
}
