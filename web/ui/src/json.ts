// JSON whose numbers are exact: an integer that a double cannot hold stays text.

// A string or a number. Strings come first, so digits inside of them are skipped.
const stringOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const integer = /^-?\d+$/;

/** Parses JSON; integers beyond 2^53 become strings of their digits. */
export function parseExact(text: string): unknown {
  return JSON.parse(
    text.replace(stringOrNumber, (m) => (m.length > 15 && integer.test(m) && !Number.isSafeInteger(Number(m)) ? `"${m}"` : m)),
  );
}

export type TokenKind = "key" | "string" | "number" | "word" | "punctuation";
export interface Token {
  kind: TokenKind;
  text: string;
}
export interface Line {
  depth: number;
  tokens: Token[];
}

const token = /\s*(?:("[^"\\]*(?:\\.[^"\\]*)*")|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)|([{}\[\],:]))/y;

/**
 * Lays JSON out as lines without converting anything, so that numbers stand as they were sent. A text that was cut is laid
 * out up to there. Returns null if it is no JSON.
 */
export function layOut(text: string, cut: boolean, maxLines: number): { lines: Line[]; complete: boolean } | null {
  if (!cut) {
    try {
      JSON.parse(text);
    } catch {
      return null;
    }
  }
  const lines: Line[] = [{ depth: 0, tokens: [] }];
  let line = lines[0]!;
  let depth = 0;
  let before = "";
  token.lastIndex = 0;
  const start = () => {
    line = { depth, tokens: [] };
    lines.push(line);
  };
  for (;;) {
    const at = token.lastIndex;
    const m = token.exec(text);
    if (!m) {
      const rest = text.slice(at).trim();
      if (rest && !cut) return null;
      // Of a cut text at least something has to have been read.
      if (lines.length < 3 && cut) return null;
      return { lines, complete: !rest };
    }
    if (lines.length > maxLines) return { lines: lines.slice(0, maxLines), complete: false };
    const mark = m[4];
    const opens = before === "{" || before === "[";
    if (mark === "}" || mark === "]") {
      depth = Math.max(0, depth - 1);
      if (!opens) start();
      line.tokens.push({ kind: "punctuation", text: mark });
    } else {
      if (opens || before === ",") start();
      if (mark === ":") {
        const last = line.tokens[line.tokens.length - 1];
        if (last) last.kind = "key";
        line.tokens.push({ kind: "punctuation", text: ": " });
      } else if (mark) {
        line.tokens.push({ kind: "punctuation", text: mark });
        if (mark !== ",") depth++;
      } else {
        const kind: TokenKind = m[1] !== undefined ? "string" : m[2] !== undefined ? "number" : "word";
        line.tokens.push({ kind, text: m[1] ?? m[2] ?? m[3] ?? "" });
      }
    }
    before = mark ?? "value";
  }
}
