package fsm

import (
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// In meta a member stands under "member/" | node id 16, as version uint8 = 1 | body of its SetMember; the cluster's id
// under "cluster_id", as version uint8 = 1 | id 16.
const (
	memberPrefix  = "member/"
	clusterKey    = "cluster_id"
	memberVersion = 1
)

func (m *machine) setMember(c *SetMember) (Result, error) {
	body, err := commandToPB(c)
	if err != nil {
		return Result{}, err
	}
	value := make([]byte, 1+body.SizeVT())
	value[0] = memberVersion
	if _, err := body.MarshalToSizedBufferVT(value[1:]); err != nil {
		return Result{}, err
	}
	m.batch.PutMeta(memberPrefix+string(c.Member.ID[:]), value)
	return Result{}, nil
}

func (m *machine) removeMember(c *RemoveMember) (Result, error) {
	m.batch.DeleteMeta(memberPrefix + string(c.ID[:]))
	return Result{}, nil
}

func (m *machine) found(c *Found) (Result, error) {
	value, err := m.batch.Meta(clusterKey)
	if err != nil {
		return Result{}, err
	}
	if value != nil {
		return Result{Err: fmt.Errorf("%w: the cluster has an id", task.ErrConflict)}, nil
	}
	m.batch.PutMeta(clusterKey, append([]byte{memberVersion}, c.ClusterID[:]...))
	return Result{}, nil
}

// Refound makes a state that came from another cluster the beginning of a new one: it gets the new cluster's id, the nodes
// of the old one are forgotten, and dispatch is paused if that is wanted. It is no command: the state has no log yet.
func Refound(st *store.Store, cluster member.ID, pauseDispatch bool) error {
	batch := st.Begin()
	defer batch.Discard()
	old, err := batch.ScanMeta(memberPrefix, 0)
	if err != nil {
		return err
	}
	for _, kv := range old {
		batch.DeleteMeta(kv.Key)
	}
	batch.PutMeta(clusterKey, append([]byte{memberVersion}, cluster[:]...))
	if pauseDispatch {
		batch.PutMeta(dispatchKey, []byte{dispatchVersion})
	}
	next := st.Applied()
	next.Index++
	if _, err := batch.Commit(next, batch.LogHash()); err != nil {
		return err
	}
	return st.Sync()
}

// Members lists what the nodes told of themselves, in the order of their ids.
func Members(st *store.Store) ([]member.Member, error) {
	kvs, err := st.ScanMeta(memberPrefix)
	if err != nil {
		return nil, err
	}
	members := make([]member.Member, 0, len(kvs))
	for _, kv := range kvs {
		if len(kv.Value) == 0 || kv.Value[0] != memberVersion {
			return nil, fmt.Errorf("member record %x is damaged", kv.Key)
		}
		c, err := decode(kv.Value[1:], &commandpb.SetMember{}, setMemberFromPB)
		if err != nil {
			return nil, fmt.Errorf("member record %x: %w", kv.Key, err)
		}
		members = append(members, c.(*SetMember).Member)
	}
	return members, nil
}

// ClusterID returns the cluster's id as the state holds it; zero before Found was applied.
func ClusterID(st *store.Store) (member.ID, error) { return clusterID(st) }

func clusterID(from metaReader) (member.ID, error) {
	value, err := from.Meta(clusterKey)
	if err != nil || value == nil {
		return member.ID{}, err
	}
	if len(value) != 17 || value[0] != memberVersion {
		return member.ID{}, fmt.Errorf("the cluster id in meta is damaged")
	}
	return member.ID(value[1:]), nil
}
