// The REST API of the node that served the page.
import { signal } from "@preact/signals";
import { parseExact } from "./json";
import type { Session } from "./model";

/** What the node said was wrong. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export const session = signal<Session | null>(null);
/** The node wants a token. */
export const locked = signal(false);
/** The node did not answer the last request. */
export const unreachable = signal(false);

const ranks = ["viewer", "worker", "operator", "admin"];

/** Whether the one who looks may do what needs a role. The node decides; this only greys out. */
export function may(role: string): boolean {
  const s = session.value;
  return !!s && (!s.authentication || ranks.indexOf(s.role) >= ranks.indexOf(role));
}

/** Whether the token is for some queues only: what is of all is not for it. */
export const restricted = () => (session.value?.queues.length ?? 0) > 0;

/** The URL of a path of the API, below whatever base path the page is at. */
export const url = (path: string) => new URL(path.replace(/^\//, ""), document.baseURI.replace(/#.*/, "")).toString();

export interface Answer<T> {
  body: T;
  stale: boolean;
  appliedIndex: string;
  etag: string;
}

const timeout = 30_000;

export async function request<T>(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url(path), {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(timeout),
    });
    text = await response.text();
  } catch (e) {
    const slow = e instanceof DOMException && e.name === "TimeoutError";
    unreachable.value = true;
    throw new Problem(0, "unreachable", slow ? "The node did not answer within 30 s." : "The node cannot be reached.");
  }
  unreachable.value = false;
  if (!response.ok) throw problemOf(response.status, text);
  return {
    body: (text === "" ? undefined : parseExact(text)) as T,
    stale: response.headers.get("Haiku-Stale") === "true",
    appliedIndex: response.headers.get("Haiku-Applied-Index") ?? "",
    etag: response.headers.get("ETag") ?? "",
  };
}

function problemOf(status: number, text: string): Problem {
  if (status === 401) locked.value = true;
  try {
    const p = parseExact(text) as { code?: string; detail?: string; title?: string };
    return new Problem(status, p.code ?? "", p.detail || p.title || `HTTP status ${status}`);
  } catch {
    return new Problem(status, "", `HTTP status ${status}`);
  }
}

export const get = async <T>(path: string) => (await request<T>("GET", path)).body;
export const post = async <T>(path: string, body: unknown = {}) => (await request<T>("POST", path, body)).body;
export const put = async <T>(path: string, body: unknown) => (await request<T>("PUT", path, body)).body;
export const del = async (path: string) => void (await request("DELETE", path));

/** Encodes a part of a path. */
export const part = encodeURIComponent;

/** The path with a query; empty values are left out. */
export function withQuery(path: string, query: Record<string, string | number | undefined>): string {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(query)) if (v !== undefined && v !== "") q.set(k, String(v));
  const text = q.toString();
  return text ? `${path}?${text}` : path;
}

/** The beginning of a payload or result: at most so many bytes, and whether there are more. */
export async function beginning(path: string, max: number): Promise<{ data: Uint8Array; cut: boolean }> {
  const abort = new AbortController();
  const response = await fetch(url(path), { credentials: "same-origin", cache: "no-store", signal: abort.signal });
  if (!response.ok) throw problemOf(response.status, await response.text());
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = response.body!.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
    if (size > max) break;
  }
  abort.abort();
  const data = new Uint8Array(size);
  let at = 0;
  for (const p of parts) {
    data.set(p, at);
    at += p.length;
  }
  return { data: data.subarray(0, max), cut: size > max };
}

/** Asks who the node thinks we are. */
export async function openSession(): Promise<void> {
  try {
    session.value = await get<Session>("v1/session");
    locked.value = session.value.authentication && !session.value.role;
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
  }
}

export async function login(token: string): Promise<void> {
  await post("v1/login", { token });
  locked.value = false;
  await openSession();
}

export async function logout(): Promise<void> {
  await post("v1/logout");
  session.value = null;
  await openSession();
  locked.value = session.peek()?.authentication !== false;
}
