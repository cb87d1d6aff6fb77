// Mouse, touch and keyboard on the graph.

const pointers = new Map();
let dragged = 0;

const at = (event) => {
  const place = viewer.canvas.getBoundingClientRect();
  return { x: event.clientX - place.left, y: event.clientY - place.top };
};

const boxUnder = ({ x, y }) => {
  const { camera, scene } = viewer;
  return scene.boxAt((x - camera.x) / camera.zoom, (y - camera.y) / camera.zoom);
};

const pointerDown = (event) => {
  viewer.canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, at(event));
  dragged = 0;
};

const pointerMove = (event) => {
  const now = at(event);
  const before = pointers.get(event.pointerId);
  if (!before) {
    hover(boxUnder(now), event);
    return;
  }
  if (pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const far = (place) => Math.hypot(place.x - other.x, place.y - other.y);
    if (far(before) > 0) zoomBy(far(now) / far(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    dragged = 99;
  } else {
    panBy(now.x - before.x, now.y - before.y);
    dragged += Math.hypot(now.x - before.x, now.y - before.y);
  }
  if (dragged > 4) hover(-1);
  pointers.set(event.pointerId, now);
};

const pointerUp = (event) => {
  const known = pointers.delete(event.pointerId);
  if (!known || event.type === "pointercancel" || dragged > 4 || pointers.size) return;
  const box = boxUnder(at(event));
  if (box >= 0) enter(box);
  else select(-1);
  hover(-1);
};

// The page scrolls under a wheel until the graph is chosen: else nobody could pass it.
const wheel = (event) => {
  if (document.activeElement !== viewer.canvas && !event.ctrlKey && !event.metaKey) {
    hint();
    return;
  }
  event.preventDefault();
  const step = event.deltaMode === 1 ? 16 : 1;
  const { x, y } = at(event);
  zoomBy(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * step)) / (event.ctrlKey ? 120 : 420)), x, y);
};

let hinted = 0;
const hint = () => {
  const words = document.getElementById("hint");
  words.classList.add("shown");
  clearTimeout(hinted);
  hinted = setTimeout(() => words.classList.remove("shown"), 1400);
};

const nextBox = (step) => {
  const { scene, selected } = viewer;
  const order = (scene.order ||= Array.from({ length: scene.count }, (_, i) => i).sort((a, b) =>
    scene.sideways ? scene.x[a] - scene.x[b] || scene.y[a] - scene.y[b] : scene.y[a] - scene.y[b] || scene.x[a] - scene.x[b],
  ));
  const place = selected < 0 ? (step > 0 ? -1 : 0) : order.indexOf(selected);
  select(order[(place + step + order.length) % order.length]);
};

const PAN = 80;
const KEYS = {
  ArrowLeft: () => panBy(PAN, 0),
  ArrowRight: () => panBy(-PAN, 0),
  ArrowUp: () => panBy(0, PAN),
  ArrowDown: () => panBy(0, -PAN),
  "+": () => zoomBy(1.25),
  "=": () => zoomBy(1.25),
  "-": () => zoomBy(0.8),
  0: () => fitAll(),
  j: () => nextBox(1),
  k: () => nextBox(-1),
  n: () => nextBox(1),
  p: () => nextBox(-1),
  Enter: () => viewer.selected >= 0 && enter(viewer.selected),
  " ": () => viewer.selected >= 0 && enter(viewer.selected),
  Escape: () => (viewer.level === "top" ? select(-1) : back()),
  Backspace: () => back(),
};

const keyDown = (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
};

const listen = () => {
  const { canvas } = viewer;
  canvas.addEventListener("pointerdown", pointerDown);
  canvas.addEventListener("pointermove", pointerMove);
  canvas.addEventListener("pointerup", pointerUp);
  canvas.addEventListener("pointercancel", pointerUp);
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("wheel", wheel, { passive: false });
  canvas.addEventListener("keydown", keyDown);
  const onMap = (event) => event.buttons && moveMap(event);
  map.canvas.addEventListener("pointerdown", onMap);
  map.canvas.addEventListener("pointermove", onMap);
};
