// One page in a headless browser. Reads one JSON request per line, `{"do": ..., ...}`, and answers each with one line:
// `{"value"}`, or `{"error"}` with what the page shows instead. Ends with its input.
//
// Arguments: the browser's program, a folder for its profile, and how long to wait for anything (milliseconds).
import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const [executablePath, userDataDir, timeout] = process.argv.slice(2);
const LOOPBACK_ONLY = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost";

const browser = await puppeteer.launch({
  executablePath,
  userDataDir,
  headless: "shell",
  pipe: true,
  protocolTimeout: 2 * Number(timeout),
  defaultViewport: { width: 1280, height: 1000 },
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    `--host-resolver-rules=${LOOPBACK_ONLY}`,
  ],
});
const page = await browser.newPage();
page.setDefaultTimeout(Number(timeout));

const shown = () => page.evaluate(() => document.body.innerText);

const requests = {
  open: ({ url }) => page.goto(url, { waitUntil: "domcontentloaded" }).then(() => null),
  until: ({ text }) =>
    page.waitForFunction((text) => document.body.innerText.includes(text), {}, text).then(() => null),
  gone: ({ selector }) => page.waitForSelector(selector, { hidden: true }).then(() => null),
  press: ({ selector }) => page.locator(selector).click(),
  write: ({ selector, text }) => page.locator(selector).click().then(() => page.keyboard.type(text)),
  read: shown,
  picture: ({ path }) => page.screenshot({ path }).then(() => null),
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: (await requests[request.do](request)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error.message}\n${await shown()}` }));
  }
}
await browser.close();
