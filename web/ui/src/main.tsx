import { effect } from "@preact/signals";
import { render } from "preact";
import { locked, openSession, session, unreachable } from "./api";
import { Dialogs, Notices } from "./dialog";
import * as history from "./history";
import { listen, register } from "./keys";
import { overview, paused, slowBeat, start } from "./live";
import { ClusterPage } from "./pages/cluster";
import { DeadPage } from "./pages/dead";
import { OperationsPage } from "./pages/operations";
import { OverviewPage } from "./pages/overview";
import { QueuePage } from "./pages/queue";
import { QueuesPage } from "./pages/queues";
import { SchedulesPage } from "./pages/schedules";
import { SettingsPage } from "./pages/settings";
import { submitTask } from "./pages/submit";
import { TaskPage } from "./pages/task";
import { TasksPage } from "./pages/tasks";
import { WorkersPage } from "./pages/workers";
import { Empty } from "./parts";
import { go, route } from "./route";
import { Login, nextTheme, pages, Shell, showKeys } from "./shell";
import { applyTheme } from "./theme";
import { plain } from "./text";
import "./style.css";

function Current() {
  const { page, rest } = route.value;
  const first = rest[0] ?? "";
  switch (page) {
    case "overview":
      return <OverviewPage />;
    case "queues":
      return <QueuesPage />;
    case "queue":
      return <QueuePage key={first} name={first} />;
    case "tasks":
      return <TasksPage />;
    case "task":
      return <TaskPage key={first} id={first} />;
    case "dead":
      return <DeadPage />;
    case "schedules":
      return <SchedulesPage />;
    case "workers":
      return <WorkersPage />;
    case "operations":
      return <OperationsPage />;
    case "cluster":
      return <ClusterPage />;
    case "settings":
      return <SettingsPage />;
  }
  return <Empty title="There is no such page" />;
}

function App() {
  if (locked.value) return <Login />;
  if (!session.value) {
    return (
      <main class="login">
        <p class="loading" role="status">
          {unreachable.value ? "The node cannot be reached; trying again…" : "Connecting…"}
        </p>
      </main>
    );
  }
  return (
    <Shell>
      <Current />
    </Shell>
  );
}

function title(): string {
  const { page, rest } = route.value;
  const label = pages.find(([id]) => id === page)?.[1] ?? (page === "queue" ? "Queue" : "Task");
  return `${rest[0] ? `${plain(rest[0], 60)} · ` : ""}${label} · Haiku`;
}

function registerKeys(): void {
  register(
    ...pages.map(([id, label, key]) => ({ key, what: label, run: () => go(`#/${id}`) })),
    { key: "n", what: "Submit a task", run: submitTask },
    {
      key: "/",
      what: "Search tasks",
      run: () => {
        if (route.value.page !== "tasks") go("#/tasks");
        setTimeout(() => document.querySelector<HTMLInputElement>("input[type=search]")?.focus());
      },
    },
    { key: "p", what: "Hold what is shown, or go on", run: () => (paused.value = !paused.value) },
    { key: "r", what: "Load again", run: () => slowBeat.value++ },
    { key: "t", what: "Next theme", run: nextTheme },
    { key: "?", what: "This help", run: showKeys },
  );
}

applyTheme();
registerKeys();
listen();
start();
effect(() => {
  document.title = title();
});
effect(() => {
  if (overview.value) history.append(overview.value);
});
setInterval(() => {
  if (!session.value && !locked.value) void openSession();
}, 2000);
void openSession();

render(
  <>
    <App />
    <Dialogs />
    <Notices />
  </>,
  document.getElementById("app")!,
);
