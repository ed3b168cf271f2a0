"use strict";
// Parts of a page that load again by themselves: paused on demand and while nobody looks; what a person
// opened, selected or scrolled to stays as it was.

const live = { paused: false, kept: new Map() };  // what was there before a swap, by id

function isAtEnd(box) {
  return box.scrollHeight - box.scrollTop - box.clientHeight < 24;
}

function remember(target) {
  const log = target.querySelector(".log");
  live.kept.set(target.id, {
    open: [...target.querySelectorAll("details[open][id]")].map((found) => found.id),
    scroll: log && !isAtEnd(log) ? log.scrollTop : null,
    focus: target.contains(document.activeElement) ? document.activeElement.id : "",
    state: target.dataset.state,
  });
}

function restore(target) {
  const kept = live.kept.get(target.id) || { open: [], scroll: null, focus: "", state: target.dataset.state };
  for (const id of kept.open) document.getElementById(id)?.setAttribute("open", "");
  const log = target.querySelector(".log");
  if (log) log.scrollTop = kept.scroll ?? log.scrollHeight;
  if (kept.focus) document.getElementById(kept.focus)?.focus({ preventScroll: true });
  const place = document.getElementById("announcement");
  if (place && target.dataset.state && kept.state !== target.dataset.state) {
    place.textContent = `State: ${target.dataset.state}`;
  }
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (!("live" in event.detail.elt.dataset)) return;
  const isFirst = event.detail.requestConfig.triggeringEvent?.type === "load";
  const isSelecting = String(getSelection()).length > 0 && event.detail.elt.contains(getSelection().anchorNode);
  if (!isFirst && (live.paused || document.hidden || isSelecting)) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (!("live" in event.detail.target.dataset)) return;
  if (event.detail.xhr.status !== 200 || !event.detail.xhr.responseURL.includes("/deployments")) {
    event.detail.shouldSwap = false;
    return;
  }
  remember(event.detail.target);
});
document.addEventListener("htmx:afterSettle", (event) => {
  const target = document.getElementById(event.detail.target.id);
  if (target && "live" in target.dataset) restore(target);
});

document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-pause]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      live.paused = !live.paused;
      button.textContent = live.paused ? "Go on" : "Pause";
    });
  }
});
