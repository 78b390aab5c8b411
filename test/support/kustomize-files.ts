import { CHART } from "./chart-options.ts";

export const KUSTOMIZE = "deploy/kustomize";

/** Each file that is made from the chart, and the templates that it is made from. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  "service.yaml": ["service-account", "role", "volume-claim", "deployment", "service"],
  "holder.yaml": ["holder"],
  "agent.yaml": ["agent"],
};

/** What users of Kustomize set by its own means stays as it is; their Secret has the name that docs/install.md gives it. */
const VALUES = [
  "image.repository=hasta-la-vista",
  "secret.existingSecret=hasta-la-vista",
  "holder.enabled=true",
  "agent.enabled=true",
];

/** What says that Helm manages an object. */
const OF_HELM = /^ *(?:app\.kubernetes\.io\/managed-by|helm\.sh\/chart): .*\n|^# Source: .*\n/gm;

/** The files by their names. `helm` runs a helm with these arguments, and returns what it prints. */
export async function kustomizeFiles(
  helm: (args: readonly string[]) => Promise<string>,
): Promise<Readonly<Record<string, string>>> {
  const files = Object.entries(FILES).map(async ([name, templates]) => {
    const shown = templates.map((template) => `--show-only=templates/${template}.yaml`);
    const set = VALUES.map((value) => `--set=${value}`);
    const printed = await helm(["template", "hasta-la-vista", CHART, "--namespace=kube-system", ...set, ...shown]);
    return [name, HEAD + printed.replace(OF_HELM, "").replace(/^---\n/, "")] as const;
  });
  return Object.fromEntries(await Promise.all(files));
}

const HEAD = `# Made from ${CHART} by \`npm run kustomize\`. Change the chart, and not this file.\n`;
