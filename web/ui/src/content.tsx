// A payload or a result: bytes of which nothing is known.
import { useEffect, useState } from "preact/hooks";
import { beginning, url } from "./api";
import { copy } from "./copy";
import { saying } from "./dialog";
import { bytes } from "./format";
import { layOut, type Line } from "./json";
import { Card, Select } from "./parts";
import { visible } from "./text";

// So much is fetched; less is drawn, for each line is some elements.
const fetched = 64 << 10;
const maxLines = 1500;
const hexBytes = 4 << 10;
const maxIndent = 24;

type Form = "json" | "text" | "hex";

interface Loaded {
  data: Uint8Array;
  cut: boolean;
  text: string | null; // null if it is no UTF-8
  json: { lines: Line[]; complete: boolean } | null;
}

function read(data: Uint8Array, cut: boolean): Loaded {
  let text: string | null = null;
  try {
    // A character that was cut at the end is no fault of the payload.
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data, { stream: cut });
  } catch {
    text = null;
  }
  const json = text !== null && /^\s*[[{"\dtfn-]/.test(text) ? layOut(text, cut, maxLines) : null;
  return { data, cut, text, json };
}

export function Content({ title, path, size, download }: { title: string; path: string; size: number; download: string }) {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [wrong, setWrong] = useState("");
  const [form, setForm] = useState<Form | null>(null);
  useEffect(() => {
    let mine = true;
    if (size === 0) return;
    beginning(path, fetched).then(
      ({ data, cut }) => mine && (setLoaded(read(data, cut)), setWrong("")),
      (e) => mine && setWrong(saying(e)),
    );
    return () => {
      mine = false;
    };
  }, [path, size]);

  const best: Form = loaded?.json ? "json" : loaded?.text !== null && loaded?.text !== undefined ? "text" : "hex";
  const shown = form ?? best;
  const forms: [Form, string][] = [...(loaded?.json ? [["json", "JSON"] as [Form, string]] : []), ["text", "Text"], ["hex", "Hex"]];
  return (
    <Card
      title={title}
      aside={
        <>
          <span>{bytes(size)}</span>
          {size > 0 && (
            <>
              <a class="button small" href={url(path)} download={download}>
                Download
              </a>
              {loaded && !loaded.cut && loaded.text !== null && (
                <button class="small" aria-label={`Copy ${title.toLowerCase()}`} onClick={() => void copy(loaded.text!, title.toLowerCase())}>
                  Copy
                </button>
              )}
              {loaded && <Select label={`Form of the ${title.toLowerCase()}`} value={shown} options={forms} onChange={setForm} />}
            </>
          )}
        </>
      }
    >
      {size === 0 ? (
        <p class="faint">Empty</p>
      ) : wrong ? (
        <p class="wrong" role="alert">
          {visible(wrong)}
        </p>
      ) : !loaded ? (
        <p class="loading">Loading…</p>
      ) : (
        <>
          {shown === "json" && loaded.json ? <JSONText lines={loaded.json.lines} /> : shown === "text" ? <PlainText l={loaded} /> : <Hex data={loaded.data} />}
          <Cut l={loaded} form={shown} size={size} path={path} download={download} />
        </>
      )}
    </Card>
  );
}

function Cut({ l, form, size, path, download }: { l: Loaded; form: Form; size: number; path: string; download: string }) {
  const drawn = form === "hex" ? Math.min(hexBytes, l.data.length) : l.data.length;
  const partial = form === "json" ? !l.json?.complete || l.cut : drawn < size;
  if (!partial) return null;
  return (
    <p class="hint cut" data-testid="cut">
      {form === "json" ? "Only the beginning is shown" : `The first ${bytes(drawn)} are shown`} of {bytes(size)}.{" "}
      <a href={url(path)} download={download}>
        Download all of it
      </a>
    </p>
  );
}

function JSONText({ lines }: { lines: Line[] }) {
  return (
    <pre dir="ltr" tabIndex={0} aria-label="As JSON">
      {lines.map((line, i) => (
        <span key={i}>
          {"  ".repeat(Math.min(line.depth, maxIndent))}
          {line.tokens.map((t) => (
            <span class={`j-${t.kind}`}>{t.kind === "string" || t.kind === "key" ? <bdi>{visible(t.text)}</bdi> : t.text}</span>
          ))}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}

function PlainText({ l }: { l: Loaded }) {
  const text = l.text ?? new TextDecoder("utf-8").decode(l.data);
  return (
    <>
      {l.text === null && <p class="hint">These bytes are not valid UTF-8: what cannot be read stands as U+FFFD.</p>}
      <pre dir="auto" tabIndex={0} aria-label="As text">
        {visible(text, true)}
      </pre>
    </>
  );
}

function Hex({ data }: { data: Uint8Array }) {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(data.length, hexBytes); at += 16) {
    const row = data.subarray(at, Math.min(at + 16, hexBytes));
    const hex = [...row].map((b) => b.toString(16).padStart(2, "0"));
    const ascii = [...row].map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.slice(0, 8).join(" ").padEnd(23)}  ${hex.slice(8).join(" ").padEnd(23)}  ${ascii}`);
  }
  return (
    <pre class="hex" dir="ltr" tabIndex={0} aria-label="As hexadecimal digits">
      {lines.join("\n")}
    </pre>
  );
}
