import { notify, show } from "./dialog";

/** Copies a text: by the clipboard API where there is one, else the old way, else by showing it. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    if (isSecureContext && navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      notify(`Copied: ${what}`);
      return;
    }
  } catch {
    // Not allowed: the old way.
  }
  if (copyByHand(text)) notify(`Copied: ${what}`);
  else show(`Copy ${what}`, <textarea class="mono" rows={6} readOnly value={text} onFocus={(e) => e.currentTarget.select()} autofocus />);
}

function copyByHand(text: string): boolean {
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "offscreen";
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    area.remove();
    if (before instanceof HTMLElement) before.focus();
  }
}

/** A text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
  // Control characters and what is unseen would surprise in a terminal: $'…' spells them out.
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) {
    const bytes = new TextEncoder().encode(text);
    let out = "$'";
    for (const b of bytes) {
      if (b === 0x27 || b === 0x5c) out += "\\" + String.fromCharCode(b);
      else if (b >= 0x20 && b < 0x7f) out += String.fromCharCode(b);
      else out += "\\x" + b.toString(16).padStart(2, "0");
    }
    return out + "'";
  }
  return "'" + text.replaceAll("'", "'\\''") + "'";
}
