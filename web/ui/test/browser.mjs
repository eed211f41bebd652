// Chromium, and pages that notice what must not happen.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { patience } from "./cluster.mjs";

const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--font-render-hinting=none"];

/** Starts a browser with a profile of its own. */
export async function startBrowser(options = {}) {
  const profile = await mkdtemp(join(tmpdir(), "haiku-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args, viewport: { width: 1280, height: 860 }, timezoneId: "UTC",
    locale: "en-US", timeout: patience, acceptDownloads: true, ...options,
  });
  context.setDefaultTimeout(patience);
  return {
    context,
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/**
 * Opens a page that collects faults: errors of scripts, refusals of the Content-Security-Policy, dialogs that hostile text
 * opened, and requests to anywhere but its own node.
 */
export async function openPage(context, base) {
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (e) => page.faults.push(`script: ${e.stack ?? e}`));
  page.on("dialog", (d) => (page.faults.push(`dialog: ${d.message()}`), d.dismiss()));
  page.on("console", (m) => {
    if (/Content Security Policy|Refused to/.test(m.text())) page.faults.push(`policy: ${m.text()}`);
  });
  page.on("request", (r) => {
    const url = r.url();
    if (!url.startsWith(base) && !/^(data|blob|about):/.test(url)) page.faults.push(`request to ${url}`);
  });
  page.visit = async (hash) => {
    await page.goto("about:blank"); // nothing of the page before is left
    await page.goto(`${base}/${hash}`);
    await page.locator("h1").first().waitFor();
  };
  page.says = (text) => page.locator("#main").getByText(text).filter({ visible: true }).first();
  return page;
}
