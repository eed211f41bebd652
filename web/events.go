package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

const (
	streamTick   = time.Second
	clusterEvery = 5 * time.Second
	streamBeat   = 15 * time.Second // a comment after so much silence, so that proxies do not end the stream
	maxChanges   = 200              // of tasks told a second
	readChanges  = 1000             // read from the journal at once
)

// The topics of a stream.
const (
	topicOverview   = "overview"
	topicTasks      = "tasks"
	topicCluster    = "cluster"
	topicOperations = "operations"
)

var topics = [...]string{topicOverview, topicTasks, topicCluster, topicOperations}

type eventsInput struct {
	Topics string `query:"topics" default:"overview,tasks,cluster,operations" doc:"Which events to send, with commas between them"`
	LastID string `header:"Last-Event-ID" maxLength:"128" doc:"Go on after this position, as an earlier event's id said"`
}

func (s *Server) registerEvents(a *api) {
	registerWith(a, op{http.MethodGet, pathEvents, "stream-events", "overview",
		"Server-sent events: overview once a second; cluster on change and every 5 s; task for each change of a task; operations"},
		func(o *huma.Operation) {
			o.Responses["200"] = &huma.Response{
				Description: "A stream of events. task events have ids, with which Last-Event-ID goes on after a break. reset " +
					"says that changes in between are not known any more; skipped says how many were left out to keep pace.",
				Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: "string"}}},
			}
		}, s.events)
}

// events answers with a stream that lasts until the client, the node or the token ends.
func (s *Server) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	wanted := strings.Split(in.Topics, ",")
	for _, topic := range wanted {
		if !slices.Contains(topics[:], topic) {
			return nil, fault("query.topics", "unknown topic %q; allowed are %s", clipped(topic), strings.Join(topics[:], ", "))
		}
	}
	select {
	case s.streams <- struct{}{}:
	default:
		return nil, busy("this node has all the %d event streams it allows", cap(s.streams))
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() { <-s.streams }()
		_, w := humago.Unwrap(hc)
		hc.SetHeader("Content-Type", "text/event-stream")
		hc.SetHeader("X-Accel-Buffering", "no") // a proxy that buffers would hold events back
		hc.SetStatus(http.StatusOK)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.waits, cancel)()
		st := &stream{s: s, w: w, control: http.NewResponseController(w), position: in.LastID, wants: wanted, access: accessIn(ctx)}
		st.run(ctx)
	}}, nil
}

// stream is one event stream; it belongs to one goroutine.
type stream struct {
	s        *Server
	w        http.ResponseWriter
	control  *http.ResponseController
	wants    []string
	position string // of the last task event, or where to go on
	buf      bytes.Buffer
	err      error // the client is gone
	access   member.Access

	told      int // task events in this second
	skipped   int
	cluster   time.Time // when the cluster was told last
	beat      time.Time
	operating []byte // operations as told last
}

func (st *stream) wantsTopic(topic string) bool { return slices.Contains(st.wants, topic) }

func (st *stream) run(ctx context.Context) {
	st.buf.WriteString("retry: 2000\n\n")
	st.flush()
	var more <-chan struct{}
	if st.wantsTopic(topicTasks) && st.s.src.Journal != nil {
		defer st.s.src.Journal.Listen()()
		more = st.begin()
	}
	tick := time.NewTicker(streamTick)
	defer tick.Stop()
	changed := st.everySecond(ctx)
	for st.err == nil {
		select {
		case <-ctx.Done():
			return
		case <-more:
			more = st.tasks()
		case <-changed:
			st.cluster = time.Time{}
			changed = st.everySecond(ctx)
		case <-tick.C:
			st.told = 0
			st.tellSkipped()
			changed = st.everySecond(ctx)
		}
		st.flush()
	}
}

// everySecond tells what is told once a second or less often, and returns a channel that is closed when the leader
// changes.
func (st *stream) everySecond(ctx context.Context) <-chan struct{} {
	_, changed := st.s.leaders.list()
	if a, err := st.s.access(ctx, tokenIn(ctx)); err == nil {
		st.access = a
	} else {
		st.fail(ctx, err)
		if st.err != nil {
			return changed
		}
	}
	if st.wantsTopic(topicOverview) {
		if o, err := st.s.overview.get(ctx); err == nil {
			st.put(topicOverview, "", o.Body)
		}
	}
	if st.wantsTopic(topicCluster) && time.Since(st.cluster) >= clusterEvery-streamTick/2 {
		if c, err := st.s.cluster(ctx); err == nil {
			st.put(topicCluster, "", c.Body)
			st.cluster = time.Now()
		}
	}
	if st.wantsTopic(topicOperations) {
		st.operations(ctx)
	}
	if time.Since(st.beat) > streamBeat {
		st.buf.WriteString(": still here\n\n")
		st.beat = time.Now()
	}
	return changed
}

// fail ends the stream of a token that is not good any more; other errors may pass.
func (st *stream) fail(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	p := problemOf(err)
	if p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden {
		st.put("end", "", p)
		st.flush()
		st.err = err
	}
}

// operations tells the operations when they have changed.
func (st *stream) operations(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var list []task.Operation
	err := st.s.call(ctx, func(c *client.Client) (err error) {
		list, err = c.Operations(ctx, client.Stale())
		return err
	})
	if err != nil {
		return // the next second asks again
	}
	body, err := json.Marshal(OperationList{operationsOf(list)})
	if err == nil && !bytes.Equal(body, st.operating) {
		st.operating = body
		st.put(topicOperations, "", json.RawMessage(body))
	}
}

// begin goes on after the position that the client named, or says that it cannot.
func (st *stream) begin() <-chan struct{} {
	if st.position == "" {
		_, next, _, more := st.s.src.Journal.Changes("", 0)
		st.position = next
		return more
	}
	return st.tasks()
}

// tasks tells the changes after the position, at most maxChanges a second.
func (st *stream) tasks() <-chan struct{} {
	for {
		list, next, known, more := st.s.src.Journal.Changes(st.position, readChanges)
		if !known {
			_, next, _, more = st.s.src.Journal.Changes("", 0)
			st.put("reset", next, struct{}{})
			st.position = next
			return more
		}
		for i := range list {
			if !st.access.Covers(list[i].Queue) {
				continue
			}
			if st.told++; st.told > maxChanges {
				st.skipped++
				continue
			}
			st.put("task", list[i].Position, changeOf(&list[i]))
		}
		st.position = next
		if len(list) < readChanges {
			return more
		}
	}
}

func (st *stream) tellSkipped() {
	if st.skipped > 0 {
		st.put("skipped", st.position, map[string]int{"count": st.skipped})
		st.skipped = 0
	}
}

// put adds one event. JSON has no line break, so data is one line.
func (st *stream) put(event, id string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		st.s.log.Error("an event cannot be said", "event", event, "error", err)
		return
	}
	if id != "" {
		st.buf.WriteString("id: " + id + "\n")
	}
	st.buf.WriteString("event: " + event + "\ndata: ")
	st.buf.Write(text)
	st.buf.WriteString("\n\n")
	st.beat = time.Now()
}

// flush sends what was put.
func (st *stream) flush() {
	if st.err != nil || st.buf.Len() == 0 {
		return
	}
	if _, st.err = st.w.Write(st.buf.Bytes()); st.err == nil {
		st.err = st.control.Flush()
	}
	st.buf.Reset()
}
