// The licence texts of all third-party code in the bundles, for dist/THIRD-PARTY-LICENSES.
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";

/** A package in a bundle: its folder, and what its package.json says of it. */
/** @typedef {{ folder: string, name: string, version: string, licence: string, repository: string }} BundledPackage */

const TEXT_FILE = /^((?:un)?licen[cs]e|copying|notice)[\w-]*(\.(md|txt))?$/i;
const RULE = "=".repeat(80);

/**
 * Packages that are published without their licence's text, and the package that has it: of the same repository and
 * under the same licence, which is checked.
 */
const TEXT_FROM = new Map([
  ["@aws-sdk/credential-provider-http", "@aws-sdk/credential-provider-node"],
  ["@aws-sdk/credential-provider-login", "@aws-sdk/credential-provider-node"],
  ["@aws-sdk/nested-clients", "@aws-sdk/credential-provider-node"],
]);

/**
 * Every package whose code is in an output of esbuild's, by folder.
 *
 * @param {import("esbuild").Metafile} metafile its paths from `root`
 * @param {string} root
 * @returns {Promise<BundledPackage[]>}
 */
export async function bundledPackages({ outputs }, root = ".") {
  const inputs = Object.values(outputs).flatMap((output) => Object.keys(output.inputs));
  const folders = inputs.map((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? "");
  const packages = [...new Set(folders)].filter((folder) => folder !== "").sort();
  return await Promise.all(packages.map((folder) => readPackage(join(root, folder))));
}

/**
 * One text that names every bundled package with its licence. Rejects for a package that has none to show, because
 * nobody may be given the package's code without it.
 *
 * @param {import("esbuild").Metafile} metafile its paths from `root`
 * @param {string} root
 * @returns {Promise<string>}
 */
export async function thirdPartyLicences(metafile, root = ".") {
  const packages = await bundledPackages(metafile, root);
  /** @type {Map<string, string[]>} */
  const titlesByText = new Map();
  for (const bundled of packages) {
    const text = await textOf(bundled, packages);
    const title = `${bundled.name} ${bundled.version} (${bundled.licence})`;
    titlesByText.set(text, [...new Set([...(titlesByText.get(text) ?? []), title])]);
  }
  const parts = [...titlesByText].map(([text, titles]) => `${RULE}\n${titles.join("\n")}\n\n${text}\n`);
  return `The bundles of hasta-la-vista carry code of these packages, under these licences.\n\n${parts.join("\n")}`;
}

/**
 * @param {BundledPackage} bundled
 * @param {readonly BundledPackage[]} packages
 */
async function textOf(bundled, packages) {
  const own = await readTexts(bundled.folder);
  if (own !== "") return own;
  const { name, version, licence, repository } = bundled;
  const lender = packages.find((other) => other.name === TEXT_FROM.get(name));
  const isSame = lender !== undefined && lender.licence === licence && lender.repository === repository;
  const lent = isSame ? await readTexts(lender.folder) : "";
  if (lent !== "") return lent;
  throw new Error(
    `${name} ${version} is bundled and ships no licence text: leave it out, or name in ` +
      "packaging/third-party-licences.mjs a package of its repository that ships the text",
  );
}

/** @param {string} folder */
async function readTexts(folder) {
  const names = (await readdir(folder)).filter((name) => TEXT_FILE.test(name)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  return texts
    .map((text) => text.replaceAll("\r\n", "\n").trim())
    .filter((text) => text !== "")
    .join("\n\n");
}

/**
 * @param {string} folder
 * @returns {Promise<BundledPackage>}
 */
async function readPackage(folder) {
  const {
    name = basename(folder),
    version,
    license,
    repository,
  } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  if (typeof license !== "string")
    throw new Error(`${name} ${version} is bundled and its package.json names no licence`);
  return { folder, name, version, licence: license, repository: repository?.url ?? repository ?? "" };
}
