import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { dark } from "./theme";

export interface Series {
  name: string;
  color: string; // name of a custom property of style.css
  values: (number | null)[];
  fill?: boolean;
  dash?: boolean;
}

const height = 168;
// Between two lines: 1, 2 and 5 only, for what is between is rounded to one digit.
const steps = Array.from({ length: 15 }, (_, e) => [1, 2, 5].map((n) => n * 10 ** (e - 2))).flat();
const font = "11px system-ui, sans-serif";

/** A chart of series over time, in seconds since 1970. */
export function Chart({ title, times, series, format, unit = 1 }: {
  title: string;
  times: number[];
  series: Series[];
  format: (v: number) => string;
  unit?: number; // the smallest value worth a line of its own, where there is nothing but zeros
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const isDark = dark.value;
  const names = series.map((s) => s.name).join();

  useEffect(() => {
    const element = box.current!;
    const css = getComputedStyle(document.documentElement);
    const color = (name: string) => css.getPropertyValue(name).trim();
    const axis = {
      stroke: color("--faint"),
      font,
      grid: { stroke: color("--grid"), width: 1 },
      ticks: { show: false },
    };
    plot.current = new uPlot(
      {
        width: Math.max(element.clientWidth, 200),
        height,
        padding: [8, 24, 0, 0], // the last time stands in its middle at the edge
        legend: { show: false },
        cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false }, sync: { key: "overview" } },
        hooks: { setCursor: [(u) => readOut(u, element, series, format)] },
        scales: { y: { range: (_u, _min, max) => [0, max > 0 ? max * 1.12 : 4 * unit] } },
        axes: [
          { ...axis, space: 48, values: "{HH}:{mm}", size: 24 } as uPlot.Axis,
          { ...axis, size: 54, space: 34, incrs: steps, values: (_u, splits) => splits.map((v) => format(v).replace(" min", "m").replace(/ (s|ms|h|d)/g, "$1")) } as uPlot.Axis,
        ],
        series: [
          {},
          ...series.map((s) => ({
            label: s.name,
            stroke: color(s.color),
            width: 1.5,
            points: { show: false },
            ...(s.fill ? { fill: color(s.color + "-fill") } : {}),
            ...(s.dash ? { dash: [4, 3] } : {}),
          })),
        ],
      },
      [times, ...series.map((s) => s.values)] as uPlot.AlignedData,
      element,
    );
    const resize = new ResizeObserver(() => plot.current?.setSize({ width: Math.max(element.clientWidth, 200), height }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [isDark, names]);

  useEffect(() => {
    plot.current?.setData([times, ...series.map((s) => s.values)] as uPlot.AlignedData);
  }, [times, series]);

  const last = series.map((s) => {
    const v = s.values.findLast((x) => x !== null);
    return { ...s, last: v === undefined || v === null ? "–" : format(v) };
  });
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="legend">
          {last.map((s, i) => (
            <span key={s.name}>
              <i class={`swatch ${s.color.slice(2)}`} />
              {s.name} <b data-series={i}>{s.last}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={box} role="img" aria-label={`${title}: ${last.map((s) => `${s.name} ${s.last}`).join(", ")}`} />
    </figure>
  );
}

// Shows the values under the pointer in the legend, and the last ones when it is gone.
function readOut(u: uPlot, element: HTMLElement, series: Series[], format: (v: number) => string): void {
  const idx = u.cursor.idx;
  if (idx === null || idx === undefined) return;
  const legend = element.parentElement?.querySelectorAll<HTMLElement>("[data-series]");
  series.forEach((_, i) => {
    const v = u.data[i + 1]?.[idx];
    const cell = legend?.[i];
    if (cell) cell.textContent = v === null || v === undefined ? "–" : format(v);
  });
}

/** A small line without axes. */
export function Spark({ values, color, label }: { values: (number | null)[]; color: string; label: string }) {
  const known = values.map((v) => v ?? 0);
  const top = Math.max(...known, 1e-9);
  const step = 100 / Math.max(known.length - 1, 1);
  const points = known.map((v, i) => `${(i * step).toFixed(1)},${(22 - (v / top) * 20).toFixed(1)}`).join(" ");
  return (
    <svg class={`spark ${color}`} viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points} />
    </svg>
  );
}
