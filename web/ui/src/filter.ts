// The text form of filters, as far as a page writes it. Only the node reads it.

export type Words = Partial<Record<"queue" | "type" | "status" | "priority" | "error" | "older-than" | "scheduled" | "depends-on", string>>;

/** A value, in quotation marks where it needs them. */
export const quote = (v: string) => (/^[^\s"][^\s]*$/.test(v) ? v : `"${v.replace(/["\\]/g, "\\$&")}"`);

export function filterWord(words: Words): string {
  return Object.entries(words)
    .filter(([, v]) => v !== undefined && v !== "")
    .map(([k, v]) => `${k}:${quote(v)}`)
    .join(" ");
}

// One word of a text: key:value or key:"value".
const word = (key: string) => new RegExp(`(^|\\s)${key}:("(?:[^"\\\\]|\\\\.)*"|\\S*)`);

/** What a text says for a key; empty if nothing. */
export function wordOf(text: string, key: string): string {
  const v = word(key).exec(text)?.[2] ?? "";
  return v.startsWith('"') ? v.slice(1, -1).replace(/\\(.)/g, "$1") : v;
}

/** The text with another value for a key; empty takes the word out. */
export function withWord(text: string, key: string, value: string): string {
  const rest = text.replace(word(key), " ").replace(/\s+/g, " ").trim();
  return value === "" ? rest : `${rest} ${key}:${quote(value)}`.trim();
}

const id = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
export const isID = (text: string) => id.test(text.trim());
