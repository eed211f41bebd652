// Takes the pictures of docs/screenshots, or of the folder given: every page, or the one that ONLY names, in light, dark
// and narrow.
import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { join } from "node:path";
import { openPage, startBrowser } from "./browser.mjs";
import { Cluster, until } from "./cluster.mjs";
import { seed } from "./seed.mjs";
import { shrink } from "./png.mjs";

const out = process.argv[2] ?? fileURLToPath(new URL("../../../docs/screenshots", import.meta.url));
await mkdir(out, { recursive: true });

// Every page: its file, where it is, and what stands on it once it is loaded.
const pages = (ids) => [
  ["overview", "#/overview", ".chart canvas"],
  ["queues", "#/queues", "table"],
  ["queue", "#/queue/media", "table"],
  ["tasks", "#/tasks?filter=" + encodeURIComponent("queue:mail"), "table"],
  ["task", `#/task/${ids.completed}`, "pre"],
  ["task-dead", `#/task/${ids.dead}`, "pre.error"],
  ["task-graph", `#/task/${ids.graph}`, ".graph svg"],
  ["dead-letters", "#/dead", "table"],
  ["schedules", "#/schedules", "table"],
  ["workers", "#/workers", "table"],
  ["operations", "#/operations", "table"],
  ["cluster", "#/cluster", "table"],
  ["settings", "#/settings", "table"],
];

const forms = {
  light: { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  narrow: { viewport: { width: 360, height: 740 }, colorScheme: "light" },
};

const cluster = await Cluster.start();
const browser = await startBrowser();
try {
  const ids = await seed(cluster);
  // Work that goes on, so that the charts have something to show.
  cluster.worker("worker-a", ["--queue", "mail", "--queue", "media", "--queue", "default", "--type", "send_email", "--type", "resize", "--concurrency", "8"], 
    "n=$(od -An -N1 -tu1 /dev/urandom); sleep 0.0$((n % 9 + 1)); [ $((n % 16)) -gt 0 ] || { echo connection reset by peer >&2; exit 1; }");
  let busy = true;
  const load = (async () => {
    for (let i = 0; busy; i++) {
      const tasks = Array.from({ length: 6 + Math.round(5 * Math.sin(i / 9)) }, (_, k) => ({
        task_type: ["send_email", "resize"][k % 2], queue: ["mail", "media", "default"][(i + k) % 3], payload_json: { n: i }, max_retries: 20,
      }));
      await cluster.call("POST", "/v1/tasks", { tasks });
      await new Promise((r) => setTimeout(r, 250));
    }
  })();
  await cluster.call("POST", "/v1/operations", { action: "retry", filter: 'type:bounce error:"no space left"' });
  await new Promise((r) => setTimeout(r, Number(process.env.WARM_UP ?? 60) * 1000));

  const page = await openPage(browser.context, cluster.nodes[0].url);
  for (const [form, { viewport, colorScheme }] of Object.entries(forms)) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    for (const [name, hash, ready] of pages(ids).filter(([name]) => !process.env.ONLY || process.env.ONLY === name)) {
      await page.visit(hash);
      await page.locator(`#main ${ready}`).first().waitFor();
      await until("it is live", () => page.getByRole("button", { name: /^Live/ }).count());
      await page.locator(".where").waitFor();
      if (name === "cluster") await page.getByText("Column family").waitFor();
      if (name === "overview") await page.getByRole("link", { name: /^[0-9a-f]{12}$/ }).first().waitFor();
      await page.waitForTimeout(800); // the dialogs and lines are where they stay
      await writeFile(join(out, `${name}-${form}.png`), shrink(await page.screenshot()));
    }
  }
  if (page.faults.length) throw new Error(page.faults.join("\n"));
  busy = false;
  await load;
} finally {
  await browser.close();
  await cluster.stop();
}
