package fsm

import (
	"fmt"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// In meta "dispatch_paused" -> version uint8 = 1 stands while claims get nothing, and is not there otherwise.
const (
	dispatchKey     = "dispatch_paused"
	dispatchVersion = 1
)

// dispatch is what a machine knows of the flag. It asks the state once a batch, for every claim wants to know.
type dispatch uint8

const (
	dispatchUnknown dispatch = iota
	dispatchOn
	dispatchOff
)

func (m *machine) setDispatch(c *SetDispatch) (Result, error) {
	if c.Paused {
		m.batch.PutMeta(dispatchKey, []byte{dispatchVersion})
		m.dispatch = dispatchOff
	} else {
		m.batch.DeleteMeta(dispatchKey)
		m.dispatch = dispatchOn
	}
	return Result{}, nil
}

func (m *machine) dispatchPaused() (bool, error) {
	if m.dispatch == dispatchUnknown {
		value, err := m.batch.Meta(dispatchKey)
		if err != nil {
			return false, err
		}
		m.dispatch = dispatchOn
		if value != nil {
			m.dispatch = dispatchOff
		}
	}
	return m.dispatch == dispatchOff, nil
}

// DispatchPaused reports whether claims get nothing.
func DispatchPaused(st *store.Store) (bool, error) {
	value, err := st.Meta(dispatchKey)
	if err == nil && value != nil && (len(value) != 1 || value[0] != dispatchVersion) {
		err = fmt.Errorf("%w: %q in meta is %x", task.ErrInternal, dispatchKey, value)
	}
	return value != nil, err
}
