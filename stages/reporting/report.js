"use strict";
// Hides and shows what is on the page already. A filter can be given in the address: report.html#stage=dedup
const FIRST = 20; // entries shown until all are asked for

for (const anchor of document.querySelectorAll("[data-entry] > span[id]")) anchor.remove(); // where links lead without this script

const browsers = [...document.querySelectorAll("[data-browser]")].map((section) => {
  const controls = [...section.querySelectorAll("[data-key]")];
  const entries = [...section.querySelectorAll("[data-entry]")];
  const status = section.querySelector("[data-status]");
  const more = section.querySelector("[data-all]");
  const browser = { section, controls, all: false };

  const fits = (entry) => controls.every(({ value, dataset: { key } }) =>
    !value || (key === "find" ? entry.textContent.toLowerCase().includes(value.toLowerCase()) : entry.dataset[key] === value));

  browser.show = () => {
    const found = entries.filter(fits);
    const shown = new Set(browser.all ? found : found.slice(0, FIRST));
    for (const entry of entries) entry.hidden = !shown.has(entry);
    more.hidden = shown.size === found.length;
    more.textContent = `Show all ${found.length}`;
    status.textContent = `${found.length} of ${entries.length} ${status.dataset.noun} on this page fit; ${shown.size} shown.`;
  };
  browser.set = (values) => {
    for (const control of controls) control.value = values.get(control.dataset.key) ?? "";
    browser.all = false;
    browser.show();
  };
  const changed = () => {
    const values = new URLSearchParams(controls.filter(({ value }) => value).map(({ value, dataset }) => [dataset.key, value]));
    browser.all = false;
    browser.show();
    history.replaceState(null, "", `#${values.size ? values : section.id}`);
  };

  section.querySelector("[data-filters]").hidden = false;
  for (const control of controls) control.addEventListener("input", changed);
  section.querySelector("[data-reset]").addEventListener("click", () => {
    browser.set(new URLSearchParams());
    changed();
  });
  more.addEventListener("click", () => {
    const next = entries.filter((entry) => !entry.hidden).length;
    browser.all = true;
    browser.show();
    entries.filter((entry) => !entry.hidden)[next].querySelector("summary").focus();
  });
  browser.show();
  return browser;
});

function follow() {
  const values = new URLSearchParams(location.hash.slice(1));
  const keys = [...values.keys()];
  const browser = location.hash.includes("=") &&
    browsers.find(({ controls }) => keys.every((key) => controls.some(({ dataset }) => dataset.key === key)));
  if (!browser) return;
  browser.set(values);
  browser.section.scrollIntoView();
  browser.section.querySelector("h2").focus({ preventScroll: true });
}

const closed = [];
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details:not([open])")) {
    each.open = true;
    closed.push(each);
  }
});
addEventListener("afterprint", () => {
  for (const each of closed.splice(0)) each.open = false;
});
addEventListener("hashchange", follow);
addEventListener("click", ({ target }) => {
  const link = target.closest("a");
  if (link && link.hash === location.hash) follow(); // the same link again: nothing changes that would be heard of
});
follow();
