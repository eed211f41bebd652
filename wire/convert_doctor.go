package wire

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// ExaminationToPB says what a node found of its own state on the wire. The error wraps task.ErrInvalid.
func ExaminationToPB(e *member.Examination) (*wirepb.DoctorReply, error) {
	mark, err := MarkToPB(&member.Mark{Index: e.Index, StateHash: e.StateHash})
	if err != nil {
		return nil, err
	}
	p := &wirepb.DoctorReply{
		Index: mark.Index, StateHash: mark.StateHash, Finished: e.Finished, Done: e.Done, Total: e.Total, Error: e.Error,
	}
	if f := &e.Found; e.Finished {
		p.Found = &wirepb.Verification{
			Records: f.Records, Checked: f.Checked, Added: f.Added, Rewritten: f.Rewritten, Removed: f.Removed,
			Corrected: f.Corrected, Damaged: f.Damaged, Problems: f.Problems, ElapsedUs: f.Elapsed.Microseconds(),
		}
	}
	return p, nil
}

// ExaminationFromPB reads what a node found of its own state. The error wraps task.ErrInvalid and names the field.
func ExaminationFromPB(p *wirepb.DoctorReply) (member.Examination, error) {
	if n := len(p.GetStateHash()); n != 0 && n != 32 {
		return member.Examination{}, fmt.Errorf("%w: state_hash has 32 bytes or none, got %d", task.ErrInvalid, n)
	}
	f := p.GetFound()
	return member.Examination{
		Index: p.GetIndex(), StateHash: hex.EncodeToString(p.GetStateHash()), Finished: p.GetFinished(),
		Done: p.GetDone(), Total: p.GetTotal(), Error: p.GetError(),
		Found: task.Verification{
			DryRun: true, Records: f.GetRecords(), Checked: f.GetChecked(), Added: f.GetAdded(), Rewritten: f.GetRewritten(),
			Removed: f.GetRemoved(), Corrected: f.GetCorrected(), Damaged: f.GetDamaged(), Problems: f.GetProblems(),
			Elapsed: time.Duration(f.GetElapsedUs()) * time.Microsecond,
		},
	}, nil
}
