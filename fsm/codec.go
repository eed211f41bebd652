package fsm

import (
	"errors"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// message is what the generated code of command.proto offers.
type message interface {
	proto.Message
	SizeVT() int
	MarshalToSizedBufferVT([]byte) (int, error)
	UnmarshalVT([]byte) error
}

var (
	errKind    = errors.New("unknown kind")
	errVersion = errors.New("unknown version")
	errField   = errors.New("unknown or malformed field")
)

// CommandVersion is the version in which this program writes a kind. Each change of a command raises its number here,
// keeps the reading of the old one in commandFromPB, and raises MaxCommandVersion; a new kind begins with that number.
func CommandVersion(k Kind) uint8 {
	switch k {
	case KindRequeue, KindSetRetention, KindReap, KindRetry, KindDelete, KindStartOperation, KindStepOperation, KindEndOperation:
		return 2
	case KindCreateToken, KindRevokeToken:
		return 3
	}
	return 1
}

func commandToPB(c Command) (message, error) {
	switch c := c.(type) {
	case *Submit:
		return submitToPB(c)
	case *Claim:
		return &commandpb.Claim{Session: c.Session[:], WorkerId: c.WorkerID, Queues: c.Queues, Types: c.Types, Max: uint32(c.Max), LeaseUs: c.Lease.Microseconds()}, nil
	case *Finish:
		return finishToPB(c)
	case *Cancel:
		return &commandpb.Cancel{Ids: joinIDs(c.IDs)}, nil
	case *Release:
		return releaseToPB(c), nil
	case *Promote:
		return &commandpb.Promote{Max: uint32(c.Max)}, nil
	case *Step:
		return &commandpb.Step{}, nil
	case *SetMember:
		m := &c.Member
		return &commandpb.SetMember{NodeId: m.ID[:], Name: m.Name, Address: m.Address, HttpAddress: m.HTTPAddress, MaxCommandVersion: m.MaxCommandVersion}, nil
	case *RemoveMember:
		return &commandpb.RemoveMember{NodeId: c.ID[:]}, nil
	case *Found:
		return &commandpb.Found{ClusterId: c.ClusterID[:]}, nil
	case *Mark:
		return &commandpb.Mark{}, nil
	case *SetDispatch:
		return &commandpb.SetDispatch{Paused: c.Paused}, nil
	case *SetQueue:
		return setQueueToPB(&c.Change), nil
	case *Requeue:
		m := &commandpb.Requeue{Max: uint32(c.Max)}
		if c.After != (task.ID{}) {
			m.After = c.After[:]
		}
		return m, nil
	case *SetRetention:
		return setRetentionToPB(c), nil
	case *Reap:
		return &commandpb.Reap{Max: uint32(c.Max), DedupWindowUs: c.DedupWindow.Microseconds()}, nil
	case *SetSchedule:
		return &commandpb.SetSchedule{Schedule: scheduleToPB(&c.Schedule)}, nil
	case *RemoveSchedule:
		return &commandpb.RemoveSchedule{Name: c.Name}, nil
	case *Fire:
		return fireToPB(c), nil
	case *Expire:
		return &commandpb.Expire{Max: uint32(c.Max)}, nil
	case *CreateToken:
		return createTokenToPB(c), nil
	case *RevokeToken:
		return &commandpb.RevokeToken{Id: c.ID, Force: c.Force}, nil
	}
	return bulkToPB(c)
}

func commandFromPB(kind Kind, version uint8, body []byte) (Command, error) {
	if version != CommandVersion(kind) {
		return nil, fmt.Errorf("%w %d", errVersion, version)
	}
	switch kind {
	case KindSubmit:
		return decode(body, &commandpb.Submit{}, func(m *commandpb.Submit) (Command, error) { return submitFromPB(m) })
	case KindClaim:
		return decode(body, &commandpb.Claim{}, claimFromPB)
	case KindFinish:
		return decode(body, &commandpb.Finish{}, finishFromPB)
	case KindCancel:
		return decode(body, &commandpb.Cancel{}, func(m *commandpb.Cancel) (Command, error) {
			ids, err := splitIDs(m.Ids)
			return &Cancel{IDs: ids}, err
		})
	case KindRelease:
		return decode(body, &commandpb.Release{}, releaseFromPB)
	case KindPromote:
		return decode(body, &commandpb.Promote{}, func(m *commandpb.Promote) (Command, error) { return &Promote{Max: int(m.Max)}, nil })
	case KindStep:
		return decode(body, &commandpb.Step{}, func(*commandpb.Step) (Command, error) { return &Step{}, nil })
	case KindSetMember:
		return decode(body, &commandpb.SetMember{}, setMemberFromPB)
	case KindRemoveMember:
		return decode(body, &commandpb.RemoveMember{}, func(m *commandpb.RemoveMember) (Command, error) {
			id, err := memberID(m.NodeId)
			return &RemoveMember{ID: id}, err
		})
	case KindFound:
		return decode(body, &commandpb.Found{}, func(m *commandpb.Found) (Command, error) {
			id, err := memberID(m.ClusterId)
			return &Found{ClusterID: id}, err
		})
	case KindMark:
		return decode(body, &commandpb.Mark{}, func(*commandpb.Mark) (Command, error) { return &Mark{}, nil })
	case KindSetRetention:
		return decode(body, &commandpb.SetRetention{}, setRetentionFromPB)
	case KindReap:
		return decode(body, &commandpb.Reap{}, func(m *commandpb.Reap) (Command, error) {
			return &Reap{Max: int(m.Max), DedupWindow: micros(m.DedupWindowUs)}, nil
		})
	case KindSetDispatch:
		return decode(body, &commandpb.SetDispatch{}, func(m *commandpb.SetDispatch) (Command, error) {
			return &SetDispatch{Paused: m.Paused}, nil
		})
	case KindSetQueue:
		return decode(body, &commandpb.SetQueue{}, setQueueFromPB)
	case KindRequeue:
		return decode(body, &commandpb.Requeue{}, requeueFromPB)
	case KindSetSchedule:
		return decode(body, &commandpb.SetSchedule{}, setScheduleFromPB)
	case KindRemoveSchedule:
		return decode(body, &commandpb.RemoveSchedule{}, func(m *commandpb.RemoveSchedule) (Command, error) {
			return &RemoveSchedule{Name: m.Name}, nil
		})
	case KindFire:
		return decode(body, &commandpb.Fire{}, fireFromPB)
	case KindExpire:
		return decode(body, &commandpb.Expire{}, func(m *commandpb.Expire) (Command, error) { return &Expire{Max: int(m.Max)}, nil })
	case KindCreateToken:
		return decode(body, &commandpb.CreateToken{}, createTokenFromPB)
	case KindRevokeToken:
		return decode(body, &commandpb.RevokeToken{}, func(m *commandpb.RevokeToken) (Command, error) {
			return &RevokeToken{ID: m.Id, Force: m.Force}, nil
		})
	}
	return bulkFromPB(kind, body)
}

// decode reads a body into m, refuses fields that m does not know, and converts it.
func decode[M message](body []byte, m M, convert func(M) (Command, error)) (Command, error) {
	if err := m.UnmarshalVT(body); err != nil {
		return nil, err
	}
	if err := refuseUnknown(m); err != nil {
		return nil, err
	}
	return convert(m)
}

func refuseUnknown(m proto.Message) error {
	if len(m.ProtoReflect().GetUnknown()) > 0 {
		return fmt.Errorf("%w in %s", errField, m.ProtoReflect().Descriptor().Name())
	}
	return nil
}

func claimFromPB(m *commandpb.Claim) (Command, error) {
	session, err := sessionID(m.Session)
	return &Claim{Session: session, WorkerID: m.WorkerId, Queues: m.Queues, Types: m.Types, Max: int(m.Max), Lease: micros(m.LeaseUs)}, err
}

func requeueFromPB(m *commandpb.Requeue) (Command, error) {
	c := &Requeue{Max: int(m.Max)}
	if len(m.After) == 0 {
		return c, nil
	}
	var err error
	c.After, err = task.IDFromBytes(m.After)
	return c, err
}

func setMemberFromPB(m *commandpb.SetMember) (Command, error) {
	id, err := memberID(m.NodeId)
	return &SetMember{Member: member.Member{ID: id, Name: m.Name, Address: m.Address, HTTPAddress: m.HttpAddress, MaxCommandVersion: m.MaxCommandVersion}}, err
}

func setRetentionToPB(c *SetRetention) message {
	r := &c.Retention
	return &commandpb.SetRetention{
		Type: r.Type, CompletedUs: r.Completed.Microseconds(), DeadLetterUs: r.DeadLetter.Microseconds(), CancelledUs: r.Cancelled.Microseconds(),
	}
}

func setRetentionFromPB(m *commandpb.SetRetention) (Command, error) {
	return &SetRetention{task.Retention{
		Type: m.Type, Completed: micros(m.CompletedUs), DeadLetter: micros(m.DeadLetterUs), Cancelled: micros(m.CancelledUs),
	}}, nil
}

func memberID(b []byte) (id member.ID, err error) {
	if len(b) != len(id) {
		return id, fmt.Errorf("%w: id of %d bytes", errField, len(b))
	}
	return member.ID(b), nil
}

func sessionID(b []byte) (id task.SessionID, err error) {
	if len(b) != len(id) {
		return id, fmt.Errorf("%w: session of %d bytes", errField, len(b))
	}
	return task.SessionID(b), nil
}

func joinIDs(ids []task.ID) []byte {
	b := make([]byte, 0, len(ids)*16)
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	return b
}

func splitIDs(b []byte) ([]task.ID, error) {
	if len(b)%16 != 0 {
		return nil, fmt.Errorf("%w: ids of %d bytes", errField, len(b))
	}
	if len(b) == 0 {
		return nil, nil
	}
	ids := make([]task.ID, 0, len(b)/16)
	for ; len(b) > 0; b = b[16:] {
		ids = append(ids, task.ID(b[:16]))
	}
	return ids, nil
}

// micros reads microseconds. What no duration holds, and nobody writes, becomes the longest one, not any.
func micros(us int64) time.Duration {
	const limit = math.MaxInt64 / int64(time.Microsecond)
	return time.Duration(max(-limit, min(us, limit))) * time.Microsecond
}
