import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative, resolve } from "node:path";
import { defineConfig } from "vitepress";

const PROJECT = resolve(import.meta.dirname, "../..");
const PAGES = join(PROJECT, "docs");
const { description, homepage } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
const REPOSITORY = homepage.replace(/#.*$/, "");

export default defineConfig({
  title: "hasta-la-vista",
  description,
  lang: "en",
  srcDir: "../docs",
  outDir: "dist",
  cacheDir: "node_modules/.cache/vitepress",
  base: process.env.SITE_BASE ?? "/",
  cleanUrls: false,
  rewrites: { "README.md": "index.md" },
  head: [["link", { rel: "icon", href: "data:," }]],
  markdown: {
    anchor: { slugify: slugOnGitHub },
    languageAlias: { crontab: "sh" },
    config(md) {
      md.core.ruler.push("files-of-the-repository", ({ tokens, env }) => {
        for (const { children } of tokens)
          for (const token of children ?? []) leadToRepository(token, env.relativePath);
      });
      const { code_inline: codeInline } = md.renderer.rules;
      md.renderer.rules.code_inline = (...args) => withBreaks(codeInline(...args));
    },
  },
  vite: { plugins: [{ name: "packages-of-pages", enforce: "pre", resolveId: resolveForPage }] },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Install", link: "/install" },
      { text: "EKS nodes", link: "/eks" },
      { text: "Ways in", link: "/wiring" },
      { text: "Configuration", link: "/configuration" },
      { text: "Troubleshooting", link: "/troubleshooting" },
      { text: "Repository", link: REPOSITORY },
    ],
    sidebar: groupsOfIndex(),
    externalLinkIcon: true,
  },
});

/** The pages are outside this folder, where what they are compiled to finds no packages. */
function resolveForPage(source, importer, { ssr }) {
  if (!/^vue(?:$|\/)/.test(source) || !importer?.startsWith(PAGES)) return null;
  // Node finds it for the program that renders the pages, which is below this folder.
  if (ssr) return { id: source, external: true };
  return this.resolve(source, import.meta.filename, { skipSelf: true });
}

/** The anchor that GitHub gives a heading. The pages are read there too, so their links use these. */
function slugOnGitHub(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
}

/** A link to a file that is not a page of the site, such as a scenario or a decision, leads to the repository. */
function leadToRepository(token, page) {
  const href = token.type === "link_open" ? token.attrGet("href") : null;
  if (href === null || /^(?:[a-z]+:|#|\/)/.test(href)) return;
  const [path = "", anchor] = href.split("#");
  const file = normalize(join(PAGES, dirname(page), path));
  if (file.endsWith(".md") && dirname(file) === PAGES) return;
  if (!existsSync(file)) throw new Error(`docs/${page} links to ${href}, which does not exist`);
  token.attrSet(
    "href",
    `${REPOSITORY}/blob/main/${relative(PROJECT, file)}${anchor === undefined ? "" : `#${anchor}`}`,
  );
}

/** Long names in a table may break at `_`, or they push the other columns out of sight. A flag keeps its hyphens. */
function withBreaks(html) {
  return html.replace(/(>)([^<]*)(<)/, (_, before, text, after) => {
    const flags = text.replace(/(^|\s)(--\w+)/g, '$1<span style="white-space: nowrap">$2</span>');
    return `${before}${text.length > 20 && flags === text ? text.replaceAll("_", "_<wbr>") : flags}${after}`;
  });
}

/** The index has a section for each group of pages, with a table of them. */
function groupsOfIndex() {
  const [, ...sections] = readFileSync(join(PAGES, "README.md"), "utf8").split(/^## /m);
  return sections.map((section) => {
    const items = [...section.matchAll(/^\| \[([^\]]+)\]\(([\w-]+)\.md\) \|/gm)].map(([, text, page]) => ({
      text,
      link: `/${page}`,
    }));
    return { text: section.split("\n", 1)[0], items };
  });
}
