import { delimiter, dirname, isAbsolute, resolve } from "node:path";
import { KubeConfig, type User } from "@kubernetes/client-node";
import { load as parseYaml } from "js-yaml";
import { printable } from "../drain/errors.ts";
import { localError } from "./errors.ts";

/** How the host reads files, and how it describes failures. */
export interface Files {
  readonly read: (path: string) => Promise<string>;
  /** The problem of a file, such as `there is no such file (ENOENT)`. */
  readonly problem: (error: NodeJS.ErrnoException) => string;
}

interface ReadOptions {
  readonly files: Files;
  /** The option that gave the path, for messages. */
  readonly names: { readonly source: string };
}

/**
 * Reads a kubeconfig as kubectl does. Of several files, as in KUBECONFIG, those that exist are read, and an entry of an
 * earlier one wins. Throws `KubernetesError` with the reason `Configuration`.
 * https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#merging-kubeconfig-files
 */
export async function readKubeconfig(path: string, options: ReadOptions): Promise<KubeConfig> {
  const read = await readFiles(path, options);
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: firstOfEach(read.map((one) => one.config.getClusters())),
    users: firstOfEach(read.map(({ users }) => users)),
    contexts: firstOfEach(read.map((one) => one.config.getContexts())),
    currentContext: read.map((one) => one.config.getCurrentContext()).find(Boolean),
  });
  return config;
}

/** One file of a kubeconfig. */
interface ReadFile {
  readonly config: KubeConfig;
  readonly users: readonly User[];
}

async function readFile(path: string, { names, files }: ReadOptions): Promise<ReadFile> {
  const given = `${names.source} is '${printable(path)}'`;
  const text = await files.read(path).catch((error: NodeJS.ErrnoException) => {
    throw invalid(`${given}, which can't be used: ${files.problem(error)}`, error);
  });
  const parsed = parse(text, given);
  const config = new KubeConfig();
  try {
    config.loadFromString(text);
  } catch (error) {
    const [, place] = MISSING.exec((error as Error).message) ?? [];
    const why = place === undefined ? "an entry has another shape" : `${printable(place)} is missing: add it`;
    throw invalid(`${given}, which is not a valid kubeconfig: ${why}`);
  }
  const folder = dirname(resolve(path));
  config.makePathsAbsolute(folder);
  return { config, users: config.getUsers().map((user) => asClientsReadIt(user, parsed, folder)) };
}

/** The only message of the library that names a place. */
const MISSING = /^([\w.[\]-]{1,100}) is missing$/;

async function readFiles(path: string, options: ReadOptions): Promise<readonly ReadFile[]> {
  const paths = path.split(delimiter).filter((one) => one !== "");
  const read = await Promise.allSettled(paths.map((one) => readFile(one, options)));
  const isMissing = (one: PromiseSettledResult<ReadFile>) =>
    one.status === "rejected" && (one.reason as { cause?: { code?: unknown } }).cause?.code === "ENOENT";
  const there = read.every(isMissing) ? read : read.filter((one) => !isMissing(one));
  return there.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}

function firstOfEach<T extends { readonly name: string }>(lists: readonly (readonly T[])[]): T[] {
  const byName = new Map<string, T>();
  for (const one of lists.flat()) if (!byName.has(one.name)) byName.set(one.name, one);
  return [...byName.values()];
}

interface ParsedUser {
  readonly name?: unknown;
  readonly user?: { readonly tokenFile?: unknown } | null;
}

/**
 * Parses the document itself, so that an error names the line of malformed YAML. The library's message would quote the
 * file.
 */
function parse(text: string, given: string): readonly ParsedUser[] {
  let document: { readonly users?: unknown } | null | undefined;
  try {
    document = parseYaml(text) as typeof document;
  } catch (error) {
    const { mark } = error as { readonly mark?: { readonly line?: number } };
    // For an empty file it says that there is no document.
    if (mark?.line !== undefined) {
      throw invalid(`${given}, which can't be used: it is not valid YAML in line ${mark.line + 1}`);
    }
  }
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw invalid(`${given}, which can't be used: it is not a kubeconfig`);
  }
  return Array.isArray(document.users) ? document.users : [];
}

/**
 * The library ignores `tokenFile`, and starts a plug-in in the current folder. kubectl reads the former, and starts the
 * latter in the folder of the file.
 */
function asClientsReadIt(user: User, parsed: readonly ParsedUser[], folder: string): User {
  const tokenFile = parsed.find(({ name }) => name === user.name)?.user?.tokenFile;
  const isToken = typeof tokenFile === "string" && tokenFile !== "";
  const command = user.exec?.command;
  const isRelative = typeof command === "string" && command.includes("/") && !isAbsolute(command);
  return {
    ...user,
    ...(isToken
      ? { token: "", authProvider: { name: "tokenFile", config: { tokenFile: resolve(folder, tokenFile) } } }
      : {}),
    ...(isRelative ? { exec: { ...user.exec, command: resolve(folder, command) } } : {}),
  };
}

export function invalid(message: string, cause?: unknown) {
  return localError("Configuration", message, cause);
}
