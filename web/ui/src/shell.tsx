import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { locked, login, logout, session, unreachable } from "./api";
import { attempt, saying, show } from "./dialog";
import { allKeys, ofPage } from "./keys";
import { cluster, overview, paused, stream } from "./live";
import { count, type Whole } from "./format";
import { staleness } from "./load";
import { route } from "./route";
import { setTheme, theme, themes } from "./theme";
import { Text, visible } from "./text";

export const pages: [string, string, string, string][] = [
  // page, label, key, path of its 20 × 20 icon
  ["overview", "Overview", "g o", "M3 11h4l2-6 3 10 2-4h3"],
  ["queues", "Queues", "g q", "M3 5h14M3 10h14M3 15h9"],
  ["tasks", "Tasks", "g t", "M4 5l2 2 3-3M4 13l2 2 3-3M12 6h5M12 14h5"],
  ["dead", "Dead letters", "g d", "M3 5h14v10H3zM3 5l7 6 7-6"],
  ["schedules", "Schedules", "g s", "M10 3a7 7 0 1 0 .01 0M10 6v4l3 2"],
  ["workers", "Workers", "g w", "M7 9a3 3 0 1 0-.01 0M2 16c0-3 2-5 5-5s5 2 5 5M14 9a2 2 0 1 0-.01 0M14 12c2 0 4 1.500 4 4"],
  ["operations", "Operations", "g p", "M4 6h12M4 6l3-3M4 6l3 3M16 14H4M16 14l-3-3M16 14l-3 3"],
  ["cluster", "Cluster", "g c", "M10 5a2 2 0 1 0-.01 0M4 17a2 2 0 1 0-.01 0M16 17a2 2 0 1 0-.01 0M9 6l-4 7M11 6l4 7M6 15h8"],
  ["settings", "Settings", "g ,", "M3 6h7M14 6h3M12 4v4M3 14h3M10 14h7M8 12v4"],
];

const ownPage: Record<string, string> = { queue: "queues", task: "tasks" };

export function Shell({ children }: { children: ComponentChildren }) {
  const page = route.value.page;
  const here = ownPage[page] ?? page;
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [route.value]);
  return (
    <div class={open ? "shell menu-open" : "shell"}>
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById("main")?.focus(); }}>
        Skip to content
      </a>
      <nav aria-label="Pages">
        <a class="brand" href="#/overview">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="7" />
            <path d="M8.500 9.500h7M8.500 16h15M8.500 22.500h7" />
          </svg>
          Haiku
        </a>
        <ul>
          {pages.map(([id, label, key, icon]) => (
            <li key={id}>
              <a href={`#/${id}`} aria-current={id === here ? "page" : undefined} title={`${label} (${key})`}>
                <svg viewBox="0 0 20 20" aria-hidden="true">
                  <path d={icon} />
                </svg>
                <span>{label}</span>
                {id === "dead" && <Pill n={overview.value?.counts.dead_letter} />}
              </a>
            </li>
          ))}
        </ul>
        <Foot />
      </nav>
      <div class="column">
        <header class="top">
          <button class="icon menu" aria-label="Menu" aria-expanded={open} onClick={() => setOpen(!open)}>
            ☰
          </button>
          <Where />
          <span class="grow" />
          <LiveSwitch />
          <button class="icon" title="Theme (t)" aria-label={`Theme: ${theme.value}`} onClick={nextTheme}>
            {theme.value === "system" ? "◐" : theme.value === "light" ? "☀" : "☾"}
          </button>
          <button class="icon" title="Keys (?)" aria-label="Keys" onClick={showKeys}>
            ?
          </button>
        </header>
        <Banner />
        <main id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
    </div>
  );
}

function Pill({ n }: { n: number | undefined }) {
  return n ? <span class="pill">{n > 999 ? "999+" : n}</span> : null;
}

function Foot() {
  const s = session.value;
  if (!s?.authentication) return <div class="foot faint">No tokens: open to all who reach it</div>;
  return (
    <div class="foot">
      <span>
        Signed in as <b>{s.role}</b>
      </span>
      <button class="small" onClick={() => void attempt(logout)}>
        Sign out
      </button>
    </div>
  );
}

