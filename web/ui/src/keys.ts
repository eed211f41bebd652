// Keys: those of every page, those of the page that is shown, and the list of both for the help.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

export interface Key {
  key: string; // as KeyboardEvent.key gives it; "g q" for one after the other
  what: string;
  run: () => void;
}

const everywhere: Key[] = [];
export const ofPage = signal<Key[]>([]);
export const allKeys = () => everywhere;

let prefix = "";
let forget: number | undefined;

export function register(...keys: Key[]): void {
  everywhere.push(...keys);
}

/** The keys of a page, while it is shown. A key does what the last rendering said, also before its effects have run. */
export function useKeys(keys: Key[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  const names = keys.map((k) => k.key + k.what).join();
  useLayoutEffect(() => {
    const own = keys.map((k) => ({ ...k, run: () => latest.current.find((l) => l.key === k.key)?.run() }));
    ofPage.value = [...ofPage.peek(), ...own];
    return () => {
      ofPage.value = ofPage.peek().filter((k) => !own.includes(k));
    };
  }, [names]);
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export function listen(): void {
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    if (typing(e.target)) {
      if (e.key === "Escape") (e.target as HTMLElement).blur();
      return;
    }
    const full = prefix ? `${prefix} ${e.key}` : e.key;
    const known = [...ofPage.value, ...everywhere];
    const found = known.find((k) => k.key === full);
    clearTimeout(forget);
    prefix = "";
    if (found) {
      e.preventDefault();
      found.run();
    } else if (known.some((k) => k.key.startsWith(e.key + " "))) {
      prefix = e.key;
      forget = setTimeout(() => (prefix = ""), 1500);
    }
  });
}
