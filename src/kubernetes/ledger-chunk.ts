import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import type { KubernetesObject } from "./objects.ts";

/** `v1`. */
export interface ConfigMap extends KubernetesObject {
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

/**
 * The position of a chunk in the log. Chunks are numbered without gaps. Each belongs to a record, which is written in
 * one or more parts and counts when its last part is stored. A record is an append, or a generation, which replaces
 * everything before it.
 */
export interface ChunkPlace {
  readonly number: number;
  /** The number of the first part of the generation with which the log begins. For a part of a generation, its own. */
  readonly base: number;
  /** Counts from 1. */
  readonly part: number;
  readonly isLast: boolean;
  /** With this chunk a process has taken the log over. */
  readonly isFence: boolean;
  /** Unique for each record. */
  readonly record: string;
  /** The process that has written it, and one of its terms. */
  readonly writer: string;
}

/** A chunk in the API server. */
export interface StoredChunk extends ChunkPlace {
  readonly object: ConfigMap;
}

/** https://kubernetes.io/docs/concepts/configuration/configmap/ allows 1 MiB. */
export const CHUNK_BYTES = 512 * 1_024;
/** Smaller ones stay readable with kubectl. */
const PLAIN_BYTES_MAX = 16 * 1_024;
const PLAIN = "entries";
const COMPRESSED = "entries.gz";
const LABEL = "hasta-la-vista.io/ledger";
const PREFIX = "hasta-la-vista.io/";
const DIGITS = 10;

export function chunkName(log: string, number: number): string {
  return `${log}-ledger-${String(number).padStart(DIGITS, "0")}`;
}

/** Undefined: it is not the name of a chunk. */
export function chunkNumber(log: string, name: string): number | undefined {
  const digits = name.startsWith(`${log}-ledger-`) ? name.slice(`${log}-ledger-`.length) : "";
  return /^\d{10,15}$/.test(digits) ? Number(digits) : undefined;
}

export function chunkSelector(log: string): string {
  return `${LABEL}=${log}`;
}

export function asConfigMap(
  { namespace, log }: { readonly namespace: string; readonly log: string },
  { number, base, part, isLast, isFence, record, writer }: ChunkPlace,
  bytes: Buffer,
): ConfigMap {
  const isPlain = bytes.length <= PLAIN_BYTES_MAX && isUtf8(bytes);
  const annotations = {
    [`${PREFIX}base`]: String(base),
    [`${PREFIX}part`]: String(part),
    ...(isLast && { [`${PREFIX}last`]: "true" }),
    ...(isFence && { [`${PREFIX}fence`]: "true" }),
    [`${PREFIX}record`]: record,
    [`${PREFIX}writer`]: writer,
    [`${PREFIX}sha256`]: digest(bytes),
  };
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace, name: chunkName(log, number), labels: { [LABEL]: log }, annotations },
    // The API server refuses to change it.
    immutable: true,
    ...(isPlain
      ? { data: { [PLAIN]: bytes.toString("utf8") } }
      : { binaryData: { [COMPRESSED]: gzipSync(bytes).toString("base64") } }),
  };
}

/** Undefined: the object does not state its position. */
export function placeOf(object: ConfigMap, number: number): StoredChunk | undefined {
  const annotations: Readonly<Record<string, unknown>> = object.metadata?.annotations ?? {};
  const given = (key: string) => annotations[`${PREFIX}${key}`];
  const [base, part] = [Number(given("base")), Number(given("part"))];
  const [record, writer] = [given("record"), given("writer")];
  const isSound = Number.isSafeInteger(base) && Number.isSafeInteger(part) && base >= 1 && part >= 1 && part <= number;
  if (!isSound || base > number || typeof record !== "string" || typeof writer !== "string") return undefined;
  const [isLast, isFence] = [given("last") === "true", given("fence") === "true"];
  return { number, base, part, isLast, isFence, record, writer, object };
}

export interface ChunkContent {
  readonly bytes: Buffer;
  /** The bytes are those that were written. */
  readonly isIntact: boolean;
}

/** Undefined: it has nothing that can be read. */
export function contentOf({ data, binaryData, metadata }: ConfigMap): ChunkContent | undefined {
  const bytes = decoded(data?.[PLAIN], binaryData?.[COMPRESSED]);
  if (bytes === undefined) return undefined;
  return { bytes, isIntact: metadata?.annotations?.[`${PREFIX}sha256`] === digest(bytes) };
}

function decoded(plain: unknown, compressed: unknown): Buffer | undefined {
  if (typeof plain === "string") return Buffer.from(plain);
  if (typeof compressed !== "string") return undefined;
  try {
    return gunzipSync(Buffer.from(compressed, "base64"), { maxOutputLength: CHUNK_BYTES });
  } catch {
    return undefined;
  }
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