function Where() {
  const o = overview.value;
  if (!o) return null;
  return (
    <span class="where">
      <span>
        node <Text v={o.node} max={40} />
      </span>
      <span class="hide-narrow">
        leader {o.leader ? <Text v={o.leader} max={40} /> : <b class="bad">none</b>}
      </span>
    </span>
  );
}

const streamWords = { live: "Live", paused: "Paused", connecting: "Connecting…", hidden: "Resting" };

function LiveSwitch() {
  const state = stream.value;
  return (
    <button
      class={`live ${state}`}
      aria-pressed={!paused.value}
      title={paused.value ? "Go on (p)" : "Hold what is shown (p)"}
      onClick={() => (paused.value = !paused.value)}
    >
      <i />
      {streamWords[state]}
    </button>
  );
}

/** What whoever looks has to know before all else. */
function Banner() {
  const o = overview.value;
  const stale = staleness.value;
  const missing = o?.missing ?? cluster.value?.missing ?? [];
  if (unreachable.value) {
    return (
      <div class="banner bad" role="alert">
        The node that served this page cannot be reached. What is shown may be old; this page goes on trying.
      </div>
    );
  }
  if (o?.stale || stale) {
    const index: Whole = stale?.index || o?.applied_index || "?";
    return (
      <div class="banner warn" role="alert" data-testid="stale">
        <b>Stale, as of applied index {count(/^\d+$/.test(String(index)) ? String(index) : undefined)}.</b>{" "}
        {o && !o.leader ? "There is no leader, so nothing can be changed now." : "The leader did not answer."}{" "}
        {missing.length > 0 && (
          <>
            Missing: {missing.map((m, i) => [i > 0 ? ", " : "", <Text v={m} max={60} />])}.
          </>
        )}
      </div>
    );
  }
  return (
    <>
      {missing.length > 0 && (
        <div class="banner warn" role="status" data-testid="missing">
          Cannot be reached: {missing.map((m, i) => [i > 0 ? ", " : "", <Text v={m} max={60} />])}. A majority is there, so all goes on.
        </div>
      )}
      {o?.dispatch_paused && (
        <div class="banner" role="status">
          Handing out tasks is paused for the whole cluster. <a href="#/cluster">Resume it on the cluster page.</a>
        </div>
      )}
    </>
  );
}

export function nextTheme(): void {
  setTheme(themes[(themes.indexOf(theme.value) + 1) % themes.length]!);
}

export function showKeys(): void {
  const rows = (list: { key: string; what: string }[]) =>
    list.map((k) => (
      <tr key={k.key}>
        <td>
          {k.key.split(" ").map((one) => (
            <kbd>{one}</kbd>
          ))}
        </td>
        <td>{k.what}</td>
      </tr>
    ));
  show(
    "Keys",
    <div class="keys">
      {ofPage.value.length > 0 && (
        <table>
          <caption>On this page</caption>
          <tbody>{rows(ofPage.value)}</tbody>
        </table>
      )}
      <table>
        <caption>Everywhere</caption>
        <tbody>{rows(allKeys())}</tbody>
      </table>
    </div>,
  );
}

export function Login() {
  const [token, setToken] = useState("");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  return (
    <main class="login">
      <form
        class="card"
        onSubmit={async (e) => {
          e.preventDefault();
          setBusy(true);
          setWrong("");
          try {
            await login(token.trim());
          } catch (err) {
            setWrong(saying(err));
          }
          setBusy(false);
        }}
      >
        <h1>Haiku</h1>
        <p class="faint">This node wants a token. It is kept in a cookie that scripts cannot read.</p>
        <label class="field">
          <span>Token</span>
          <input
            type="password"
            name="token"
            autocomplete="current-password"
            value={token}
            onInput={(e) => setToken(e.currentTarget.value)}
            required
            autofocus
          />
        </label>
        {wrong && (
          <p class="wrong" role="alert">
            {visible(wrong)}
          </p>
        )}
        <div class="buttons">
          <button class="primary" disabled={busy}>
            Sign in
          </button>
        </div>
      </form>
    </main>
  );
}

export { locked };
