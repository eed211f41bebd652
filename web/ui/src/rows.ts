import { useEffect, useState } from "preact/hooks";
import { useKeys } from "./keys";
import { go } from "./route";

/** A row that is moved to by j and k and opened by Enter. */
export function useRows(links: string[], enabled = true): { at: number; set: (n: number) => void } {
  const [at, set] = useState(-1);
  const move = (by: number) => set((n) => Math.max(0, Math.min(links.length - 1, n + by)));
  useEffect(() => {
    if (at >= 0) document.querySelector("main tr.at")?.scrollIntoView({ block: "nearest" });
    if (at >= links.length) set(links.length - 1);
  }, [at, links.length]);
  const count = links.length;
  const target = at >= 0 ? links[at] : undefined;
  useKeys(
    enabled && count > 0
      ? [
          { key: "j", what: "Next row", run: () => move(1) },
          { key: "k", what: "Row before", run: () => move(-1) },
          {
            key: "o",
            what: "Open the row",
            run: () => {
              if (target) go(target);
            },
          },
        ]
      : [],
  );
  return { at, set };
}
