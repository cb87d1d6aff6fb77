// One drawing of the graph: where its boxes and edges are, what is visible, and how it looks at each zoom.

const CELL = 600; // of the grid that finds boxes, in the units of the drawing
const TEXT_FROM = 0.42; // zoom from which boxes have text
const SHAPE_FROM = 0.1; // zoom from which boxes have hatches and edges bends

class Scene {
  constructor(source) {
    this.width = source.width;
    this.height = source.height;
    this.sideways = source.sideways === 1;
    this.blocks = source.blocks || [];
    const count = (this.count = source.boxes.length / 6);
    this.kind = new Uint8Array(count);
    this.ref = new Int32Array(count);
    this.x = new Float32Array(count);
    this.y = new Float32Array(count);
    this.w = new Float32Array(count);
    this.h = new Float32Array(count);
    for (let i = 0; i < count; i += 1) {
      [this.kind[i], this.ref[i], this.x[i], this.y[i], this.w[i], this.h[i]] = source.boxes.slice(6 * i, 6 * i + 6);
    }
    this.deviceKind = Array.from({ length: count }, (_, i) => deviceKindOf(this, i));
    const stubs = new Map(); // box -> edges that leave it and are not drawn whole
    const told = new Set();
    this.edges = source.edges.map(([from, to, tensors, points, tail]) => {
      const key = `${from} ${tail ? "stub" : tensors}`;
      const first = !told.has(key);
      told.add(key);
      if (tail) stubs.set(from, (stubs.get(from) || 0) + 1);
      const all = Array.isArray(tensors) ? tensors : [tensors];
      return { from, to, tensors: all, points, tail: tail || null, first };
    });
    this.stubs = stubs;
    this.pieces = []; // of an edge, or of its two tails; those that leave one box alike are one
    const limits = [];
    for (const edge of this.edges) {
      for (const points of edge.tail ? (edge.first ? [edge.points, edge.tail] : [edge.tail]) : [edge.points]) {
        this.pieces.push(edge);
        limits.push(...boundsOf(points));
      }
    }
    this.bounds = new Float32Array(limits);
    this.grid = new Map();
    for (let i = 0; i < count; i += 1) {
      this.cells(this.x[i], this.y[i], this.x[i] + this.w[i], this.y[i] + this.h[i], (cell) => {
        if (this.grid.has(cell)) this.grid.get(cell).push(i);
        else this.grid.set(cell, [i]);
      });
    }
  }

  cells(left, top, right, bottom, visit) {
    for (let row = Math.floor(top / CELL); row <= Math.floor(bottom / CELL); row += 1) {
      for (let column = Math.floor(left / CELL); column <= Math.floor(right / CELL); column += 1) {
        visit(row * 65536 + column);
      }
    }
  }

  // The boxes that a part of the drawing shows.
  boxesIn(left, top, right, bottom) {
    if (left <= 0 && top <= 0 && right >= this.width && bottom >= this.height) {
      return Array.from({ length: this.count }, (_, i) => i);
    }
    const found = [];
    const seen = new Set();
    const [l, t] = [Math.max(left, 0), Math.max(top, 0)];
    const [r, b] = [Math.min(right, this.width), Math.min(bottom, this.height)];
    this.cells(l, t, r, b, (cell) => {
      for (const i of this.grid.get(cell) || []) {
        if (seen.has(i)) continue;
        seen.add(i);
        const inside = this.x[i] <= right && this.x[i] + this.w[i] >= left;
        if (inside && this.y[i] <= bottom && this.y[i] + this.h[i] >= top) found.push(i);
      }
    });
    return found;
  }

  boxAt(x, y) {
    for (const i of this.boxesIn(x, y, x, y)) return i;
    return -1;
  }

  // The box of an operator, partition or tensor; with folded blocks the block that holds the operator.
  find(kind, ref) {
    for (let i = 0; i < this.count; i += 1) {
      if (this.kind[i] === kind && this.ref[i] === ref) return i;
      if (kind === KIND.operator && this.kind[i] === KIND.block && this.blocks[this.ref[i]][1].includes(ref)) return i;
    }
    return -1;
  }

  edgesOf(box) {
    return this.edges.filter((edge) => edge.from === box || edge.to === box);
  }
}

const deviceKindOf = (scene, i) => {
  const ref = scene.ref[i];
  if (scene.kind[i] === KIND.partition) return partitions[ref].device.kind;
  if (scene.kind[i] === KIND.operator) return operators[ref].partition.device.kind;
  if (scene.kind[i] === KIND.block) return operators[scene.blocks[ref][1][0]].partition.device.kind;
  return "host";
};

