// Local times, pages that stay fresh, logs that follow. Every page is whole without this.
"use strict";
const local = (root) => {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    time.title ||= time.textContent;
    time.dataset.local = "";
    const today = at.toDateString() === new Date().toDateString();
    time.textContent = today
      ? at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
      : at.toLocaleDateString([], { month: "short", day: "numeric" });
  }
};
local(document);

// Takes the new page's piece in place of the old one, unless somebody is at work in it.
const refresh = async (seconds) => {
  const again = () => setTimeout(() => refresh(seconds), seconds * 1000);
  const old = document.getElementById("fresh");
  if (document.hidden || old.contains(document.activeElement) || String(getSelection())) return again();
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("fresh");
    if (!answer.ok || !fresh || !fresh.dataset.refresh) return location.reload();
    for (const id of ["fresh", "alive", "notices"]) {
      const [from, to] = [page.getElementById(id), document.getElementById(id)];
      if (from && to && from.outerHTML !== to.dataset.was) { to.innerHTML = from.innerHTML; to.className = from.className; to.dataset.was = from.outerHTML; local(to); }
    }
    document.title = page.title;
  } catch {
    const alive = document.getElementById("alive");
    alive.className = "alive gone";
    alive.textContent = "the gate does not answer";
  }
  again();
};
const fresh = document.getElementById("fresh");
if (fresh) setTimeout(() => refresh(+fresh.dataset.refresh), fresh.dataset.refresh * 1000);

const log = document.querySelector("[data-live]");
if (log) {
  const MOST = 2000;
  const lines = log.firstElementChild;
  const said = document.querySelector(".live");
  let number = +log.dataset.last;
  const piece = (name, text) => Object.assign(document.createElement(name), { textContent: text });
  const events = new EventSource(log.dataset.live);
  events.onopen = () => { said.textContent = " Follows live."; };
  events.onerror = () => { said.textContent = " The connection is lost; it is tried again."; };
  events.addEventListener("lines", (event) => {
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
    for (const line of JSON.parse(event.data)) {
      number += 1;
      const row = document.createElement("div");
      row.id = "L" + number;
      if (line.o) row.className = "own";
      row.append(Object.assign(piece("a", number), { href: "#L" + number }), piece("i", line.t + " s"), piece("b", line.s), line.l);
      lines.append(row);
    }
    while (lines.childElementCount > MOST) lines.firstElementChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  });
  events.addEventListener("done", () => { events.close(); said.textContent = " Ended."; if (document.getElementById("fresh")) location.reload(); });
  log.classList.add("follows");
  log.scrollTop = log.scrollHeight;
}
