// Data as a cluster at work has them.
import { until } from "./cluster.mjs";

const errors = [
  "dial tcp 10.0.3.17:25: connect: connection refused",
  "550 mailbox unavailable",
  "open /var/spool/photo.tif: no space left on device",
];

/** Fills a cluster: tasks in every status, dead letters in groups, a graph, schedules, limits and a pause. */
export async function seed(c) {
  const ids = {};
  const failing = c.worker("bad", ["--queue", "mail", "--type", "bounce", "--concurrency", "4"],
    `n=$(cat); case $n in 0) echo "${errors[0]}";; 1) echo "${errors[1]}";; *) echo "${errors[2]}";; esac >&2; exit 1`);
  const done = c.worker("good", ["--queue", "default", "--queue", "media", "--queue", "mail", "--type", "send_email", "--type", "resize",
    "--concurrency", "4"], "cat");
  await c.call("POST", "/v1/tasks", {
    tasks: Array.from({ length: 14 }, (_, i) => ({
      task_type: "bounce", queue: "mail", payload_text: String(i % 5 === 0 ? 2 : i % 2), max_retries: 0, priority: 100 + i,
    })),
  });
  await c.call("POST", "/v1/tasks", {
    tasks: Array.from({ length: 60 }, (_, i) => ({
      task_type: ["send_email", "resize"][i % 2], queue: ["mail", "media", "default"][i % 3],
      payload_json: { to: `customer-${i}@example.com`, template: "welcome", attempt: i, tags: ["new", "eu"], ratio: 0.75, vip: i % 7 === 0, note: null },
      priority: [80, 100, 180, 210][i % 4],
    })),
  });
  await until("the tasks have ended", async () => {
    const { counts } = await c.call("GET", "/v1/overview");
    return counts.dead_letter === 14 && counts.completed === 60;
  });
  ids.dead = (await c.call("GET", "/v1/tasks?filter=" + encodeURIComponent("status:dead_letter error:mailbox"))).tasks[0].id;
  ids.completed = (await c.call("GET", "/v1/tasks?status=completed")).tasks[0].id;
  await c.endWorker(failing);
  await c.endWorker(done);

  const retrying = c.worker("retrying", ["--type", "index"], "echo the search server does not answer >&2; exit 1");
  ids.failed = await c.submit({ task_type: "index", payload_json: { shard: 7 }, max_retries: 5, backoff: { initial_seconds: 3600 } });
  await c.reaches(ids.failed, "failed");
  await c.endWorker(retrying);

  c.worker("transcoder-1", ["--queue", "media", "--type", "transcode", "--concurrency", "2"], "sleep 3600");
  ids.running = await c.submit({ task_type: "transcode", queue: "media", payload_json: { file: "intro.mov", profile: "1080p" }, timeout_seconds: 7200 });
  await c.reaches(ids.running, "in_progress");

  ids.waiting = await c.submit({ task_type: "report", queue: "reports", payload_text: "month: 3", priority: 120 });
  ids.scheduled = await c.submit({ task_type: "report", queue: "reports", delay_seconds: 36000 });
  const { receipts } = await c.call("POST", "/v1/tasks", {
    atomic: true,
    tasks: [
      { name: "fetch-a", task_type: "fetch", queue: "reports", payload_text: "a" },
      { name: "fetch-b", task_type: "fetch", queue: "reports", payload_text: "b" },
      { name: "fetch-c", task_type: "fetch", queue: "reports", payload_text: "c" },
      { name: "join", task_type: "join", queue: "reports", after: ["fetch-a", "fetch-b"] },
      { name: "render", task_type: "render", queue: "reports", after: ["join", "fetch-c"] },
      { name: "publish", task_type: "publish", queue: "reports", after: ["render"], headers: [{ name: "traceparent", value: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" }] },
    ],
  });
  ids.graph = receipts.at(-2).id;
  ids.last = receipts.at(-1).id;
  ids.cancelled = await c.submit({ task_type: "report", queue: "reports", payload_text: "old" });
  await c.call("POST", `/v1/tasks/${ids.cancelled}/cancel`);

  await c.haiku("queue", "limit", "media", "--concurrency", "8", "--rate", "50/1s");
  await c.haiku("queue", "pause", "reports", "--reason", "the warehouse is being loaded");
  await c.haiku("cron", "add", "nightly-report", "0 3 * * *", "report", "--queue", "reports", "--zone", "Europe/Berlin");
  await c.haiku("cron", "add", "sweep", "@every 1h", "cleanup");
  await c.haiku("retention", "set", "bounce", "--dead-letter", "720h");
  return ids;
}