const boundsOf = (points) => {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    left = Math.min(left, points[i]);
    right = Math.max(right, points[i]);
    top = Math.min(top, points[i + 1]);
    bottom = Math.max(bottom, points[i + 1]);
  }
  return [left, top, right, bottom];
};

// Words of a box: [title, second line, third line].
const wordsOf = (scene, i) => {
  const ref = scene.ref[i];
  switch (scene.kind[i]) {
    case KIND.partition: {
      const each = partitions[ref];
      const figures = each.latency === null ? "" : `${timeText(each.latency)} · ${energyText(each.energy)}`;
      return [each.id, counted(each.operators.length, "operator"), figures];
    }
    case KIND.block: {
      const [title, members, copies] = scene.blocks[ref];
      const each = counted(members.length / copies, "operator");
      return [title, copies > 1 ? `${copies} times the same ${each}` : each];
    }
    case KIND.operator:
      return [operators[ref].type, operators[ref].outputs.length ? shapeOf(operators[ref].outputs[0]) : ""];
    default:
      return [tensor(ref).name];
  }
};

// --- drawing ------------------------------------------------------------------------------------------------------

// Draw what a camera {x, y, zoom} sees of a scene; x and y are the place of the drawing's corner on the screen.
const drawScene = (pen, scene, camera, size, state) => {
  const { zoom } = camera;
  const view = {
    left: -camera.x / zoom,
    top: -camera.y / zoom,
    right: (size.width - camera.x) / zoom,
    bottom: (size.height - camera.y) / zoom,
  };
  pen.save();
  pen.translate(camera.x, camera.y);
  pen.scale(zoom, zoom);
  const shown = scene.boxesIn(view.left, view.top, view.right, view.bottom);
  drawEdges(pen, scene, view, zoom, state);
  if (zoom >= SHAPE_FROM) for (const i of shown) drawBox(pen, scene, i, zoom, state);
  else drawSpecks(pen, scene, shown, zoom, state);
  pen.restore();
  return shown.length;
};

// Edges that are in sight and larger than a few pixels.
const seenEdges = (scene, view, zoom) => {
  const { bounds: at, pieces } = scene;
  const found = new Set();
  const least = 3 / zoom;
  for (let i = 0, piece = 0; piece < pieces.length; i += 4, piece += 1) {
    if (at[i] > view.right || at[i + 2] < view.left || at[i + 1] > view.bottom || at[i + 3] < view.top) continue;
    if (at[i + 2] - at[i] >= least || at[i + 3] - at[i + 1] >= least) found.add(pieces[piece]);
  }
  return found;
};

const drawEdges = (pen, scene, view, zoom, state) => {
  const focus = state.focus;
  const plain = [];
  const crossing = [];
  const near = [];
  for (const edge of seenEdges(scene, view, zoom)) {
    if (focus >= 0 && (edge.from === focus || edge.to === focus)) near.push(edge);
    else if (isCrossing(scene, edge)) crossing.push(edge);
    else plain.push(edge);
  }
  const thin = Math.max(1.4, 0.8 / zoom);
  strokeEdges(pen, scene, plain, palette.edge, thin, zoom);
  strokeEdges(pen, scene, crossing, palette.crossing, 1.3 * thin, zoom);
  strokeEdges(pen, scene, near, palette.accent, 1.7 * thin, zoom);
  if (zoom < TEXT_FROM) return;
  for (const edge of [...plain, ...crossing, ...near]) labelEdge(pen, scene, edge);
};

// Whether a tensor goes from one device to another.
const isCrossing = (scene, edge) => {
  const [from, to] = [scene.deviceKind[edge.from], scene.deviceKind[edge.to]];
  if (scene.kind[edge.from] !== KIND.partition || scene.kind[edge.to] !== KIND.partition) return false;
  return from !== to;
};

const strokeEdges = (pen, scene, edges, color, width, zoom) => {
  if (!edges.length) return;
  pen.strokeStyle = pen.fillStyle = color;
  pen.lineWidth = width;
  pen.lineJoin = "round";
  pen.beginPath();
  for (const edge of edges) {
    trace(pen, edge.points, scene.sideways, zoom);
    if (edge.tail) trace(pen, edge.tail, scene.sideways, zoom);
  }
  pen.stroke();
  if (zoom < 0.25) return;
  pen.beginPath();
  for (const edge of edges) arrow(pen, edge.tail || edge.points, scene.sideways);
  pen.fill();
};

