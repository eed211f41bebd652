import { useSignalEffect } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { may, restricted, session } from "../api";
import { Chart, type Series, Spark } from "../chart";
import { attempt } from "../dialog";
import { count, micros, seconds, short } from "../format";
import * as history from "../history";
import { changes, overview, slowBeat, stream } from "../live";
import { useLoad } from "../load";
import type { Overview } from "../model";
import { Action, Age, Badge, Card, Empty, Page, Scroll, Select, Waiting } from "../parts";
import { href } from "../route";
import { Text } from "../text";
import { QueueTable } from "./queues";
import { submitTask } from "./submit";

export function OverviewPage() {
  const first = useLoad<Overview>("v1/overview", "slow");
  useSignalEffect(() => {
    slowBeat.value;
    const wanted = history.range.value;
    if (session.value && !restricted() && stream.value !== "paused") void history.load(wanted).catch(() => {});
  });
  const o = overview.value ?? first.data.value;
  if (!o) return <Waiting error={first.error.value} what="the overview" />;
  return (
    <Page
      title="Overview"
      actions={
        <>
          {!restricted() && (
            <Select
              label="Range of the charts"
              value={history.range.value}
              options={[["1h", "1 hour"], ["24h", "24 hours"]] as const}
              onChange={(v) => {
                history.range.value = v;
                void attempt(() => history.load(v, true));
              }}
            />
          )}
          <Action need="worker" kind="primary" onClick={submitTask}>
            Submit a task
          </Action>
        </>
      }
    >
      <Tiles o={o} />
      {restricted() ? (
        <Card>
          <Empty title="No rates, latencies and charts">They are of all queues, and your token is for those that begin with <Text v={session.value!.queues.join(", ")} max={200} />.</Empty>
        </Card>
      ) : (
        <Charts />
      )}
      <div class="grid two">
        <Card title="Queues" aside={<a href="#/queues">All queues</a>} flush>
          {o.queues.length === 0 ? (
            <Empty title="No tasks yet">
              Submit the first one here, or with <code>haiku task submit</code>.
            </Empty>
          ) : (
            <QueueTable queues={o.queues.filter((q) => !q.task_type).slice(0, 8)} brief />
          )}
        </Card>
        <Card title="Happening now" flush>
          <Feed />
        </Card>
      </div>
    </Page>
  );
}

function Tiles({ o }: { o: Overview }) {
  const h = history.shown.value.series;
  const recent = (name: string) => (h[name] ?? []).slice(-120);
  const c = o.counts;
  return (
    <section class="tiles" aria-label="At a glance">
      {restricted() ? (
        <Tile name="Dead letters" value={short(c.dead_letter)} sub={`${count(c.completed)} completed`} />
      ) : (
        <>
          <Tile name="Completed" value={short(o.rates.completed)} unit="/s" sub={`${short(o.rates.submitted)}/s submitted`}>
            <Spark values={recent("completed")} color="c-ok" label="Completed, the last minutes" />
          </Tile>
          <Tile name="Failures" value={short(o.rates.failed)} unit="/s" sub={`${count(c.dead_letter)} dead letters`} bad={(o.rates.failed ?? 0) > 0}>
            <Spark values={recent("failed")} color="c-bad" label="Failures, the last minutes" />
          </Tile>
        </>
      )}
      <Tile name="Waiting" value={short(c.pending)} sub={`${count(c.ready)} ready, ${count(c.scheduled)} later`}>
        <Spark values={recent("depth")} color="c-wait" label="Waiting tasks, the last minutes" />
      </Tile>
      <Tile name="Running" value={short(c.in_progress)} sub={`${count(c.failed)} wait for a retry`}>
        <Spark values={recent("in_progress")} color="c-run" label="Running tasks, the last minutes" />
      </Tile>
      <Tile name="Oldest ready" value={seconds(o.oldest_ready_age_s)} sub="waits for a worker">
        <Spark values={recent("oldest_ready_age_s")} color="c-wait" label="Age of the oldest ready task, the last minutes" />
      </Tile>
      {!restricted() && (
        <Tile name="Submit, p99" value={micros(o.latency.submit_p99_us)} sub={`p50 ${micros(o.latency.submit_p50_us)}`}>
          <Spark values={recent("submit_p99_us")} color="c-lat" label="Latency of submits, the last minutes" />
        </Tile>
      )}
    </section>
  );
}

function Tile({ name, value, unit, sub, bad, children }: {
  name: string;
  value: string;
  unit?: string;
  sub: string;
  bad?: boolean;
  children?: preact.ComponentChildren;
}) {
  return (
    <div class={bad ? "tile bad" : "tile"}>
      <span class="tile-name">{name}</span>
      <span class="tile-value">
        {value}
        {unit && <small>{unit}</small>}
      </span>
      <span class="tile-sub">{sub}</span>
      {children}
    </div>
  );
}

const rate = (v: number) => `${short(v)}/s`;
const age = (v: number) => seconds(v);
const latency = (v: number) => micros(v);

function Charts() {
  const { times, series: h } = history.shown.value;
  const charts = useMemo(() => {
    const of = (name: string, key: string, color: string, more: Partial<Series> = {}): Series => ({
      name, color, values: h[key] ?? times.map(() => null), ...more,
    });
    return [
      { title: "Throughput", format: rate, series: [of("completed", "completed", "--c-ok", { fill: true }), of("submitted", "submitted", "--c-run", { dash: true })] },
      { title: "Failures", format: rate, series: [of("failed", "failed", "--c-warn", { fill: true }), of("dead", "dead", "--c-bad")] },
      { title: "Depth", format: short, series: [of("waiting", "depth", "--c-wait", { fill: true }), of("running", "in_progress", "--c-run")] },
      { title: "Latency, p99", format: latency, unit: 1000, series: [of("submit", "submit_p99_us", "--c-lat"), of("wait", "wait_p99_us", "--c-wait", { dash: true })] },
      { title: "Age of the oldest ready task", format: age, series: [of("age", "oldest_ready_age_s", "--c-warn", { fill: true })] },
    ];
  }, [times, h]);
  if (times.length === 0) {
    return (
      <Card>
        <Empty title="No samples yet">This node draws its charts from what it saw since it started.</Empty>
      </Card>
    );
  }
  return (
    <section class="charts" aria-label="Charts">
      {charts.map((c) => (
        <Chart key={c.title} title={c.title} times={times} series={c.series} format={c.format} unit={c.unit} />
      ))}
    </section>
  );
}

function Feed() {
  const list = changes.value.slice(0, 12);
  if (list.length === 0) {
    return (
      <Empty title="Nothing has changed since you came">
        {may("worker") ? "Changes of tasks appear here as they happen." : "Changes of the tasks that you may see appear here."}
      </Empty>
    );
  }
  return (
    <Scroll label="The last changes">
      <table>
        <thead>
          <tr>
            <th>Task</th>
            <th>Type</th>
            <th class="hide-narrow">Queue</th>
            <th>Now</th>
            <th class="num">When</th>
          </tr>
        </thead>
        <tbody>
          {list.map((c) => (
            <tr key={c.id + c.at + c.status}>
              <td>
                <a class="mono" href={href(["task", c.id])}>
                  {c.id.slice(-12)}
                </a>
              </td>
              <td>
                <Text v={c.type} max={40} />
              </td>
              <td class="hide-narrow">
                <Text v={c.queue} max={40} />
              </td>
              <td>
                <Badge status={c.status} />
              </td>
              <td class="num">
                <Age at={c.at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
