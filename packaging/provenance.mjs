// How the bundles were built, for dist/provenance.json: a statement of in-toto with the provenance of SLSA.
// https://slsa.dev/spec/v1.0/provenance
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import { promisify } from "node:util";

/** @typedef {{ commit: string, isModified: boolean }} Source */
/** @typedef {{ name: string, content: Buffer }} File */

/** What a build reads, beside the packages that package-lock.json names. */
const SOURCES = ["build.mjs", "package.json", "package-lock.json", "packaging", "src", "tsconfig.json"];

const run = promisify(execFile);

/**
 * The commit that a folder is checked out at, and whether what the build reads was changed since. Undefined: it is no
 * clone of its own, such as an unpacked archive, or there is no git.
 *
 * @param {string} folder
 * @returns {Promise<Source | undefined>}
 */
export async function sourceOf(folder) {
  try {
    const git = async (/** @type {string[]} */ ...args) => (await run("git", args, { cwd: folder })).stdout.trim();
    // A clone around the folder has another commit.
    if ((await git("rev-parse", "--show-toplevel")) !== (await realpath(folder))) return undefined;
    const commit = await git("rev-parse", "HEAD");
    return { commit, isModified: (await git("status", "--porcelain", "--", ...SOURCES)) !== "" };
  } catch {
    return undefined;
  }
}

/**
 * The statement as JSON. It has no time, no machine and no user, so that the same source gives the same file. It is not
 * signed: whoever can change the files can change it too.
 *
 * @param {{
 *   manifest: { version: string, repository: { url: string } },
 *   source: Source | undefined,
 *   lock: Buffer,
 *   node: string,
 *   files: readonly File[],
 * }} build `lock`: the content of package-lock.json; `node`: the version of Node.js; `files`: what was built
 * @returns {string}
 */
export function provenance({ manifest, source, lock, node, files }) {
  const repository = manifest.repository.url;
  const home = repository.replace(/^git\+/, "").replace(/\.git$/, "");
  const page = `${home}/blob/main/docs/security.md`;
  const commit = source && {
    uri: repository,
    digest: { gitCommit: source.commit },
    ...(source.isModified && { annotations: { modified: true } }),
  };
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: files.map(({ name, content }) => ({ name, digest: { sha256: sha256(content) } })).sort(byName),
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: `${page}#provenance`,
        externalParameters: { source: repository, version: manifest.version, command: "npm ci && npm run build" },
        resolvedDependencies: [
          ...(commit === undefined ? [] : [commit]),
          { name: "package-lock.json", digest: { sha256: sha256(lock) } },
          { name: "node", uri: `pkg:generic/node@${node}` },
        ],
      },
      runDetails: { builder: { id: `${home}/blob/main/build.mjs` } },
    },
  };
  return `${JSON.stringify(statement, null, 2)}\n`;
}

/** @param {{ name: string }} a @param {{ name: string }} b */
function byName(a, b) {
  return a.name < b.name ? -1 : 1;
}

/** @param {Buffer} content */
function sha256(content) {
  return createHash("sha256").update(content).digest("hex");
}
