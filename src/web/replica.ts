import { createHmac, timingSafeEqual } from "node:crypto";
import type { HttpBindings } from "@hono/node-server";
import type { Context, MiddlewareHandler } from "hono";
import * as z from "zod";
import { NOT_LEADER_HEADER, type OfReplica } from "./replicas.ts";

export const REPLICA_HEADER = "hasta-la-vista-replica";
const TEXT_CHARACTERS_MAX = 300;
const TEXT = z.string().max(TEXT_CHARACTERS_MAX);
const OF_REPLICA = z.object({ from: TEXT.min(1), node: TEXT.optional(), client: TEXT.optional() });

/**
 * The value of the header by which replicas recognize each other. It can be made only with the secret, which all of
 * them have, so that a caller without it can't claim another address.
 */
export function replicaHeader(of: OfReplica, secret: string): string {
  const text = Buffer.from(JSON.stringify(of)).toString("base64url");
  return `${text}.${proofOf(text, secret).toString("base64url")}`;
}

/** Undefined: no replica has made it. */
export function readReplicaHeader(header: string, secrets: readonly string[]): OfReplica | undefined {
  const [, text = "", proof = ""] = /^([\w-]{1,2000})\.([\w-]{43})$/.exec(header) ?? [];
  const given = Buffer.from(proof, "base64url");
  const isProven = secrets.filter((secret) => isEqual(proofOf(text, secret), given)).length > 0;
  if (!isProven) return undefined;
  return OF_REPLICA.safeParse(JSON.parse(Buffer.from(text, "base64url").toString())).data;
}

function proofOf(text: string, secret: string): Buffer {
  return createHmac("sha256", secret).update(`replica of hasta-la-vista\n${text}`).digest();
}

function isEqual(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

export interface KnownReplicas {
  /** All secrets that the header may be made with. A replica may not have read a new secret yet. */
  readonly secrets: () => readonly string[];
  /**
   * With client certificates: whether this is a certificate of the service itself, by its SHA-256 in hexadecimal
   * digits.
   */
  readonly isOwnCertificate?: ((fingerprint: string) => boolean) | undefined;
  /** Whether this process leads now. */
  readonly leads: () => boolean;
  /** Called for every request of another replica. */
  readonly onRequest: (of: OfReplica) => void;
}

/** Recognizes the requests of other replicas: `context.get("ofReplica")`. */
export function knowReplicas({ secrets, isOwnCertificate, leads, onRequest }: KnownReplicas): MiddlewareHandler {
  return async (context, next) => {
    const header = context.req.header(REPLICA_HEADER);
    const of = header === undefined ? undefined : readReplicaHeader(header, secrets());
    if (of !== undefined && (isOwnCertificate === undefined || isOwnCertificate(fingerprintFrom(context)))) {
      context.set("ofReplica", of);
      onRequest(of);
    }
    await next();
    const asked = context.get("ofReplica");
    // A replica's own question, whatever the answer. That of a caller may be answered although the term is over.
    if (asked !== undefined && asked.client === undefined && !leads()) context.header(NOT_LEADER_HEADER, "true");
  };
}

/**
 * The fingerprint of the certificate that the other end has presented, and whose key it has. Empty: it has presented
 * none.
 */
function fingerprintFrom(context: Context): string {
  const { incoming } = (context.env ?? {}) as Partial<HttpBindings>;
  const socket = incoming?.socket;
  if (socket === undefined || !("getPeerX509Certificate" in socket)) return "";
  const certificate = (socket as { getPeerX509Certificate(): CertificateShown | undefined }).getPeerX509Certificate();
  return certificate === undefined ? "" : asHex(certificate);
}

interface CertificateShown {
  readonly fingerprint256: string;
}

/** A certificate's SHA-256 in the form that the election publishes. */
export function asHex({ fingerprint256 }: CertificateShown): string {
  return fingerprint256.replaceAll(":", "").toLowerCase();
}
