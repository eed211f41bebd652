import { type Signal, signal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { type Answer, locked, Problem, request } from "./api";
import { slowBeat, taskBeat } from "./live";

export interface Loaded<T> {
  data: Signal<T | null>;
  error: Signal<Problem | null>;
  loading: Signal<boolean>;
  etag: Signal<string>;
  reload: () => Promise<void>;
}

/** How old the last answer was: of which index, if it did not come from a leader. */
export const staleness = signal<{ index: string } | null>(null);

export type Beat = "none" | "slow" | "tasks";

/**
 * Loads a path, again when it changes and with the beat. What was shown stays until the next answer is there, also when
 * that is an error; an answer to an older question is dropped.
 */
export function useLoad<T>(path: string | null, beat: Beat = "slow"): Loaded<T> {
  const state = useMemo(() => loader<T>(), []);
  useEffect(() => {
    state.ask(path);
    return () => state.ask(null);
  }, [path]);
  useSignalEffect(() => {
    if (beat === "none") return;
    slowBeat.value;
    if (beat === "tasks") taskBeat.value;
    void state.reload(true);
  });
  return state;
}

function loader<T>() {
  const data = signal<T | null>(null);
  const error = signal<Problem | null>(null);
  const loading = signal(false);
  const etag = signal("");
  let path: string | null = null;
  let asked = 0;
  let busy = false;
  let again = false;

  async function reload(quiet = false): Promise<void> {
    if (path === null || locked.peek()) return;
    if (busy && quiet) {
      again = true;
      return;
    }
    const mine = ++asked;
    busy = true;
    if (!quiet) loading.value = true;
    try {
      const answer: Answer<T> = await request<T>("GET", path);
      if (mine !== asked) return;
      data.value = answer.body;
      etag.value = answer.etag;
      error.value = null;
      staleness.value = answer.stale ? { index: answer.appliedIndex } : null;
    } catch (e) {
      if (mine !== asked) return;
      error.value = e instanceof Problem ? e : new Problem(0, "", String(e));
    } finally {
      if (mine === asked) {
        busy = false;
        loading.value = false;
        if (again) {
          again = false;
          setTimeout(() => void reload(true), 250);
        }
      }
    }
  }
  return {
    data,
    error,
    loading,
    etag,
    reload,
    ask(next: string | null) {
      if (next === path) return;
      path = next;
      asked++;
      busy = false;
      if (next !== null) void reload();
    },
  };
}
