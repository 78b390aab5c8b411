import { flag, number, oneOf, option, type ValueKind, type Verb } from "./values.ts";

/** The commands that run unattended. */
const TRACED: readonly Verb[] = ["serve", "lambda", "watch"];
const URL_LENGTH_MAX = 2_048;

/** Where spans are sent. A token belongs into a header, because URLs are logged. */
const collectorUrl: ValueKind<string> = {
  type: "URL",
  range: "http:// or https://, a host, and no user, query or fragment",
  parse: (given) => {
    const url = given.length <= URL_LENGTH_MAX && URL.canParse(given) ? new URL(given) : undefined;
    const more = url === undefined ? "" : url.username + url.password + url.search + url.hash;
    if (url === undefined || !/^https?:$/.test(url.protocol) || more !== "")
      throw new RangeError(
        "give a URL such as http://collector:4318, and credentials in OTEL_EXPORTER_OTLP_HEADERS instead",
      );
    return url.href;
  },
};

/**
 * The options that OpenTelemetry names, and that this program checks or needs. The OpenTelemetry library reads the
 * others itself: docs/traces.md lists them.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export const TRACING_OPTIONS = {
  otlpEndpoint: option({
    variable: "OTEL_EXPORTER_OTLP_ENDPOINT",
    flag: "--otlp-endpoint <url>",
    defaultText: "no traces",
    usedBy: TRACED,
    printableAs: withoutSecrets,
    ...collectorUrl,
  }),
  otlpTracesEndpoint: option({
    variable: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    flag: "--otlp-traces-endpoint <url>",
    defaultText: "/v1/traces below OTEL_EXPORTER_OTLP_ENDPOINT",
    usedBy: TRACED,
    printableAs: withoutSecrets,
    ...collectorUrl,
  }),
  otlpProtocol: option({
    variable: "OTEL_EXPORTER_OTLP_PROTOCOL",
    flag: "--otlp-protocol <protocol>",
    default: "http/protobuf",
    usedBy: TRACED,
    ...oneOf(["http/protobuf"]),
  }),
  tracesSampler: option({
    variable: "OTEL_TRACES_SAMPLER",
    flag: "--traces-sampler <name>",
    default: "parentbased_always_on",
    usedBy: TRACED,
    ...oneOf([
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ]),
  }),
  tracesSamplerRatio: option({
    variable: "OTEL_TRACES_SAMPLER_ARG",
    flag: "--traces-sampler-arg <ratio>",
    default: 1,
    usedBy: TRACED,
    ...number(0, 1),
  }),
  otelDisabled: option({
    variable: "OTEL_SDK_DISABLED",
    flag: "--otel-sdk-disabled",
    default: false,
    usedBy: TRACED,
    ...flag,
  }),
} as const;

function withoutSecrets(given: string): string {
  return given.replace(/\/\/[^/@]*@/, "//…@").replace(/[?#].*/s, "?…");
}

/** The endpoint for the spans of a configuration. Undefined: they are not sent. */
export function tracesUrl({
  otlpEndpoint,
  otlpTracesEndpoint,
  otelDisabled,
}: {
  readonly otlpEndpoint: string | undefined;
  readonly otlpTracesEndpoint: string | undefined;
  readonly otelDisabled: boolean;
}): string | undefined {
  if (otelDisabled) return undefined;
  return otlpTracesEndpoint ?? (otlpEndpoint && `${otlpEndpoint.replace(/\/$/, "")}/v1/traces`);
}
