package task

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ID names a task: a UUID of version 7, chosen by the client that submits it. Its first 48 bits are the milliseconds
// since 1970 at which it was made, so ids sort by age.
type ID [16]byte

// SessionID names the session of one worker process, over all of its connections: 16 random bytes, all zero for none.
type SessionID [16]byte

// NewID returns a fresh task id from the clock and the system's random source.
func NewID() ID { return ID(uuid.Must(uuid.NewV7())) }

// NewSessionID returns a fresh random session id.
func NewSessionID() SessionID { return SessionID(uuid.New()) }

// ParseID reads the 36-character form of a task id. The error wraps ErrInvalid.
func ParseID(s string) (ID, error) {
	u, err := uuid.Parse(s)
	if err != nil || len(s) != 36 {
		return ID{}, fmt.Errorf("%w: task id %q is not a UUID like 01890a5d-ac96-774b-bcce-b302099a8057", ErrInvalid, clip(s))
	}
	return ID(u), nil
}

// IDFromBytes reads the 16-byte form of a task id. The error wraps ErrInvalid.
func IDFromBytes(b []byte) (ID, error) {
	if len(b) != 16 {
		return ID{}, fmt.Errorf("%w: a task id of %d bytes; it has 16", ErrInvalid, len(b))
	}
	return ID(b), nil
}

// Validate reports whether the id may be given to a new task: it has to be a UUID of version 7.
func (id ID) Validate() error {
	u := uuid.UUID(id)
	if u.Version() != 7 || u.Variant() != uuid.RFC4122 {
		return fmt.Errorf("%w: task id %s is not a UUID of version 7", ErrInvalid, id)
	}
	return nil
}

// Time returns the moment, to the millisecond, that the id carries.
func (id ID) Time() time.Time {
	ms := int64(id[0])<<40 | int64(id[1])<<32 | int64(id[2])<<24 | int64(id[3])<<16 | int64(id[4])<<8 | int64(id[5])
	return time.UnixMilli(ms).UTC()
}

func (id ID) String() string { return uuid.UUID(id).String() }

// MarshalText gives the 36-character form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the 36-character form.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

func (s SessionID) String() string { return hex.EncodeToString(s[:]) }

// IsZero reports whether there is no session.
func (s SessionID) IsZero() bool { return s == SessionID{} }

// MarshalText gives 32 hexadecimal digits.
func (s SessionID) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads 32 hexadecimal digits.
func (s *SessionID) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != len(s) {
		return fmt.Errorf("%w: a session id has 32 hexadecimal digits", ErrInvalid)
	}
	copy(s[:], raw)
	return nil
}
