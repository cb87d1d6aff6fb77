// Colours and hatches of canvases: those of the page's style, so that light, dark and print look alike.

const palette = {};
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const readPalette = () => {
  const style = getComputedStyle(document.documentElement);
  const names = ["card", "ground", "ink", "muted", "line", "edge", "accent", "crossing", "npu", "gpu", "cpu", "host", "on"];
  for (const name of names) palette[name] = style.getPropertyValue(`--${name}`).trim();
  palette.hatch = { gpu: hatch("gpu"), cpu: hatch("cpu") };
  palette.font = style.getPropertyValue("--font");
};

// A second sign beside the colour: GPUs have stripes, CPUs dots, NPUs neither.
const hatch = (kind) => {
  const tile = document.createElement("canvas");
  const ratio = window.devicePixelRatio || 1;
  const size = Math.round(6 * ratio);
  tile.width = tile.height = size;
  const pen = tile.getContext("2d");
  pen.strokeStyle = pen.fillStyle = "rgba(0, 0, 0, 0.42)";
  if (kind === "gpu") {
    pen.lineWidth = 1.3 * ratio;
    pen.beginPath();
    for (const shift of [-size, 0, size]) {
      pen.moveTo(shift - 1, size + 1);
      pen.lineTo(shift + size + 1, -1);
    }
    pen.stroke();
  } else {
    pen.beginPath();
    pen.arc(size / 2, size / 2, 1.15 * ratio, 0, 7);
    pen.fill();
  }
  return tile;
};

// Fill the pen's path, or a rectangle, in a device's colour and hatch. Hatches keep their size at any zoom.
const fillDevice = (pen, kind, zoom) => {
  pen.fillStyle = palette[kind];
  pen.fill();
  const tile = palette.hatch[kind];
  if (!tile) return;
  const pattern = pen.createPattern(tile, "repeat");
  const ratio = window.devicePixelRatio || 1;
  pattern.setTransform(new DOMMatrix().scale(1 / (ratio * zoom)));
  pen.fillStyle = pattern;
  pen.fill();
};

const fitCanvas = (canvas) => {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  return ratio;
};

// Text that fits into a width, its middle left out: the ends of names tell most.
const fitted = new Map();
const fitText = (pen, text, width) => {
  const key = `${pen.font}|${Math.round(width)}|${text}`;
  const known = fitted.get(key);
  if (known !== undefined) return known;
  let shown = text;
  if (text.length * 11 > width && pen.measureText(text).width > width) {
    let low = 0;
    let high = text.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (pen.measureText(shortened(text, middle)).width <= width) low = middle;
      else high = middle - 1;
    }
    shown = low > 1 ? shortened(text, low) : "";
  }
  if (fitted.size > 20000) fitted.clear();
  fitted.set(key, shown);
  return shown;
};

const shortened = (text, letters) => {
  if (letters >= text.length) return text;
  const head = Math.ceil(letters * 0.45);
  return `${text.slice(0, head)}…${text.slice(text.length - (letters - head))}`;
};
