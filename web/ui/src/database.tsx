// The disk and the database of the node that served the page, from what it tells Prometheus.
import { useEffect, useState } from "preact/hooks";
import { url } from "./api";
import { bytes, count, seconds } from "./format";
import { slowBeat } from "./live";
import { Card, Facts, Scroll } from "./parts";
import { Text } from "./text";

interface Sample {
  name: string;
  label: string; // value of its first label
  value: number;
}

const line = /^(haiku_(?:rocksdb|disk|snapshot)[a-z_]*)(?:\{[a-z_]+="([^"]*)"[^}]*\})? (\S+)$/gm;

function parse(text: string): Sample[] {
  return [...text.matchAll(line)].map((m) => ({ name: m[1]!, label: m[2] ?? "", value: Number(m[3]) }));
}

export function Database({ node }: { node: string }) {
  const [samples, setSamples] = useState<Sample[]>([]);
  const beat = slowBeat.value;
  useEffect(() => {
    let mine = true;
    fetch(url("metrics"), { credentials: "same-origin", cache: "no-store" })
      .then((r) => (r.ok ? r.text() : ""))
      .then((text) => mine && text && setSamples(parse(text)))
      .catch(() => {}); // what was shown stays; the banner says that the node cannot be reached
    return () => {
      mine = false;
    };
  }, [beat]);
  if (samples.length === 0) return null;
  const sum = (name: string, label?: string) =>
    samples.filter((s) => s.name === `haiku_${name}` && (label === undefined || s.label === label)).reduce((n, s) => n + s.value, 0);
  const families = [...new Set(samples.filter((s) => s.name === "haiku_rocksdb_live_data_bytes").map((s) => s.label))];
  const levels = samples.filter((s) => s.name === "haiku_rocksdb_files" && s.value > 0);
  const snapshots = samples.filter((s) => s.name === "haiku_snapshot_duration_seconds_count" && s.value > 0);
  const stopped = sum("rocksdb_write_stopped") > 0;
  return (
    <Card title={<>Database and disk of <Text v={node} max={40} /></>}>
      <Facts
        rows={[
          ["Writes", stopped ? <b class="bad">stopped</b> : sum("rocksdb_write_limit_bytes_per_second") > 0 ? `slowed to ${bytes(sum("rocksdb_write_limit_bytes_per_second"))}/s` : "flow"],
          ["Held up so far", seconds(sum("rocksdb_stall_seconds_total"))],
          ["Free on disk", `${bytes(sum("disk_free_bytes"))}, ${bytes(sum("disk_limit_bytes"))} are needed`],
          ["Block cache", `${bytes(sum("rocksdb_block_cache_bytes"))} of ${bytes(sum("rocksdb_block_cache_capacity_bytes"))}`],
          ["Its own log", bytes(sum("rocksdb_wal_bytes"))],
          ["Compactions, flushes", `${count(sum("rocksdb_compactions_running"))}, ${count(sum("rocksdb_flushes_running"))} run`],
          ["Table files", levels.length ? levels.map((l) => `L${l.label}: ${count(l.value)}`).join(", ") : "none"],
          ["Snapshots", snapshots.length ? snapshots.map((s) => `${count(s.value)} ${s.label}`).join(", ") : "none since it started"],
        ]}
      />
      <Scroll label="Column families">
        <table class="below">
          <thead>
            <tr>
              <th>Column family</th>
              <th class="num">Live data</th>
              <th class="num">Table files</th>
              <th class="num hide-narrow">Memtables</th>
              <th class="num hide-narrow">To compact</th>
            </tr>
          </thead>
          <tbody>
            {families.map((f) => (
              <tr key={f}>
                <td class="mono">{f}</td>
                <td class="num">{bytes(sum("rocksdb_live_data_bytes", f))}</td>
                <td class="num">{bytes(sum("rocksdb_table_bytes", f))}</td>
                <td class="num hide-narrow">{bytes(sum("rocksdb_memtable_bytes", f))}</td>
                <td class="num hide-narrow">{bytes(sum("rocksdb_pending_compaction_bytes", f))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Card>
  );
}
