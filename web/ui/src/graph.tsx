// The tasks that a task depends on, and those that they depend on, and the tasks that depend on it, as a graph from left to
// right.
import { useEffect, useState } from "preact/hooks";
import { get, part } from "./api";
import { filterWord } from "./filter";
import { count } from "./format";
import type { Task } from "./model";
import { statusWord } from "./parts";
import { href } from "./route";
import { plain } from "./text";

const maxNodes = 36;
const maxDepth = 4;
const maxChildren = 12;
const width = 178;
const height = 40;
const gapX = 56;
const gapY = 12;

interface Node {
  id: string;
  task: Task | null; // null: not there any more, or not loaded
  depth: number; // 0 for the task itself, 1 for what it depends on, -1 for what depends on it
  parents: string[];
}

interface Loaded {
  nodes: Map<string, Node>;
  left: number; // that are not drawn
}

async function load(task: Task): Promise<Loaded> {
  const nodes = new Map<string, Node>([[task.id, { id: task.id, task, depth: 0, parents: task.dependencies }]]);
  let left = 0;
  let layer = [task];
  for (let depth = 1; depth <= maxDepth && layer.length > 0; depth++) {
    const wanted = [...new Set(layer.flatMap((t) => t.dependencies))].filter((id) => !nodes.has(id));
    const drawn = wanted.slice(0, Math.max(0, maxNodes - nodes.size));
    left += wanted.length - drawn.length;
    const found = await Promise.all(drawn.map((id) => get<Task>(`v1/tasks/${part(id)}`).catch(() => null)));
    layer = [];
    drawn.forEach((id, i) => {
      const t = found[i] ?? null;
      nodes.set(id, { id, task: t, depth, parents: t?.dependencies ?? [] });
      if (t) layer.push(t);
    });
  }
  return { nodes, left };
}

const colour: Record<string, string> = {
  ready: "c-wait", scheduled: "c-wait", blocked: "c-wait", pending: "c-wait", in_progress: "c-run", completed: "c-ok", failed: "c-warn", dead_letter: "c-bad",
};

/** children are the first that depend on the task, more says that there are others. */
export function Graph({ task, children, more }: { task: Task; children: Task[]; more: boolean }) {
  const [g, setG] = useState<Loaded | null>(null);
  useEffect(() => {
    let mine = true;
    void load(task).then((l) => mine && setG(l));
    return () => {
      mine = false;
    };
  }, [task.id, task.updated_at, task.waiting_for]);
  if (!g) return <p class="loading">Loading the graph…</p>;
  const drawn = children.filter((t) => !g.nodes.has(t.id)).slice(0, maxChildren);
  const nodes = [...g.nodes.values(), ...drawn.map((t): Node => ({ id: t.id, task: t, depth: -1, parents: t.dependencies }))];
  const depth = Math.max(...nodes.map((n) => n.depth));
  const columns = Array.from({ length: depth + (drawn.length > 0 ? 2 : 1) }, (_, d) => nodes.filter((n) => n.depth === depth - d));
  const tallest = Math.max(...columns.map((c) => c.length));
  const place = new Map<string, [number, number]>();
  columns.forEach((column, x) => {
    const offset = ((tallest - column.length) * (height + gapY)) / 2;
    column.forEach((n, y) => place.set(n.id, [1 + x * (width + gapX), 1 + offset + y * (height + gapY)]));
  });
  const w = columns.length * (width + gapX) - gapX + 2;
  const h = tallest * (height + gapY) - gapY + 2;
  return (
    <div class="graph" tabIndex={0} role="region" aria-label="Dependencies">
      <svg width={w} height={h} viewBox={`0 0 ${w} ${h}`} aria-label={`${nodes.length} tasks`} role="group">
        <clipPath id="graph-text">
          <rect width={width - 6} height={height} />
        </clipPath>
        {nodes.flatMap((n) =>
          n.parents.map((id) => {
            const from = place.get(id);
            const to = place.get(n.id)!;
            if (!from) return null;
            const [x1, y1, x2, y2] = [from[0] + width, from[1] + height / 2, to[0], to[1] + height / 2];
            const bend = Math.abs(x2 - x1) / 2;
            return <path key={id + n.id} d={`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} />;
          }),
        )}
        {nodes.map((n) => {
          const [x, y] = place.get(n.id)!;
          const phase = n.task?.phase ?? "deleted";
          const name = n.task ? plain(n.task.task_type, 24) : "not kept";
          return (
            <a key={n.id} href={href(["task", n.id])} class={n.id === task.id ? "self" : undefined}>
              <rect x={x} y={y} width={width} height={height} rx="6" />
              <g class={colour[phase] ?? "c-off"}>
                <circle cx={x + 14} cy={y + height / 2} r="4.5" />
              </g>
              <g transform={`translate(${x} ${y})`} clip-path="url(#graph-text)">
                <text x={26} y={17}>
                  {name}
                </text>
                <text x={26} y={32} class="sub-text">
                  {statusWord(phase)} · {n.id.slice(-8)}
                </text>
              </g>
            </a>
          );
        })}
      </svg>
      {g.left > 0 && <p class="hint">It depends on {count(g.left)} more, which are not drawn.</p>}
      {children.length > drawn.length && (
        <p class="hint">
          And {more ? "at least " : ""}
          {count(children.length - drawn.length)} more depend on it: <a href={href(["tasks"], { filter: filterWord({ "depends-on": task.id }) })}>show all</a>
        </p>
      )}
    </div>
  );
}
