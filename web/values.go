package web

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Base64 is bytes that JSON carries as base64. Text that is none is kept as wrong until huma asks Resolve, which knows the
// place in the request: encoding/json does not say it.
type Base64 struct {
	Bytes []byte
	wrong error
}

// IsZero reports whether there is nothing, so that it is left out; an empty text is something.
func (b Base64) IsZero() bool { return b.Bytes == nil && b.wrong == nil }

// MarshalJSON writes standard base64.
func (b Base64) MarshalJSON() ([]byte, error) { return json.Marshal(b.Bytes) }

// UnmarshalJSON reads standard base64 with padding.
func (b *Base64) UnmarshalJSON(data []byte) error {
	b.wrong = nil
	err := json.Unmarshal(data, &b.Bytes)
	var at base64.CorruptInputError
	if errors.As(err, &at) {
		b.Bytes, b.wrong = nil, at
		return nil
	}
	return err
}

// Resolve says which field is no base64. Each such field NAME or NAME_base64 has a NAME_text beside it.
func (b *Base64) Resolve(_ huma.Context, prefix *huma.PathBuffer) []error {
	if b.wrong == nil {
		return nil
	}
	at := prefix.String()
	name := strings.TrimSuffix(at[strings.LastIndexByte(at, '.')+1:], "_base64")
	return []error{&huma.ErrorDetail{Location: at, Message: fmt.Sprintf(
		"not base64 (%v); allowed is base64 as in section 4 of RFC 4648, with padding; %s_text takes text as it is", b.wrong, name)}}
}

// Schema describes it. The encoding is an extension for huma, whose own check says less than Resolve and refuses "".
func (Base64) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Extensions: map[string]any{"contentEncoding": "base64"}}
}

// idText and sessionText describe task.ID and task.SessionID, also as elements of lists, so that huma names the place of one
// that is wrong.
type idText struct{}

func (idText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "uuid"}
}

type sessionText struct{}

func (sessionText) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9a-fA-F]{32}$", PatternDescription: "32 hexadecimal digits"}
}

// anyNumber reads JSON with numbers that no float64 holds, as payload_json may have them. They count as the largest float64
// where huma compares them with what is allowed.
func anyNumber(data []byte) (v any, err error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	return asFloats(v), nil
}

func asFloats(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil { // infinite: the decoder has seen that it is a number
			f = math.Copysign(math.MaxFloat64, f)
		}
		return f
	case []any:
		for i := range v {
			v[i] = asFloats(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = asFloats(v[name])
		}
	}
	return v
}

// plainly says without names of Go which number does not fit. huma has seen before that it is a number.
func plainly(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	var path []string
	for name := range strings.SplitSeq(wrong.Field, ".") {
		if name != "" && strings.ToLower(name[:1]) == name[:1] { // not an embedded struct
			path = append(path, name)
		}
	}
	allowed := "another kind of value"
	switch wrong.Type.Kind() {
	case reflect.Uint8:
		allowed = fmt.Sprintf("a whole number from 0 to %d", math.MaxUint8)
	case reflect.Uint32:
		allowed = fmt.Sprintf("a whole number from 0 to %d", uint32(math.MaxUint32))
	case reflect.Uint64:
		allowed = fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64))
	case reflect.Float64:
		allowed = "one that 64 bits of floating point can hold"
	case reflect.Int, reflect.Int64:
		allowed = fmt.Sprintf("a whole number from %d to %d", math.MinInt64, math.MaxInt64)
	}
	return fmt.Errorf("%s: %s is not allowed, but %s", strings.Join(path, "."), wrong.Value, allowed)
}
