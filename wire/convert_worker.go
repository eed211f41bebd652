package wire

import (
	"fmt"
	"unicode/utf8"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// WorkersQuery is the content of a WorkersRequest.
type WorkersQuery struct {
	Drain string         // who is asked to end, if anyone
	After task.SessionID // list from the session after this one on
	Limit int            // 1 to task.MaxItems; 0 for as many
}

// WorkersQueryToPB says a query for workers on the wire.
func WorkersQueryToPB(q *WorkersQuery) *wirepb.WorkersRequest {
	return &wirepb.WorkersRequest{Drain: q.Drain, After: bytesOf(q.After), Limit: uint32(q.Limit)}
}

// WorkersQueryFromPB reads a WorkersRequest. The error wraps task.ErrInvalid and names the field.
func WorkersQueryFromPB(p *wirepb.WorkersRequest) (q WorkersQuery, err error) {
	q.Drain = p.GetDrain()
	if q.Drain != "" {
		if err := task.ValidateName("drain", q.Drain); err != nil {
			return q, err
		}
	}
	if q.After, err = optionalID16[task.SessionID]("after", p.GetAfter()); err != nil {
		return q, err
	}
	if p.GetLimit() > task.MaxItems {
		return q, fmt.Errorf("%w: limit %d is not within 0 and %d", task.ErrInvalid, p.GetLimit(), task.MaxItems)
	}
	q.Limit = int(p.GetLimit())
	return q, nil
}

// WorkersToPB says workers on the wire.
func WorkersToPB(list []member.Worker, more bool) *wirepb.WorkersReply {
	p := &wirepb.WorkersReply{More: more}
	for i := range list {
		w := &list[i]
		p.Workers = append(p.Workers, &wirepb.Worker{
			Session: bytesOf(w.Session), WorkerIds: w.IDs, ClientName: w.ClientName, Node: bytesOf(w.Node),
			Queues: w.Queues, Types: w.Types, Leases: w.Leases, ConnectedUs: micros(w.Connected),
			LastHeartbeatUs: micros(w.LastHeartbeat), Draining: w.Draining,
		})
	}
	return p
}

// WorkersFromPB reads workers. The error wraps task.ErrInvalid and names the field.
func WorkersFromPB(p *wirepb.WorkersReply) (list []member.Worker, more bool, err error) {
	list, err = each(p.GetWorkers(), workerFromPB)
	return list, p.GetMore(), err
}

func workerFromPB(p *wirepb.Worker) (member.Worker, error) {
	w := member.Worker{
		IDs: p.GetWorkerIds(), ClientName: p.GetClientName(), Queues: p.GetQueues(), Types: p.GetTypes(),
		Leases: p.GetLeases(), Draining: p.GetDraining(),
	}
	for _, names := range [][]string{w.IDs, w.Queues, w.Types, {w.ClientName}} {
		for _, name := range names {
			if !utf8.ValidString(name) {
				return w, fmt.Errorf("%w: a name of a worker is not UTF-8", task.ErrInvalid)
			}
		}
	}
	var f fields
	session, err := id16[task.SessionID]("session", p.GetSession())
	w.Session = take(&f, session, err)
	node, err := MemberIDFromPB("node", p.GetNode())
	w.Node = take(&f, node, err)
	at, err := moment("connected_us", p.GetConnectedUs())
	w.Connected = take(&f, at, err)
	at, err = moment("last_heartbeat_us", p.GetLastHeartbeatUs())
	w.LastHeartbeat = take(&f, at, err)
	return w, f.err
}
