// Looks at pages of an application that draws itself: `node look.cjs JOB.json` prints what could be seen, as JSON.
//
// A job names the browser's program, the modules' directory and steps. Each step opens a page of its own, waits until
// every text of `texts` can be seen (and each selector of `wait` is there), and tells the words on the page, the pictures
// that were drawn, and every request.
"use strict";
const fs = require("fs");
const path = require("path");
const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const { chromium } = require(path.join(job.modules, "playwright-core"));
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];

async function look(browser, step) {
  const context = await browser.newContext({ viewport: { width: 1500, height: step.height || 1100 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  const told = { requests: [] };
  page.on("request", (request) => told.requests.push(request.url()));
  try {
    await page.goto(step.url, { waitUntil: "load" });
    const deadline = Date.now() + 60000;
    const words = () => page.evaluate(() => document.body.innerText);
    for (;;) {
      const seen = await words();
      told.missing = (step.texts || []).filter((text) => !seen.includes(text));
      if (!told.missing.length || Date.now() > deadline) break;
      await page.waitForTimeout(200);
    }
    for (const selector of step.wait || []) await page.locator(selector).first().waitFor({ timeout: 30000 });
    if (step.pictures) await page.waitForFunction(() => [...document.images].some((one) => one.complete && one.naturalWidth > 200), null, { timeout: 30000 });
    told.text = await words();
    told.pictures = await page.evaluate(() => [...document.images].map((one) => [one.src.slice(0, 200), one.naturalWidth, one.naturalHeight]));
    told.url = page.url();
  } catch (error) {
    told.failed = String(error);
    told.text = await page.evaluate(() => document.body.innerText).catch(() => "");
  }
  if (step.screenshot) await page.screenshot({ path: step.screenshot, fullPage: true, animations: "disabled" });
  await context.close();
  return told;
}

(async () => {
  const browser = await chromium.launch({ executablePath: job.browser, args: FLAGS, headless: true });
  const out = [];
  try {
    for (const step of job.steps) out.push(await look(browser, step));
  } finally {
    await browser.close();
  }
  process.stdout.write(JSON.stringify(out));
})();