const trace = (pen, points, sideways, zoom) => {
  pen.moveTo(points[0], points[1]);
  for (let i = 2; i < points.length; i += 2) {
    const [x, y] = [points[i], points[i + 1]];
    const [fromX, fromY] = [points[i - 2], points[i - 1]];
    if (zoom < SHAPE_FROM) pen.lineTo(x, y);
    else if (x === fromX || y === fromY) corner(pen, points, i);
    else if (sideways) pen.bezierCurveTo((x + fromX) / 2, fromY, (x + fromX) / 2, y, x, y);
    else pen.bezierCurveTo(fromX, (y + fromY) / 2, x, (y + fromY) / 2, x, y);
  }
};

// A straight piece whose end is round where the next piece turns at a right angle.
const corner = (pen, points, i) => {
  const [x, y] = [points[i], points[i + 1]];
  const turns = i + 2 < points.length && (points[i + 2] === x) !== (points[i - 2] === x) &&
    (points[i + 2] === x || points[i + 3] === y);
  if (!turns) pen.lineTo(x, y);
  else pen.arcTo(x, y, points[i + 2], points[i + 3], 7);
};

const arrow = (pen, points, sideways) => {
  const [x, y] = points.slice(-2);
  pen.moveTo(x, y);
  if (sideways) {
    pen.lineTo(x - 7, y - 3.6);
    pen.lineTo(x - 7, y + 3.6);
  } else {
    pen.lineTo(x - 3.6, y - 7);
    pen.lineTo(x + 3.6, y - 7);
  }
  pen.closePath();
};

// Edges between partitions say how much they carry, stubs where they come from and go to.
const labelEdge = (pen, scene, edge) => {
  pen.font = `500 10.5px ${palette.font}`;
  if (edge.tail) {
    labelStub(pen, scene, edge);
    return;
  }
  if (!edge.first) return;
  if (scene.kind[edge.from] !== KIND.partition && scene.kind[edge.to] !== KIND.partition) return;
  const total = edge.tensors.reduce((sum, each) => (sum === null ? null : add(sum, data.tensors[each][2])), 0);
  if (total === null) return;
  const color = isCrossing(scene, edge) ? palette.crossing : palette.muted;
  label(pen, bytesText(total), ...labelPlace(scene, edge), "center", color);
};

// Near the end that has the fewest edges: there labels do not meet.
const labelPlace = (scene, { points, from, to }) => {
  const last = points.length - 2;
  const part = scene.kind[from] === KIND.input ? 0.2 : scene.kind[to] === KIND.output ? 0.8 : 0.5;
  const start = part > 0.5 ? last - 2 : part < 0.5 ? 0 : 2 * Math.floor((last / 2) / 2 - 0.01);
  const [x, y, nextX, nextY] = points.slice(start, start + 4);
  const eased = part * part * (3 - 2 * part);
  const [along, across] = scene.sideways ? [part, eased] : [eased, part];
  return [x + (nextX - x) * along, y + (nextY - y) * across];
};

const labelStub = (pen, scene, edge) => {
  pen.font = `500 9.5px ${palette.font}`;
  const many = scene.stubs.get(edge.from);
  const [x, y] = edge.points.slice(-2);
  if (many === 1) label(pen, `→ ${wordsOf(scene, edge.to)[0]}`, x + 9, y - 1, "left", palette.muted);
  else if (edge.first) label(pen, `→ ${many} more`, x + 9, y - 1, "left", palette.muted);
  label(pen, `${wordsOf(scene, edge.from)[0]} →`, edge.tail[0] - 9, edge.tail[1] + 2, "right", palette.muted);
};

const add = (a, b) => (b === null ? null : a + b);

const label = (pen, text, x, y, align, color) => {
  const shown = fitText(pen, text, 110);
  const width = pen.measureText(shown).width;
  pen.fillStyle = palette.card;
  pen.globalAlpha = 0.9;
  pen.beginPath();
  const left = { left: x, center: x - width / 2, right: x - width }[align];
  pen.roundRect(left - 4, y - 7.5, width + 8, 15, 4);
  pen.fill();
  pen.globalAlpha = 1;
  pen.fillStyle = color;
  pen.textAlign = align;
  pen.textBaseline = "middle";
  pen.fillText(shown, x, y + 0.5);
};

