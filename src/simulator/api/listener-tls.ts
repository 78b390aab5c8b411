import { AwsError, notSimulated, validationError } from "../aws-error.ts";
import { DEFAULT_SSL_POLICY, isEncrypted, type Listener } from "../world/load-balancer.ts";
import { oneOf } from "./elbv2-params.ts";
import { type Params, requiredText, structure, structures, text, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

/** The settings of a listener that are about TLS. They are kept, and have no effect: TLS ends nowhere here. */
export type Tls = Pick<Listener, "certificateArns" | "sslPolicy" | "alpnPolicy">;

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/network/create-tls-listener.html#alpn-policies */
const ALPN_POLICIES = ["HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"];
const MODES = ["off", "passthrough", "verify"] as const;

/** The settings of a call for a listener of this protocol. Missing ones are those of `known`, or AWS's defaults. */
export function readTls(params: Params, protocol: string, known: Partial<Tls> = {}): Tls {
  checkMutualAuthentication(params);
  const certificateArns = readCertificates(params) ?? known.certificateArns ?? [];
  if (isEncrypted(protocol) && certificateArns.length === 0)
    throw validationError(`A certificate must be specified for ${protocol} listeners`);
  const sslPolicy = text(params, "SslPolicy") ?? known.sslPolicy;
  return {
    certificateArns,
    sslPolicy: isEncrypted(protocol) ? (sslPolicy ?? DEFAULT_SSL_POLICY) : sslPolicy,
    alpnPolicy: readAlpnPolicy(params) ?? known.alpnPolicy,
  };
}

/** The fields of a listener's description. */
export function tlsXml({ protocol, certificateArns, sslPolicy, alpnPolicy }: Listener): XmlFields {
  return {
    Certificates: { member: certificateArns.slice(0, 1).map((CertificateArn) => ({ CertificateArn })) },
    SslPolicy: sslPolicy,
    AlpnPolicy: alpnPolicy === undefined ? undefined : { member: [alpnPolicy] },
    MutualAuthentication: protocol === "HTTPS" ? { Mode: "off" } : undefined,
  };
}

function readCertificates(params: Params): readonly string[] | undefined {
  return structures(params, "Certificates")?.map((one) => requiredText(one, "CertificateArn"));
}

function readAlpnPolicy(params: Params): string | undefined {
  const [policy] = texts(params, "AlpnPolicy") ?? [];
  if (policy !== undefined && !ALPN_POLICIES.includes(policy))
    throw new AwsError("ALPNPolicyNotFound", `The ALPN policy '${policy}' is not supported`);
  return policy;
}

/** The default is `off`. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_MutualAuthenticationAttributes.html */
function checkMutualAuthentication(params: Params): void {
  const mode = text(structure(params, "MutualAuthentication") ?? {}, "Mode") ?? "off";
  if (oneOf(mode, MODES, "mutualAuthentication.mode") !== "off")
    throw notSimulated(`The mode '${mode}' of mutual authentication is not simulated`);
}
