import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

/**
 * Checks the site as it was built: every link leads to a page that there is, and to an anchor of it, and no page loads
 * anything from another host.
 */
const DIST = join(import.meta.dirname, "dist");
const BASE = process.env.SITE_BASE ?? "/";
/**
 * What the programs of the site name without calling it: a namespace, a base for relative addresses, messages for
 * developers, and icons of the theme's social links, of which the site has none.
 */
const NAMED_ONLY = ["www.w3.org", "a.com", "vuejs.org", "github.com", "api.iconify.design"];

/** Programs that carry what the pages say, with the addresses in it. */
const HAS_TEXT_OF_PAGES = /\.md\.|localSearchIndex/;

const files = readdirSync(DIST, { recursive: true, encoding: "utf8" }).map((file) => file.replaceAll("\\", "/"));
const pages = new Map(
  files.filter((file) => file.endsWith(".html")).map((file) => [file, readFileSync(join(DIST, file), "utf8")]),
);
const problems = [];

for (const [page, html] of pages) {
  for (const [, href] of html.matchAll(/<a\b[^>]*?\shref="([^"]*)"/g)) checkLink(page, unescaped(href));
  for (const [, address] of html.matchAll(/<(?:script|img|link|iframe|source)\b[^>]*?\s(?:src|href)="([^"]*)"/g))
    checkLoaded(page, unescaped(address));
}
for (const file of files.filter((name) => name.endsWith(".css")))
  for (const [, address] of readFileSync(join(DIST, file), "utf8").matchAll(/url\(["']?([^"')]+)/g))
    checkLoaded(file, address);
for (const file of files.filter((name) => name.endsWith(".js") && !HAS_TEXT_OF_PAGES.test(name)))
  for (const [, host] of readFileSync(join(DIST, file), "utf8").matchAll(/https?:\/\/([\w.-]+)/g))
    if (!NAMED_ONLY.includes(host)) problems.push(`${file} names the host ${host}`);
if (pages.size < 15) problems.push(`there are only ${pages.size} pages`);

for (const problem of problems) console.error(problem);
console.info(`${pages.size} pages, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;

function checkLink(page, href) {
  if (/^(?:https?|mailto):/.test(href)) return;
  const [path = "", anchor] = href.split("#");
  const target = path === "" ? page : fileOf(page, path);
  const html = pages.get(target);
  if (html === undefined && !files.includes(target)) problems.push(`${page} links to ${href}, which does not exist`);
  else if (anchor && !html?.includes(` id="${decodeURIComponent(anchor)}"`))
    problems.push(`${page} links to ${href}, which has no such heading`);
}

function checkLoaded(file, address) {
  if (/^data:/.test(address)) return;
  if (/^(?:[a-z]+:)?\/\//.test(address)) problems.push(`${file} loads ${address} from another host`);
  else if (!files.includes(fileOf(file, address.replace(/[?#].*$/, ""))))
    problems.push(`${file} loads ${address}, which does not exist`);
}

/** Where an address leads to within the site. */
function fileOf(from, address) {
  const path = address.startsWith(BASE) ? address.slice(BASE.length) : posix.join(dirname(from), address);
  return path === "" || path.endsWith("/") ? `${path}index.html` : decodeURIComponent(path);
}

function unescaped(text) {
  return text.replaceAll("&amp;", "&").replaceAll("&quot;", '"');
}
