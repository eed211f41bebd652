package main

import "sync"

// bounded keeps what is written to it up to a limit and calls full once there was more.
type bounded struct {
	limit int
	full  func()

	mu      sync.Mutex
	kept    []byte
	dropped bool
}

func (b *bounded) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped {
		return len(p), nil
	}
	if len(b.kept)+len(p) > b.limit {
		b.dropped, b.kept = true, nil
		b.full()
		return len(p), nil
	}
	b.kept = append(b.kept, p...)
	return len(p), nil
}

func (b *bounded) over() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

func (b *bounded) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept
}

// tail keeps the last bytes written to it.
type tail struct {
	limit int

	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - t.limit; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
