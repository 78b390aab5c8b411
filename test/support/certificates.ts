import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** Certificates of the kind that people use, made here: Node reads them, but has nothing that makes any. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

interface Issuer extends Certificate {
  readonly name: string;
  readonly privateKey: KeyObject;
}

const ECDSA_WITH_SHA256 = sequence(oid([1, 2, 840, 10045, 4, 3, 2]));

/** An authority that signs certificates for servers at 127.0.0.1 and names, and for clients. */
export class Authority {
  readonly #issuer: Issuer;

  constructor(name = "an authority") {
    const { privateKey, publicKey } = keyPair();
    const isAuthority = extension([2, 5, 29, 19], sequence(tagged(0x01, Buffer.from([0xff]))), true);
    const cert = certificate({ name, issuer: name, publicKey, signingKey: privateKey, extensions: [isAuthority] });
    this.#issuer = { name, cert, key: pem(privateKey), privateKey };
  }

  get cert(): string {
    return this.#issuer.cert;
  }

  /** `hosts`: what a server with this certificate is called. */
  sign(name: string, hosts: readonly string[] = ["localhost"]): Certificate {
    const { privateKey, publicKey } = keyPair();
    const called = hosts.map((host) => tagged(0x82, Buffer.from(host)));
    const loopback = tagged(0x87, Buffer.from([127, 0, 0, 1]));
    const names = extension([2, 5, 29, 17], sequence(...called, loopback));
    const { name: issuer, privateKey: signingKey } = this.#issuer;
    return { cert: certificate({ name, issuer, publicKey, signingKey, extensions: [names] }), key: pem(privateKey) };
  }
}

function keyPair() {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
}

function pem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** X.509, version 3, in PEM. RFC 5280, section 4.1. */
function certificate(input: {
  readonly name: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly signingKey: KeyObject;
  readonly extensions: readonly Buffer[];
}): string {
  const validity = sequence(tagged(0x17, Buffer.from("200101000000Z")), tagged(0x18, Buffer.from("99991231235959Z")));
  const toSign = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    distinguished(input.issuer),
    validity,
    distinguished(input.name),
    input.publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, sequence(...input.extensions)),
  );
  const signature = sign("sha256", toSign, input.signingKey);
  const whole = sequence(toSign, ECDSA_WITH_SHA256, tagged(0x03, Buffer.concat([Buffer.from([0]), signature])));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function distinguished(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(oid([2, 5, 4, 3]), tagged(0x0c, Buffer.from(commonName)))));
}

function extension(id: readonly number[], value: Buffer, isCritical = false): Buffer {
  const critical = isCritical ? [tagged(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...critical, tagged(0x04, value));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

/** An object identifier: its first two numbers share a byte, the others take seven bits a byte. */
function oid([first = 0, second = 0, ...others]: readonly number[]): Buffer {
  const bytes = others.flatMap((number) => {
    const digits = [number & 0x7f];
    for (let rest = number >> 7; rest > 0; rest >>= 7) digits.unshift((rest & 0x7f) | 0x80);
    return digits;
  });
  return tagged(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

/** Tag, length, content: DER. */
function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...bytes]), content]);
}
