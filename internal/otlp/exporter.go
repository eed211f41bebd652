package otlp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haiku-queue/haiku/internal/trace"
)

const (
	maxQueue     = 4096                   // spans that wait
	maxBatch     = 512                    // spans of one request
	batchDelay   = time.Second            // from a batch's first span until it is sent, full or not
	sendTimeout  = 5 * time.Second        // of one request
	maxTries     = 3                      // to send one batch
	retryPause   = 500 * time.Millisecond // before the second try; twice that before the third
	closeTimeout = 2 * time.Second        // for what is queued when the node goes down
	reportEvery  = time.Minute            // at most one line in the log that spans were dropped
	tracesPath   = "/v1/traces"           // where an endpoint names no path
)

// Config says where spans go.
type Config struct {
	Endpoint string // http or https URL of the collector
	Service  string // which program sends them, and its version
	Version  string
	Instance string // which node, as an id and as a name
	Node     string
	Logger   *slog.Logger
	Counted  func(sent, dropped int) // told of spans that the collector took, or that were dropped; must not block
}

// Exporter sends spans.
type Exporter struct {
	cfg    Config
	url    string
	http   *http.Client
	queue  chan trace.Span
	ctx    context.Context // of requests
	cancel context.CancelFunc
	ending chan struct{} // closed by Close
	ended  chan struct{} // closed when the goroutine has returned
	once   sync.Once

	dropped  atomic.Uint64
	reported time.Time // when drops were last logged; the goroutine's own
	counted  uint64    // how many had been dropped then
}

// Open starts an exporter. It makes no connection yet.
func Open(cfg Config) (*Exporter, error) {
	target, err := url.Parse(cfg.Endpoint)
	if err != nil || target.Host == "" {
		return nil, fmt.Errorf("trace endpoint %q is no URL", cfg.Endpoint)
	}
	if target.Path == "" || target.Path == "/" {
		target.Path = tracesPath
	}
	e := &Exporter{
		cfg: cfg, url: target.String(), queue: make(chan trace.Span, maxQueue),
		http: &http.Client{
			Transport:     &http.Transport{MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       sendTimeout,
		},
		ending: make(chan struct{}), ended: make(chan struct{}), reported: time.Now().Add(-reportEvery),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	go e.run()
	return e, nil
}

// Add queues a span, or drops it if the queue is full.
func (e *Exporter) Add(s trace.Span) {
	select {
	case e.queue <- s:
	default:
		e.drop(1)
	}
}

func (e *Exporter) drop(count int) {
	e.dropped.Add(uint64(count))
	e.cfg.Counted(0, count)
}

// Close sends what is queued, if the collector takes it at once, and ends the exporter.
func (e *Exporter) Close() {
	e.once.Do(func() {
		close(e.ending)
		limit := time.AfterFunc(closeTimeout, e.cancel)
		<-e.ended
		limit.Stop()
		e.cancel()
		e.http.CloseIdleConnections()
	})
	<-e.ended
}

func (e *Exporter) run() {
	defer close(e.ended)
	for {
		batch, more := e.gather()
		if len(batch) > 0 && !e.send(batch) {
			e.drop(len(batch))
		}
		e.report()
		if !more {
			return
		}
	}
}

// gather waits for the next batch; more is false for the last one.
func (e *Exporter) gather() (batch []trace.Span, more bool) {
	var due <-chan time.Time
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for len(batch) < maxBatch {
		select {
		case s := <-e.queue:
			if batch = append(batch, s); due == nil {
				due = time.After(batchDelay)
			}
			continue
		case <-due:
		case <-tick.C:
		case <-e.ending:
			return e.rest(batch)
		}
		return batch, true
	}
	return batch, true
}

// rest takes what is queued when the exporter ends.
func (e *Exporter) rest(batch []trace.Span) ([]trace.Span, bool) {
	for len(batch) < maxBatch {
		select {
		case s := <-e.queue:
			batch = append(batch, s)
		default:
			return batch, false
		}
	}
	return batch, true
}

// send has the collector take a batch, and reports whether it did.
func (e *Exporter) send(batch []trace.Span) bool {
	body := encode(&e.cfg, batch)
	for try := range maxTries {
		again, err := e.post(body)
		if err == nil {
			e.cfg.Counted(len(batch), 0)
			return true
		}
		e.cfg.Logger.Debug("spans not taken", "endpoint", e.cfg.Endpoint, "count", len(batch), "error", err)
		if !again || try == maxTries-1 || !e.pause(retryPause<<try) {
			break
		}
	}
	return false
}

// pause waits, and reports false if the exporter ends meanwhile.
func (e *Exporter) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.ending:
		return false
	}
}

// post makes one request. again says that the same may go well later.
func (e *Exporter) post(body []byte) (again bool, err error) {
	request, err := http.NewRequestWithContext(e.ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("User-Agent", "haikud/"+e.cfg.Version)
	reply, err := e.http.Do(request)
	if err != nil {
		return true, err
	}
	defer reply.Body.Close()
	_, _ = io.CopyN(io.Discard, reply.Body, 64<<10) // so that the connection can be used again; the answer says nothing
	switch reply.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, fmt.Errorf("the collector answers %s", reply.Status)
	}
	return false, fmt.Errorf("the collector answers %s", reply.Status)
}

// report logs now and then how many spans were dropped.
func (e *Exporter) report() {
	dropped := e.dropped.Load()
	if dropped == e.counted || time.Since(e.reported) < reportEvery {
		return
	}
	e.cfg.Logger.Warn("spans were dropped: the collector takes none or too few", "endpoint", e.cfg.Endpoint,
		"count", dropped-e.counted, "in all", dropped)
	e.counted, e.reported = dropped, time.Now()
}
