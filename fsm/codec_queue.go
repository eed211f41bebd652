package fsm

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/task"
)

func setQueueToPB(c *task.QueueChange) *commandpb.SetQueue {
	m := &commandpb.SetQueue{
		Queue: c.Queue, Type: c.Type, Paused: c.Paused, Reason: c.Reason, Concurrency: c.Concurrency, Depth: c.Depth, Bytes: c.Bytes,
	}
	if c.Rate != nil {
		m.Rate = &commandpb.Rate{Count: c.Rate.Count, PerUs: c.Rate.Per.Microseconds(), Burst: c.Rate.Burst}
	}
	if c.Aging != nil {
		us := c.Aging.Microseconds()
		m.AgingUs = &us
	}
	return m
}

func setQueueFromPB(m *commandpb.SetQueue) (Command, error) {
	c := task.QueueChange{
		Queue: m.Queue, Type: m.Type, Paused: m.Paused, Reason: m.Reason, Concurrency: m.Concurrency, Depth: m.Depth, Bytes: m.Bytes,
	}
	if m.Rate != nil {
		if err := refuseUnknown(m.Rate); err != nil {
			return nil, err
		}
		c.Rate = &task.Rate{Count: m.Rate.Count, Per: micros(m.Rate.PerUs), Burst: m.Rate.Burst}
	}
	if m.AgingUs != nil {
		aging := micros(*m.AgingUs)
		c.Aging = &aging
	}
	return &SetQueue{Change: c}, nil
}

// encodeSettings says settings as the change that makes them of none:
//
//	version uint8 = 1 | commandpb.SetQueue
func encodeSettings(s *task.QueueSettings) ([]byte, error) {
	c := task.QueueChange{Queue: s.Queue, Type: s.Type, Reason: s.Reason}
	present(&c.Paused, &s.Paused)
	present(&c.Concurrency, &s.Concurrency)
	present(&c.Rate, &s.Rate)
	present(&c.Depth, &s.Depth)
	present(&c.Bytes, &s.Bytes)
	present(&c.Aging, &s.Aging)
	m := setQueueToPB(&c)
	value := make([]byte, 1+m.SizeVT())
	value[0] = settingsVersion
	_, err := m.MarshalToSizedBufferVT(value[1:])
	return value, err
}

const settingsVersion = 1

// present sets to only if there is a value.
func present[T comparable](to **T, value *T) {
	var zero T
	if *value != zero {
		*to = value
	}
}

func decodeSettings(key string, value []byte) (s task.QueueSettings, err error) {
	if len(value) == 0 || value[0] != settingsVersion {
		return s, fmt.Errorf("settings %q are damaged", key)
	}
	c, err := decode(value[1:], &commandpb.SetQueue{}, setQueueFromPB)
	if err != nil {
		return s, fmt.Errorf("settings %q: %w", key, err)
	}
	change := &c.(*SetQueue).Change
	s.Queue, s.Type = change.Queue, change.Type
	change.Apply(&s)
	if queueKey(settingsPrefix, nameOf(&s)) != key {
		return s, fmt.Errorf("settings %q are of queue %q, type %q", key, s.Queue, s.Type)
	}
	return s, nil
}
