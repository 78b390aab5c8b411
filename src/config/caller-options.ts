import { flag, option, PATH_LENGTH_MAX, text, type Verb } from "./values.ts";

/** The commands that can use a service. */
const CALLERS: readonly Verb[] = [
  "serve",
  "drain",
  "plan",
  "status",
  "cancel",
  "uncordon",
  "watch",
  "drains",
  "hold",
  "doctor",
];
/** The same without the service itself. */
const CLIENTS: readonly Verb[] = CALLERS.filter((verb) => verb !== "serve");
/** All headers of a request together may have 16 KiB. */
const SECRET_LENGTH_MAX = 4_096;

/** The options with which a service and its callers identify each other. */
export const CALLER_OPTIONS = {
  secret: option({
    variable: "SECRET",
    usedBy: CALLERS,
    isSecret: true,
    ...text(SECRET_LENGTH_MAX),
  }),
  secretFile: option({
    variable: "SECRET_FILE",
    flag: "--secret-file <path>",
    usedBy: CALLERS,
    ...text(PATH_LENGTH_MAX, "path"),
  }),
  tokenFile: option({
    variable: "TOKEN_FILE",
    flag: "--token-file <path>",
    usedBy: CLIENTS,
    ...text(PATH_LENGTH_MAX, "path"),
  }),
  querySecret: option({
    variable: "QUERY_SECRET",
    flag: "--no-query-secret",
    default: true,
    usedBy: ["serve"],
    ...flag,
  }),
  tlsCertFile: option({
    variable: "TLS_CERT_FILE",
    flag: "--tls-cert-file <path>",
    usedBy: CALLERS,
    ...text(PATH_LENGTH_MAX, "path"),
  }),
  tlsKeyFile: option({
    variable: "TLS_KEY_FILE",
    flag: "--tls-key-file <path>",
    usedBy: CALLERS,
    ...text(PATH_LENGTH_MAX, "path"),
  }),
  tlsClientCaFile: option({
    variable: "TLS_CLIENT_CA_FILE",
    flag: "--tls-client-ca-file <path>",
    usedBy: ["serve"],
    ...text(PATH_LENGTH_MAX, "path"),
  }),
} as const;
