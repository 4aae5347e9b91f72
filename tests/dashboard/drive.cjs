// Drives a real browser for the tests: `node drive.cjs JOB.json` prints what happened, as JSON.
//
// A job names the browser's program, the modules' directory and steps. Each step opens a page of its own, may click its
// way on, and tells: where it ended, every request, every dialog, every complaint, what axe finds, what the canary holds.
"use strict";
const fs = require("fs");
const path = require("path");
const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const { chromium } = require(path.join(job.modules, "playwright-core"));
const axe = path.join(job.modules, "axe-core", "axe.min.js");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];

async function act(page, action) {
  const [what, where, value] = action;
  const one = where && what !== "press" && what !== "run" ? page.locator(where).first() : null;
  if (what === "click") await Promise.all([page.waitForLoadState("load"), one.click()]);
  else if (what === "type") await one.pressSequentially(value);
  else if (what === "press") await page.keyboard.press(where);
  else if (what === "wait") await one.waitFor({ timeout: 5000 });
  else if (what === "drag") {
    const box = await one.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height - 8);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 - 60, box.y + box.height - 28, { steps: 4 });
    await page.mouse.up();
  } else if (what === "read") return one.evaluate((node, name) => (name ? node.getAttribute(name) : node.textContent), value);
  else if (what === "run") return page.evaluate(where);
  else throw new Error("no action " + what);
  await page.waitForLoadState("load");
  return null;
}

async function take(browser, step) {
  const context = await browser.newContext({
    viewport: { width: step.width || 1280, height: step.height || 900 }, colorScheme: step.dark ? "dark" : "light",
    javaScriptEnabled: step.script !== false, reducedMotion: "reduce", bypassCSP: Boolean(step.axe),
  });
  await context.addInitScript("window.strataCanary = window.strataCanary || [];");
  const page = await context.newPage();
  const told = { requests: [], stopped: [], dialogs: [], complaints: [], read: [] };
  page.on("request", (request) => told.requests.push(request.url()));
  page.on("requestfailed", (request) => { if (/csp/i.test((request.failure() || {}).errorText)) told.stopped.push(request.url()); });
  page.on("dialog", (dialog) => { told.dialogs.push(dialog.message()); dialog.dismiss(); });
  page.on("popup", () => told.dialogs.push("popup"));
  page.on("pageerror", (error) => told.complaints.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") told.complaints.push(message.text()); });
  const answer = await page.goto(step.url, { waitUntil: "load" });
  told.headers = answer ? answer.headers() : {};
  for (const action of step.actions || []) told.read.push(await act(page, action));
  if (step.poke) {
    await page.evaluate(() => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
    await page.evaluate(() => document.querySelectorAll("main *").forEach((each) => {
      for (const name of ["mouseover", "mouseenter", "focus", "pointerenter", "animationstart", "toggle", "error", "load"]) each.dispatchEvent(new Event(name));
    }));
    await page.waitForTimeout(step.poke);
  }
  told.url = page.url();
  told.title = await page.title();
  told.heading = await page.locator("h1").first().textContent();
  if (step.script !== false) {
    told.canary = await page.evaluate(() => [].concat(window.strataCanary, window.pwned || []));
    told.overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  }
  if (step.axe) {
    await page.addScriptTag({ path: axe });
    const found = await page.evaluate(() => window.axe.run(document, { preload: false, resultTypes: ["violations"] }));
    told.axe = found.violations.map((each) => ({ id: each.id, impact: each.impact, nodes: each.nodes.slice(0, 4).map((node) => node.html.slice(0, 200) + " " + (node.any[0] || node.all[0] || node.none[0] || {}).message) }));
  }
  if (step.screenshot) await page.screenshot({ path: step.screenshot, fullPage: Boolean(step.whole), animations: "disabled" });
  await context.close();
  return told;
}

(async () => {
  const browser = await chromium.launch({ executablePath: job.browser, args: FLAGS, headless: true });
  const out = [];
  try {
    for (const step of job.steps) {
      try { out.push(await take(browser, step)); } catch (error) { out.push({ failed: String(error), step }); }
    }
  } finally {
    await browser.close();
  }
  process.stdout.write(JSON.stringify(out));
})();
