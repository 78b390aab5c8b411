import { parseAllDocuments } from "yaml";
import { OWN_WITH_SERVER } from "../../src/cli/watch.ts";
import { OPTIONS, type Option, type OptionName, printableDefault } from "../../src/config/config.ts";
import { OPTION_TEXTS } from "../../src/config/option-texts.ts";
import { type CodeBlock, codeBlocks, DOCUMENTS } from "./documents.ts";

export const CHART = "deploy/helm/hasta-la-vista";

/** Options that the chart sets itself, and the value of the chart that they follow from. */
export const SET_BY_CHART: Readonly<Partial<Record<OptionName, string>>> = {
  secret: "secret.value",
  secretFile: "secret.existingSecret",
  tlsCertFile: "tls.existingSecret",
  tlsKeyFile: "tls.existingSecret",
  tlsClientCaFile: "tls.clientCaKey",
  lease: "persistence.enabled",
  podName: "persistence.enabled",
  podNamespace: "persistence.enabled",
  podIp: "persistence.enabled",
  nodeName: "persistence.enabled",
  tokenReview: "tokenReview.enabled",
  evictionGate: "evictionGate.enabled",
  evictionGateCertFile: "evictionGate.existingSecret",
  evictionGateKeyFile: "evictionGate.existingSecret",
};

/** What the chart sets where the program has no default, or another. */
export const CHART_DEFAULTS: Readonly<Partial<Record<OptionName, string | boolean>>> = {
  cloudProvider: "aws",
  kubernetes: "in-cluster",
  undo: true,
  stateDir: "/var/lib/hasta-la-vista",
};

/** The values of an option: as the chart's schema, and as a line of its values. */
export interface ChartOption {
  readonly name: OptionName;
  readonly option: Option;
  readonly default: string | boolean | null;
}

/** The options of the service that are values of the chart. */
export const SERVICE_OPTIONS: readonly ChartOption[] = (Object.entries(OPTIONS) as [OptionName, Option][])
  .filter(([name, { usedBy }]) => usedBy.includes("serve") && !(name in SET_BY_CHART))
  .map(([name, option]) => ({ name, option, default: CHART_DEFAULTS[name] ?? null }));

/** Those of the agent, which runs with --server. */
export const AGENT_OPTIONS: readonly ChartOption[] = OWN_WITH_SERVER.map((name) => ({
  name,
  option: OPTIONS[name],
  default: null,
}));

const YAML_BLOCKS: readonly CodeBlock[] = DOCUMENTS.flatMap(codeBlocks).filter(({ language }) => language === "yaml");
const has = ({ text }: CodeBlock, key: string) => parseAllDocuments(text).some((document) => document.has(key));

/** The files of receivers in the documents. */
export const RECEIVER_FILES = YAML_BLOCKS.filter((block) => has(block, "receivers"));

/** The values files in the documents. Other YAML there is part of an object. */
export const VALUES_FILES = YAML_BLOCKS.filter((block) => !has(block, "metadata") && !has(block, "receivers"));

const WIDTH = 120;

/** The file with the options of the service and of the agent between their marks. */
export function withChartOptions(values: string): string {
  const service = [
    "# The options of the service, by the names that they have in docs/configuration.md. null: the default of the service.",
    ...valuesOf(SERVICE_OPTIONS, ""),
  ];
  return values
    .replace(/^# options\n[\s\S]*?^# \/options$/m, () => ["# options", ...service, "# /options"].join("\n"))
    .replace(/^ {2}# agent options\n[\s\S]*?^ {2}# \/agent options$/m, () =>
      ["  # agent options", ...valuesOf(AGENT_OPTIONS, "  "), "  # /agent options"].join("\n"),
    );
}

function valuesOf(options: readonly ChartOption[], indent: string): readonly string[] {
  return [
    `${indent}options:`,
    ...options.flatMap(({ name, option, default: value }) => [
      ...comment(commentOf(name, option), `${indent}  `),
      `${indent}  ${option.variable}: ${value}`,
    ]),
  ];
}

function commentOf(name: OptionName, option: Option): string {
  const { type, range } = option;
  const given = printableDefault(option);
  return `${OPTION_TEXTS[name].description} Type: ${type}, ${range}.${given === undefined ? "" : ` Default: ${given}.`}`;
}

function comment(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  let line = `${indent}#`;
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `${indent}#`;
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
