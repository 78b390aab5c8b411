import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Config } from "./config.ts";
import { type OptionFile, OptionFileError, readOptionFile } from "./files.ts";

/** Far more than a chain, or the authorities of a company. */
const PEM_BYTES_MAX = 1_024 * 1_024;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** A certificate with the rest of its chain, and its key. PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/**
 * The content of TLS_CERT_FILE and TLS_KEY_FILE. Undefined if they are not set. Throws `OptionFileError`, also if the
 * key belongs to another certificate.
 */
export async function readTlsIdentity({
  tlsCertFile,
  tlsKeyFile,
  givenBy,
}: Pick<Config, "tlsCertFile" | "tlsKeyFile" | "givenBy">): Promise<TlsIdentity | undefined> {
  if (tlsCertFile === undefined || tlsKeyFile === undefined) return undefined;
  const certFile = { option: givenBy.tlsCertFile, path: tlsCertFile };
  const keyFile = { option: givenBy.tlsKeyFile, path: tlsKeyFile };
  const [[cert, certificate], [key, privateKey]] = await Promise.all([
    readOptionFile(certFile, PEM_BYTES_MAX, (text) => [text, firstOf(certificatesIn(text))] as const),
    readOptionFile(keyFile, PEM_BYTES_MAX, (text) => [text, keyIn(text)] as const),
  ]);
  if (certificate.checkPrivateKey(privateKey)) return { cert, key };
  throw new OptionFileError(keyFile, `it is not the private key of the certificate in ${certFile.option}`);
}

/** Until when the certificate of an identity is valid, in milliseconds since the epoch. */
export function validUntil({ cert }: Pick<TlsIdentity, "cert">): number {
  return Date.parse(firstOf(certificatesIn(cert)).validTo);
}

/** The certificates of authorities. Throws `OptionFileError`. */
export function readAuthorities(file: OptionFile): Promise<string> {
  return readOptionFile(file, PEM_BYTES_MAX, (text) => {
    firstOf(certificatesIn(text));
    return text;
  });
}

function certificatesIn(text: string): readonly X509Certificate[] {
  try {
    return [...text.matchAll(CERTIFICATE)].map(([pem]) => new X509Certificate(pem));
  } catch {
    throw new Error("it contains a malformed certificate");
  }
}

function firstOf([first]: readonly X509Certificate[]): X509Certificate {
  if (first === undefined) throw new Error("it contains no PEM certificate");
  return first;
}

/** OpenSSL's own words are for its developers. */
function keyIn(text: string): KeyObject {
  if (text.includes("ENCRYPTED")) throw new Error("its key is encrypted: give a key without a passphrase");
  try {
    return createPrivateKey(text);
  } catch {
    throw new Error("it contains no PEM private key");
  }
}
