// Raft's log, the disk and the database of every node, as each tells of itself.
import { ago, bytes, count, micros, moment } from "./format";
import { clock } from "./live";
import type { ClusterNode, NodeState } from "./model";
import { Scroll } from "./parts";
import { Text } from "./text";

export function Storage({ nodes }: { nodes: ClusterNode[] }) {
  return (
    <Scroll label="Storage of the nodes">
      <table>
        <thead>
          <tr>
            <th>Node</th>
            <th>Disk</th>
            <th>Last snapshot</th>
            <th class="num" title="Its size, and its first and last index">Raft's log</th>
            <th class="num" title="In files, and what a full compaction would leave">Data</th>
            <th class="num hide-narrow" title="And the files of the database's own log">Memtables</th>
            <th class="num hide-narrow">Block cache</th>
            <th class="hide-narrow" title="Table files on level 0, 1 and so on">Files by level</th>
            <th class="num hide-narrow" title="And how many compactions and flushes run">To compact</th>
            <th>Writes</th>
          </tr>
        </thead>
        <tbody>
          {nodes.map((n) => (
            <tr key={n.id}>
              <td>
                <Text v={n.name || n.id} max={40} />
              </td>
              {n.node_state ? <Cells s={n.node_state} /> : <td class="faint" colSpan={9}>not known</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Cells({ s }: { s: NodeState }) {
  const d = s.database;
  return (
    <>
      <td class="nowrap">
        {bytes(s.disk.free_bytes)} free
        <br />
        {s.disk.refuses ? <b class="bad">submits are refused</b> : <span class="faint">of {bytes(s.disk.total_bytes)}</span>}
      </td>
      <td class="nowrap">
        {s.snapshot ? (
          <>
            index {count(s.snapshot.index)}
            <br />
            <span class="faint" title={moment(s.snapshot.at)}>
              {ago(s.snapshot.at, clock.value)}, {s.snapshot.received ? `${bytes(s.snapshot.bytes)} from the leader` : "its own"}
            </span>
          </>
        ) : (
          <span class="faint">none since it started</span>
        )}
      </td>
      <td class="num nowrap">
        {bytes(s.log_bytes)}
        <br />
        <span class="faint">
          {count(s.log_first)} – {count(s.log_last)}
        </span>
      </td>
      {d ? <DatabaseCells d={d} /> : <td class="faint" colSpan={6}>not known</td>}
    </>
  );
}

function DatabaseCells({ d }: { d: NonNullable<NodeState["database"]> }) {
  const last = d.files.findLastIndex((n) => n > 0);
  return (
    <>
      <td class="num nowrap">
        {bytes(d.table_bytes)}
        <br />
        <span class="faint">{bytes(d.live_data_bytes)}</span>
      </td>
      <td class="num nowrap hide-narrow">
        {bytes(d.memtable_bytes)}
        <br />
        <span class="faint">log {bytes(d.wal_bytes)}</span>
      </td>
      <td class="num nowrap hide-narrow">
        {bytes(d.block_cache_bytes)}
        <br />
        <span class="faint">of {bytes(d.block_cache_capacity_bytes)}</span>
      </td>
      <td class="nowrap hide-narrow">{last < 0 ? "none" : d.files.slice(0, last + 1).map(count).join(" · ")}</td>
      <td class="num nowrap hide-narrow">
        {bytes(d.pending_compaction_bytes)}
        <br />
        <span class="faint">{d.compactions + d.flushes > 0 ? `${count(d.compactions + d.flushes)} run` : "none runs"}</span>
      </td>
      <td class="nowrap">
        {d.write_stopped ? <b class="bad">stopped</b> : d.write_rate_bytes > 0 ? `slowed to ${bytes(d.write_rate_bytes)}/s` : "flow"}
        <br />
        <span class="faint">held up {micros(d.stalled_us)}</span>
      </td>
    </>
  );
}
