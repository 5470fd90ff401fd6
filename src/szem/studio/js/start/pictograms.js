// One small drawing for each page of the path: ink lines, and the highlighter on what matters.

import { s } from "../dom.js";

const line = (d) => s("path", { d, class: "ink" });
const mark = (d) => s("path", { d, class: "mark-fill" });
const dot = (cx, cy, r, kind = "ink-fill") => s("circle", { cx, cy, r, class: kind });
const box = (x, y, width, height, kind = "ink") => s("rect", { x, y, width, height, class: kind });

const DRAWINGS = {
  pixels: () => {
    const cells = [];
    for (let y = 0; y < 4; y++) for (let x = 0; x < 6; x++) if ((x * 5 + y * 3) % 4 === 0) cells.push(box(18 + x * 10, 16 + y * 10, 10, 10, "ink-fill"));
    return [box(48, 26, 10, 10, "mark-fill"), ...cells, line("M18 16h60v40H18zM28 16v40M38 16v40M48 16v40M58 16v40M68 16v40M18 26h60M18 36h60M18 46h60")];
  },
  kernels: () => {
    const cells = [];
    for (let y = 0; y < 5; y++) for (let x = 0; x < 7; x++) cells.push(box(13 + x * 10, 11 + y * 10, 10, 10, "thin"));
    return [box(33, 21, 30, 30, "mark-fill"), ...cells, box(33, 21, 30, 30), dot(48, 36, 3.2)];
  },
  normalise: () => [
    box(16, 30, 12, 28, "mark-fill"),
    line("M10 58h76M16 58V30h12v28M34 58V16h12v42M52 58V24h12v34M70 58V44h12v14"),
    line("M10 37h6m4 0h8m4 0h8m4 0h8m4 0h8m4 0h8m4 0h8"),
  ],
  edges: () => [
    mark("M48 10h36v52H48z"),
    line("M12 10h72v52H12zM48 10v52"),
    line("M26 36h20m0 0-7-6m7 6-7 6"),
    line("M66 22v24m0 0-6-7m6 7 6-7"),
  ],
  neuron: () => [
    ...[0, 1, 2].map((k) => line(`M14 ${16 + k * 20} 44 36`)),
    ...[0, 1, 2].map((k) => dot(14, 16 + k * 20, 4)),
    dot(50, 36, 9, "mark-dot"),
    line("M59 36h10"),
    ...[0, 1, 2].map((k) => dot(78, 16 + k * 20, 6, "ink")),
  ],
  depth: () => [
    mark("M14 24h34v34H14z"),
    ...[0, 1, 2, 3].map((k) => line(k === 0 ? "M14 24h34v34H14z" : `M${14 + k * 10} ${24 - k * 5}h34v34h-${k === 3 ? 6 : 6}`)),
  ],
  stride: () => [
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((k) =>
      dot(13 + k * 10, 50, k % 3 === 0 ? 4.5 : 2, k % 3 === 0 ? "mark-dot" : "ink-fill"),
    ),
    line("M13 40c6-20 24-20 30 0m0 0c6-20 24-20 30 0m0 0-7-5m7 5 3-8"),
  ],
  pooling: () => [
    box(12, 14, 20, 20, "mark-fill"),
    line("M12 14h40v40H12zM32 14v40M12 34h40M58 34h10m0 0-5-4m5 4-5 4"),
    box(72, 24, 10, 10, "mark-fill"),
    line("M72 24h20v20H72zM82 24v20M72 34h20"),
  ],
  locality: () => [
    mark("M20 60h56L54 34H42z"),
    line("M12 60h72M26 36h44M40 14h16"),
    line("M48 14 34 36M48 14l14 22M34 36 20 60M62 36l14 24"),
    dot(48, 14, 4.5, "mark-dot"),
  ],
  atrous: () =>
    [0, 1, 2].flatMap((y) =>
      [0, 1, 2].map((x) => box(22 + x * 20, 10 + y * 20, 12, 12, x === 1 && y === 1 ? "mark-fill" : "ink")),
    ),
  layers: () => [mark("M48 18 72 58H24z"), line("M46 10 16 60"), line("M50 10 80 60"), line("M14 64h68")],
  recognise: () => [
    box(12, 12, 66, 10, "mark-fill"),
    line("M12 12h66v10H12z"),
    line("M12 31h38v10H12z"),
    line("M12 50h20v10H12z"),
  ],
  detect: () => [
    line("M10 60c8-14 16-14 22-4 8-18 20-24 32-6 6-8 14-8 22 10"),
    box(34, 16, 36, 40),
    mark("M34 8h24v9H34z"),
    line("M34 8h24v9H34z"),
  ],
  segment: () => [
    mark("M12 46c14-12 22 2 34-6s22-8 38 2v20H12z"),
    line("M12 10h72v52H12z"),
    line("M12 46c14-12 22 2 34-6s22-8 38 2"),
    line("M26 38V26m0 0a6 6 0 1 1 .1 0"),
  ],
  lips: () => [
    mark("M18 34c10 18 50 18 60 0-14 6-46 6-60 0z"),
    line("M18 34c10-16 22-16 30-8 8-8 20-8 30 8-10 18-50 18-60 0z"),
    line("M18 34c14 6 46 6 60 0"),
  ],
  guard: () => [line("M8 40h16l4-8 5 16 5-10h6"), mark("M48 14h6v46h-6z"), line("M44 38l7-26 8 50 6-30 5 12 4-4h14")],
  caption: () => [
    line("M12 10h40v34H12z"),
    line("m12 38 12-12 9 8 7-6 12 12"),
    dot(42, 20, 3.6),
    box(12, 52, 22, 8, "mark-fill"),
    line("M12 56h22M40 56h18M64 56h20"),
  ],
  draw: () => [
    line("M10 22h26M10 32h18M10 42h22"),
    line("M40 36h8m0 0-4-4m4 4-4 4"),
    ...[0, 1, 2, 3, 4].map((k) => {
      const a = (k / 5) * 2 * Math.PI - Math.PI / 2;
      return dot(71 + 10 * Math.cos(a), 30 + 10 * Math.sin(a), 7, "ink");
    }),
    dot(71, 30, 6, "mark-dot"),
    line("M71 46v18m0-6c4-6 8-6 11-6"),
  ],
};

export function pictogram(name) {
  return s("svg", { viewBox: "0 0 96 72", class: "pictogram", "aria-hidden": "true" }, DRAWINGS[name]());
}
