import type { ComponentChildren } from "preact";

// What would be invisible, or would change the direction or the place of other text: control and format characters, line
// and paragraph separators, private use, what is not assigned, tags, halves of pairs.
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\u115f\u1160\u3164\uffa0\ufffd]/u;
const unseenAll = new RegExp(unseen.source, "gu");

const names: Record<number, string> = {
  0x00: "NUL", 0x07: "bell", 0x08: "backspace", 0x09: "tab", 0x0a: "line feed", 0x0d: "carriage return", 0x1b: "escape",
  0x7f: "delete", 0xad: "soft hyphen", 0x200b: "zero width space", 0x200d: "zero width joiner", 0x200e: "left-to-right mark",
  0x200f: "right-to-left mark", 0x202a: "left-to-right embedding", 0x202b: "right-to-left embedding",
  0x202c: "pop directional formatting", 0x202d: "left-to-right override", 0x202e: "right-to-left override",
  0x2066: "left-to-right isolate", 0x2067: "right-to-left isolate", 0x2068: "first strong isolate",
  0x2069: "pop directional isolate", 0xfeff: "byte order mark", 0xfffd: "not valid UTF-8",
};

const codeOf = (c: string) => "U+" + c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");

/** Text from outside for where no element can stand: titles, labels. What is unseen is spelled out. */
export function plain(v: string, max = 200): string {
  const text = [...v.slice(0, 2 * max)].slice(0, max).join("");
  return text.replace(unseenAll, (c) => (c === "\n" || c === "\t" ? " " : `<${codeOf(c)}>`)) + (text.length < v.length ? "…" : "");
}

/** The parts of a text from outside, with what is unseen made visible; lines keeps line feeds and tabs. */
export function visible(v: string, lines = false): ComponentChildren {
  if (!unseen.test(v)) return v;
  const out: ComponentChildren[] = [];
  let from = 0;
  for (const m of v.matchAll(unseenAll)) {
    if (lines && (m[0] === "\n" || m[0] === "\t" || m[0] === "\r")) continue;
    if (m.index > from) out.push(v.slice(from, m.index));
    const name = names[m[0].codePointAt(0)!];
    out.push(<span class="unseen" title={codeOf(m[0]) + (name ? " " + name : "")}>{m[0] === "\n" ? "↵" : codeOf(m[0])}</span>);
    from = m.index + m[0].length;
  }
  out.push(v.slice(from));
  return out;
}

/** A text from outside on one line: isolated, cut, nothing hidden. */
export function Text({ v, max = 300, mono }: { v: string | null | undefined; max?: number; mono?: boolean }) {
  if (v === null || v === undefined || v === "") return <span class="faint">–</span>;
  const cut = v.length > max ? v.slice(0, max) : v;
  return (
    <bdi dir="auto" class={mono ? "mono" : undefined}>
      {visible(cut)}
      {cut.length < v.length ? "…" : ""}
    </bdi>
  );
}