const drawBox = (pen, scene, i, zoom, state) => {
  const [x, y, w, h] = [scene.x[i], scene.y[i], scene.w[i], scene.h[i]];
  const kind = scene.deviceKind[i];
  const round = kind === "host" ? h / 2 : 7;
  const text = zoom >= TEXT_FROM;
  if (scene.kind[i] === KIND.block && scene.blocks[scene.ref[i]][2] > 1 && text) {
    outline(pen, x + 5, y - 5, w, h, round);
    pen.fillStyle = palette.card;
    pen.fill();
    pen.strokeStyle = palette.line;
    pen.lineWidth = 1;
    pen.stroke();
  }
  outline(pen, x, y, w, h, round);
  if (text || kind === "host") {
    pen.fillStyle = kind === "host" ? palette.ground : palette.card;
    pen.fill();
  } else {
    fillDevice(pen, kind, zoom);
  }
  if (text && kind !== "host") drawBand(pen, x, y, h, kind, zoom, letterOf(scene, i));
  outline(pen, x, y, w, h, round);
  const chosen = i === state.selected;
  pen.lineWidth = chosen || i === state.focus ? Math.max(2.2, 2 / zoom) : 1;
  pen.strokeStyle = chosen || i === state.focus ? palette.accent : kind === "host" ? palette.muted : palette[kind];
  pen.stroke();
  if (state.found.has(i)) halo(pen, x, y, w, h, round, zoom);
  if (text) drawWords(pen, scene, i, kind);
};

const outline = (pen, x, y, w, h, round) => {
  pen.beginPath();
  pen.roundRect(x, y, w, h, round);
};

const halo = (pen, x, y, w, h, round, zoom) => {
  const far = 3 / zoom;
  outline(pen, x - far, y - far, w + 2 * far, h + 2 * far, round + far);
  pen.strokeStyle = palette.crossing;
  pen.lineWidth = 2 / zoom;
  pen.stroke();
};

const BAND = 22;

const drawBand = (pen, x, y, h, kind, zoom, letter) => {
  pen.beginPath();
  pen.roundRect(x, y, BAND, h, [7, 0, 0, 7]);
  fillDevice(pen, kind, zoom);
  pen.beginPath();
  pen.arc(x + BAND / 2, y + h / 2, 8, 0, 7);
  pen.fillStyle = palette[kind];
  pen.fill();
  pen.fillStyle = palette.on;
  pen.font = `700 11px ${palette.font}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(letter, x + BAND / 2, y + h / 2 + 0.5);
};

const letterOf = (scene, i) => {
  const ref = scene.ref[i];
  if (scene.kind[i] === KIND.partition) return partitions[ref].device.letter;
  if (scene.kind[i] === KIND.operator) return operators[ref].partition.device.letter;
  return operators[scene.blocks[ref][1][0]].partition.device.letter;
};

const drawWords = (pen, scene, i, kind) => {
  const lines = wordsOf(scene, i).filter((line) => line);
  const left = scene.x[i] + (kind === "host" ? scene.w[i] / 2 : BAND + 9);
  const room = kind === "host" ? scene.w[i] - 18 : scene.w[i] - BAND - 16;
  const step = lines.length > 2 ? 20 : 16;
  let y = scene.y[i] + scene.h[i] / 2 - (step * (lines.length - 1)) / 2;
  pen.textAlign = kind === "host" ? "center" : "left";
  pen.textBaseline = "middle";
  lines.forEach((line, place) => {
    pen.font = place === 0 && kind !== "host" ? `600 12.5px ${palette.font}` : `11px ${palette.font}`;
    pen.fillStyle = place === 0 ? palette.ink : palette.muted;
    pen.fillText(fitText(pen, line, room), left, y + 0.5);
    y += step;
  });
};

// Far away a box is a speck of its device's colour, and specks that share a pixel are one.
const drawSpecks = (pen, scene, shown, zoom, state) => {
  const least = 1.2 / zoom;
  for (const kind of ["host", "npu", "gpu", "cpu"]) {
    pen.fillStyle = kind === "host" ? palette.muted : palette[kind];
    let last = -1;
    for (const i of shown) {
      if (scene.deviceKind[i] !== kind) continue;
      const pixel = Math.round(scene.x[i] * zoom) * 100003 + Math.round(scene.y[i] * zoom);
      if (pixel === last) continue;
      last = pixel;
      pen.fillRect(scene.x[i], scene.y[i], Math.max(scene.w[i], least), Math.max(scene.h[i], least));
    }
  }
  for (const i of [...state.found, state.selected].filter((each) => each >= 0)) {
    pen.strokeStyle = i === state.selected ? palette.accent : palette.crossing;
    pen.lineWidth = 2 / zoom;
    const far = 4 / zoom;
    pen.strokeRect(scene.x[i] - far, scene.y[i] - far, scene.w[i] + 2 * far, scene.h[i] + 2 * far);
  }
};
