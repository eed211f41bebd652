import { signal } from "@preact/signals";

/** Where the page is: the part of the URL after #, such as /tasks?filter=queue%3Amail. */
export interface Route {
  page: string;
  rest: string[];
  query: URLSearchParams;
}

function read(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [page, ...rest] = path.split("/").filter((p) => p !== "").map(decode);
  return { page: page ?? "overview", rest, query: new URLSearchParams(query) };
}

// A part that is no valid encoding stands for itself.
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const route = signal<Route>(read());

addEventListener("hashchange", () => {
  route.value = read();
});

/** The href of a page; its parts are encoded. */
export function href(parts: string[], query?: Record<string, string>): string {
  const entries = Object.entries(query ?? {}).filter(([, v]) => v !== "");
  const q = entries.length ? "?" + new URLSearchParams(entries).toString() : "";
  return "#/" + parts.map(encodeURIComponent).join("/") + q;
}

export function go(to: string): void {
  location.hash = to;
}

/** Changes the query of the page without a new entry in the history. */
export function setQuery(query: Record<string, string>): void {
  const r = route.value;
  history.replaceState(null, "", href([r.page, ...r.rest], query));
  route.value = read();
}
