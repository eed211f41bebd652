// The doctor: every node examines its state at one moment, and what is found stands here with what to do about it.
import { signal } from "@preact/signals";
import { get, post } from "./api";
import { ask, notify, saying } from "./dialog";
import { count } from "./format";
import type { Examination, Patient } from "./model";
import { Action, Card, Scroll } from "./parts";
import { Text } from "./text";

// It goes on while other pages are shown.
const last = signal<Examination | null>(null);
const running = signal(false);

async function examine(): Promise<void> {
  const { index } = await post<{ index: number | string }>("v1/cluster/doctor");
  last.value = null;
  running.value = true;
  void watch(index);
}

async function watch(index: number | string): Promise<void> {
  try {
    while (!last.value?.finished) {
      last.value = await get<Examination>(`v1/cluster/doctor?index=${index}`);
      if (!last.value.finished) await new Promise((r) => setTimeout(r, 500));
    }
  } catch (e) {
    last.value = null;
    notify(saying(e), { bad: true });
  } finally {
    running.value = false;
  }
}

const begin = () =>
  ask({
    title: "Examine all nodes",
    body: <p>Each node hashes its state, compares its indexes with the records, and counts anew, while everything goes on. It changes nothing, but reads the whole database twice.</p>,
    button: "Examine",
    run: examine,
  });

export function Doctor() {
  const e = last.value;
  return (
    <Card
      title="Doctor"
      flush={!!e}
      aside={
        <Action need="admin" kind="small" disabled={running.value} why="It runs" onClick={begin}>
          Examine all nodes
        </Action>
      }
    >
      {!e && <p class="hint" role="status">{running.value ? "The nodes begin…" : "Are the states of all nodes the same, and is each well in itself?"}</p>}
      {e && (
        <>
          <p class={e.finished && !e.healthy ? "more bad" : "more"} role="status">
            {!e.finished ? "The nodes examine their states" : e.healthy ? `All ${count(e.nodes.length)} nodes are well` : "Something is wrong"} at index {count(e.index)}.
          </p>
          <Scroll label="What the doctor found">
            <table>
              <thead>
                <tr>
                  <th>Node</th>
                  <th>Found, and what to do</th>
                  <th class="num hide-narrow">Records</th>
                  <th class="num hide-narrow">Index entries</th>
                  <th class="hide-narrow">State</th>
                </tr>
              </thead>
              <tbody>
                {e.nodes.map((p) => (
                  <tr key={p.id}>
                    <td>
                      <Text v={p.name || p.id} max={40} />
                    </td>
                    <td class="wide">
                      <Found p={p} />
                    </td>
                    <td class="num hide-narrow">{count(p.records)}</td>
                    <td class="num hide-narrow">{count(p.checked)}</td>
                    <td class="mono hide-narrow">{p.state_hash.slice(0, 12)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </>
      )}
    </Card>
  );
}

function Found({ p }: { p: Patient }) {
  if (p.findings.length === 0) {
    return p.finished ? <span class="badge s-completed">well</span> : <>{p.total > 0 ? `${count(p.done)} of about ${count(p.total)} keys` : "begins"}</>;
  }
  return (
    <>
      {p.findings.map((f) => (
        <p key={f.problem}>
          <b class="bad">
            <Text v={f.problem} />
          </b>
          <br />
          To do: <Text v={f.advice} />
        </p>
      ))}
      {p.problems.map((text) => (
        <p key={text} class="faint">
          <Text v={text} />
        </p>
      ))}
    </>
  );
}
