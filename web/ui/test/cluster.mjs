// A cluster of real haikud processes with HTTP, for the browser tests and the screenshots.
import { execFile, spawn } from "node:child_process";
import { createWriteStream, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const bin = process.env.UI_TEST_BIN ?? fileURLToPath(new URL("../../../bin", import.meta.url));
const run = promisify(execFile);

/** Long enough for a slow machine: nothing is measured by it. */
export const patience = Number(process.env.UI_TEST_PATIENCE ?? 90_000);

/** Waits for a condition; what it returned is the result. */
export async function until(what, condition, limit = patience, check = () => {}) {
  const end = Date.now() + limit;
  let last;
  for (;;) {
    check();
    try {
      const found = await condition();
      if (found) return found;
    } catch (e) {
      last = e;
    }
    if (Date.now() > end) throw new Error(`not within ${limit / 1000} s: ${what}`, { cause: last });
    await new Promise((r) => setTimeout(r, 100));
  }
}

async function freePorts(count) {
  const servers = [];
  for (let i = 0; i < count; i++) {
    const s = createServer();
    await new Promise((done, fail) => s.once("error", fail).listen(0, "127.0.0.1", done));
    servers.push(s);
  }
  const ports = servers.map((s) => s.address().port);
  await Promise.all(servers.map((s) => new Promise((done) => s.close(done))));
  return ports;
}

// What is set for haiku where the tests run is not meant for them.
const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HAIKU_")));

// Children end with this process, however it ends.
const children = new Set();
process.on("exit", () => children.forEach((c) => c.kill("SIGKILL")));

function start(log, name, program, args, env = {}) {
  const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...clean, ...env },
  });
  const out = createWriteStream(join(log, `${name}.log`), { flags: "a" });
  child.stdout.pipe(out);
  child.stderr.pipe(out);
  children.add(child);
  child.ended = new Promise((done) => child.once("exit", done)).then(() => children.delete(child));
  return child;
}

export class Cluster {
  constructor(dir) {
    this.dir = dir;
    this.nodes = [];
    this.workers = [];
  }

  /** Starts nodes n1, n2 and so on, and waits until all of them vote and know a leader. */
  static async start({ count = 3, args = [], base = "" } = {}) {
    const c = new Cluster(await mkdtemp(join(tmpdir(), "haiku-ui-")));
    try {
      const ports = await freePorts(2 * count);
      for (let i = 0; i < count; i++) {
        const address = `127.0.0.1:${ports[2 * i]}`;
        const http = `127.0.0.1:${ports[2 * i + 1]}`;
        const name = `n${i + 1}`;
        c.nodes.push({
          name, address, http,
          url: `http://${http}${base}`,
          args: ["--data-dir", join(c.dir, name), "--node-name", name, "--listen", address, "--http-listen", http, ...(base ? ["--http-base-path", base] : []), ...args,
            ...(i === 0 ? ["--bootstrap"] : ["--join", c.nodes[0].address])],
        });
        c.restart(i);
        await until(`${name} serves`, () => c.cluster(i), patience, () => c.alive(i));
      }
      await until("all nodes vote", async () => (await c.cluster(0)).nodes.filter((n) => n.voter && n.reachable).length === count);
      return c;
    } catch (e) {
      await c.stop();
      throw e;
    }
  }

  restart(i) {
    const n = this.nodes[i];
    n.child = start(this.dir, n.name, join(bin, "haikud"), n.args);
  }

  /** Throws with the end of the log if a node has ended. */
  alive(i) {
    const n = this.nodes[i];
    if (n.child.exitCode === null && n.child.signalCode === null) return;
    throw new Error(`${n.name} has ended: ${readFileSync(join(this.dir, `${n.name}.log`), "utf8").slice(-2000)}`);
  }

  async kill(i) {
    const { child } = this.nodes[i];
    child.kill("SIGKILL");
    await child.ended;
  }

  /** The place of the node that leads, once all that are alive agree. */
  leader() {
    return until("a leader", async () => {
      const alive = this.nodes.filter((n) => n.child.exitCode === null && n.child.signalCode === null);
      const names = await Promise.all(alive.map(async (n) => (await this.cluster(this.nodes.indexOf(n))).leader));
      const at = this.nodes.findIndex((n) => n.name === names[0]);
      return at >= 0 && names.every((n) => n === names[0]) && alive.includes(this.nodes[at]) ? { at } : null;
    }).then((found) => found.at);
  }

  cluster(i) {
    return this.call("GET", "/v1/cluster", undefined, i);
  }

  /** Calls the REST API of a node. */
  async call(method, path, body, i = 0) {
    const response = await fetch(this.nodes[i].url + path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(this.token ? { Authorization: `Bearer ${this.token}` } : {}),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Submits a task and returns its id. */
  async submit(fields, i = 0) {
    return (await this.call("POST", "/v1/tasks", fields, i)).id;
  }

  /** Waits until a task has a status. */
  reaches(id, status, i = 0) {
    return until(`task ${id} is ${status}`, async () => {
      const t = await this.call("GET", `/v1/tasks/${id}`, undefined, i);
      return t.status === status ? t : null;
    });
  }

  /** Runs haiku and returns its output. */
  async haiku(...args) {
    const { stdout } = await run(join(bin, "haiku"), args, { env: this.env(), maxBuffer: 64 << 20 });
    return stdout;
  }

  env() {
    return { ...clean, HAIKU_ADDR: this.nodes.map((n) => n.address).join(","), ...(this.token ? { HAIKU_TOKEN: this.token } : {}) };
  }

  /** Starts a worker that runs a command for each task. */
  worker(name, args, command) {
    const w = start(this.dir, name, join(bin, "haiku"), ["worker", "run", ...args, "--exec", command], this.env());
    this.workers.push(w);
    return w;
  }

  async endWorker(w) {
    w.kill("SIGKILL");
    await w.ended;
  }

  async stop() {
    for (const child of [...this.workers, ...this.nodes.map((n) => n.child).filter(Boolean)]) {
      child.kill("SIGKILL");
      await child.ended;
    }
    if (process.env.UI_TEST_KEEP) console.error(`kept: ${this.dir}`);
    else await rm(this.dir, { recursive: true, force: true });
  }
}
