import type { TRACING_OPTIONS } from "./tracing-options.ts";
import type { OptionText } from "./values.ts";

/** Like the others: see `OPTION_TEXTS`. */
export const TRACING_OPTION_TEXTS: Readonly<Record<keyof typeof TRACING_OPTIONS, OptionText>> = {
  otlpEndpoint: {
    description:
      "URL of an OpenTelemetry collector that takes OTLP over HTTP. Each drain is sent to it as a trace, at /v1/traces below the URL.",
    example: "http://collector.monitoring:4318",
    changeWhen: "Set it to see where drains spend their time.",
  },
  otlpTracesEndpoint: {
    description:
      "URL that traces are sent to, as it is, without /v1/traces. It takes precedence over OTEL_EXPORTER_OTLP_ENDPOINT.",
    example: "https://otlp.example.com/traces",
    changeWhen: "Set it when traces go to another URL than /v1/traces of the collector.",
  },
  otlpProtocol: {
    description:
      "Protocol in which traces are sent. Only OTLP over HTTP with protobuf is supported, and grpc is refused.",
    example: "http/protobuf",
    changeWhen: "Set it where the environment has another value for other programs.",
  },
  tracesSampler: {
    description:
      "Which drains are traced. always_on: all. always_off: none. traceidratio: the share in OTEL_TRACES_SAMPLER_ARG. With the prefix parentbased_, a caller that sends a traceparent header decides for its drains.",
    example: "parentbased_traceidratio",
    changeWhen: "Set it to trace a part of the drains, or those of tracing callers only.",
  },
  tracesSamplerRatio: {
    description:
      "Share of the drains that are traced with OTEL_TRACES_SAMPLER=traceidratio or parentbased_traceidratio.",
    example: "0.1",
    changeWhen: "Set it together with one of these samplers.",
  },
  otelDisabled: {
    description: "Whether traces are disabled although an endpoint is set.",
    example: "true",
    changeWhen: "Set it where the environment has an endpoint for other programs.",
  },
};
