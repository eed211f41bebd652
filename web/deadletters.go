package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

const (
	maxGrouped  = 50_000 // dead letters that are looked at to group them
	groupTime   = 5 * time.Second
	maxGroups   = 500
	groupedText = 200 // bytes of an error that tell groups apart
)

// DeadGroup is dead letters that ended alike.
type DeadGroup struct {
	Reason   string    `json:"reason"`
	Error    string    `json:"error" doc:"The beginning of the error, with numbers as #"`
	Queue    string    `json:"queue"`
	Type     string    `json:"type"`
	Count    int       `json:"count"`
	SampleID task.ID   `json:"sample_id" format:"uuid" doc:"The one that changed last"`
	Sample   string    `json:"sample_error" doc:"The beginning of its error as it is: with it as error: a filter selects such tasks"`
	LastAt   time.Time `json:"last_at"`
}

// DeadGroups are the groups, the largest first.
type DeadGroups struct {
	Groups   []DeadGroup `json:"groups"`
	Examined int         `json:"examined" doc:"Dead letters that were looked at"`
	Complete bool        `json:"complete" doc:"These are all; else those with the oldest ids"`
}

type groupsInput struct {
	Reads
	Queue string `query:"queue" doc:"Only of this queue"`
	Type  string `query:"type" doc:"Only of this type"`
}

func (s *Server) registerDeadLetters(a *api) {
	register(a, op{http.MethodGet, "/v1/dead-letters/groups", "group-dead-letters", "operations",
		"Dead letters by queue, type, reason and error"}, s.deadGroups)
}

func (s *Server) deadGroups(ctx context.Context, in *groupsInput) (*reply[DeadGroups], error) {
	return read(ctx, s, in.Reads, func(ctx context.Context, c *client.Client, stale bool) (DeadGroups, uint64, error) {
		f := task.Filter{Queue: in.Queue, Type: in.Type, Status: task.DeadLetter, Limit: task.MaxItems, Stale: stale}
		out, groups, begun := DeadGroups{Groups: []DeadGroup{}}, make(map[DeadGroup]*DeadGroup), time.Now()
		var index uint64
		for {
			page, err := c.List(ctx, f)
			if err != nil {
				return out, 0, err
			}
			for _, t := range page.Tasks {
				group(groups, t)
			}
			out.Examined, index = out.Examined+len(page.Tasks), page.AppliedIndex
			if f.Cursor = page.Next; f.Cursor == nil {
				out.Complete = true
				break
			}
			if out.Examined >= maxGrouped || time.Since(begun) > groupTime || !stale && time.Since(begun) > readTimeout/2 {
				break
			}
		}
		for _, g := range groups {
			out.Groups = append(out.Groups, *g)
		}
		slices.SortFunc(out.Groups, func(a, b DeadGroup) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), b.LastAt.Compare(a.LastAt), cmp.Compare(a.Queue, b.Queue),
				cmp.Compare(a.Type, b.Type), cmp.Compare(a.Error, b.Error))
		})
		out.Groups = out.Groups[:min(len(out.Groups), maxGroups)]
		return out, index, nil
	})
}

// group counts one task.
func group(groups map[DeadGroup]*DeadGroup, t *task.Task) {
	key := DeadGroup{Reason: string(t.Reason), Error: pattern(t.Error), Queue: t.Queue, Type: t.Type}
	g := groups[key]
	if g == nil {
		g = &DeadGroup{Reason: key.Reason, Error: key.Error, Queue: key.Queue, Type: key.Type}
		groups[key] = g
	}
	g.Count++
	if !t.UpdatedAt.Before(g.LastAt) {
		g.LastAt, g.SampleID, g.Sample = t.UpdatedAt, t.ID, task.ClipText(t.Error, groupedText)
	}
}

// pattern is what the errors of one kind have in common: their beginning, with every run of digits as one sign.
func pattern(text string) string {
	text = task.ClipText(text, groupedText)
	out, digits := make([]rune, 0, len(text)), false
	for _, r := range text {
		digit := r >= '0' && r <= '9'
		switch {
		case digit && !digits:
			out = append(out, '#')
		case !digit:
			out = append(out, r)
		}
		digits = digit
	}
	return string(out)
}
