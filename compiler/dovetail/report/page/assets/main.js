// Ties the parts together: toolbar, theme, print.

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");

const theme = () => root.dataset.theme || (dark.matches ? "dark" : "light");

const paintAgain = () => {
  readPalette();
  map.scene = null;
  redraw();
  if (hasTimes()) redrawTimeline();
  const next = theme() === "dark" ? "light" : "dark";
  const button = document.getElementById("theme");
  button.setAttribute("aria-label", `Switch to ${next} colours`);
  button.title = `Switch to ${next} colours`;
};

const switchTheme = () => {
  root.dataset.theme = theme() === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("dovetail-theme", root.dataset.theme);
  } catch {
    // files may have no storage: the choice lasts as long as the page
  }
  paintAgain();
};

const restoreTheme = () => {
  try {
    const kept = localStorage.getItem("dovetail-theme");
    if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  } catch {
    // as above
  }
};

const showPath = () => {
  const { level, partition } = viewer;
  const path = document.getElementById("path");
  const crumbs = [["All partitions", () => open("top"), level === "top"]];
  if (level !== "top") {
    crumbs.push([partitions[partition].id, () => openPartition(partition), level !== "whole" || !hasLevel("folded", partition)]);
    if (level === "whole" && hasLevel("folded", partition)) crumbs.push(["operators", () => undefined, true]);
  }
  path.replaceChildren(...crumbs.map(([text, action, here]) =>
    element("li", {}, here ? element("span", { "aria-current": "page" }, text) : link(text, action))));
  for (const each of LEVELS) {
    const button = document.getElementById(`level-${each}`);
    const number = partition >= 0 ? partition : chosenPartition();
    button.disabled = !hasLevel(each, number);
    button.setAttribute("aria-pressed", String(each === level));
  }
};

// The partition that the level buttons open: the selected one, else the one with most operators.
const chosenPartition = () => {
  const { scene, selected } = viewer;
  if (selected >= 0 && scene.kind[selected] === KIND.partition) return scene.ref[selected];
  let best = -1;
  for (const each of partitions) {
    if (best < 0 || each.operators.length > partitions[best].operators.length) best = each.number;
  }
  return best;
};

const openLevel = (level) => {
  if (level === "top") {
    const { partition } = viewer;
    open("top");
    if (partition >= 0) select(viewer.scene.find(KIND.partition, partition));
  } else open(level, viewer.partition >= 0 ? viewer.partition : chosenPartition());
};

const startToolbar = () => {
  const on = (id, action) => document.getElementById(id).addEventListener("click", action);
  on("theme", switchTheme);
  on("print", () => window.print());
  on("zoom-in", () => zoomBy(1.3));
  on("zoom-out", () => zoomBy(1 / 1.3));
  on("fit", fitAll);
  for (const each of LEVELS) on(`level-${each}`, () => openLevel(each));
};

// On paper: light colours, and the whole of what is open.
const startPrint = () => {
  let before = null;
  window.addEventListener("beforeprint", () => {
    before = { theme: root.dataset.theme, camera: { ...viewer.camera } };
    root.dataset.theme = "light";
    readPalette();
    palette.ground = palette.card;
    viewer.camera = fitCamera(viewer.scene);
    draw();
    if (hasTimes()) drawTimeline();
  });
  window.addEventListener("afterprint", () => {
    if (!before) return;
    if (before.theme) root.dataset.theme = before.theme;
    else delete root.dataset.theme;
    viewer.camera = before.camera;
    paintAgain();
  });
};

const startKeys = () => {
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    search.input.focus();
    search.input.select();
  });
};

const start = () => {
  restoreTheme();
  readPalette();
  viewer.listeners.push(showPath, showPanel);
  startTimeline();
  startSearch();
  startToolbar();
  startPrint();
  startKeys();
  listen();
  open("top");
  if (partitions.length === 1) openPartition(0);
  startTables();
  paintAgain();
  dark.addEventListener("change", paintAgain);
  let before = size();
  new ResizeObserver(() => {
    const now = size();
    if (viewer.moved) {
      viewer.camera.x += (now.width - before.width) / 2;
      viewer.camera.y += (now.height - before.height) / 2;
    } else {
      cancelAnimationFrame(flight);
      viewer.camera = firstCamera(viewer.scene);
    }
    before = now;
    redraw();
    if (hasTimes()) redrawTimeline();
  }).observe(viewer.canvas);
};

start();
