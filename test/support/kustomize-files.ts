import { CHART } from "./chart-options.ts";

export const KUSTOMIZE = "deploy/kustomize";

interface Source {
  readonly templates: readonly string[];
  readonly values?: readonly string[];
}

/** Each file that is made from the chart, and what it is made from. */
const KUSTOMIZE_FILES: Readonly<Record<string, Source>> = {
  "service.yaml": {
    templates: ["service-account", "role", "ledger-policy", "deployment", "service", "disruption-budget"],
  },
  "holder.yaml": { templates: ["holder"], values: ["holder.enabled=true"] },
  "agent.yaml": { templates: ["agent"], values: ["agent.enabled=true"] },
  "eviction-gate/eviction-gate.yaml": {
    templates: ["eviction-gate"],
    values: ["evictionGate.enabled=true", "evictionGate.certManager=true"],
  },
};

/** What users of Kustomize set by its own means stays as it is; their Secret has the name that docs/install.md gives it. */
const VALUES = ["image.repository=hasta-la-vista", "secret.existingSecret=hasta-la-vista"];
/** Helm does not know it without a cluster. */
const KINDS = "--api-versions=cert-manager.io/v1/Certificate";

/** What says that Helm manages an object. */
const OF_HELM = /^ *(?:app\.kubernetes\.io\/managed-by|helm\.sh\/chart): .*\n|^# Source: .*\n/gm;

/** The files by their names. `helm` runs a helm with these arguments, and returns what it prints. */
export async function kustomizeFiles(
  helm: (args: readonly string[]) => Promise<string>,
): Promise<Readonly<Record<string, string>>> {
  const files = Object.entries(KUSTOMIZE_FILES).map(async ([name, { templates, values = [] }]) => {
    const shown = templates.map((template) => `--show-only=templates/${template}.yaml`);
    const set = [...VALUES, ...values].map((value) => `--set=${value}`);
    const printed = await helm([
      "template",
      "hasta-la-vista",
      CHART,
      "--namespace=kube-system",
      KINDS,
      ...set,
      ...shown,
    ]);
    return [name, HEAD + printed.replace(OF_HELM, "").replace(/^---\n/, "")] as const;
  });
  return Object.fromEntries(await Promise.all(files));
}

const HEAD = `# Made from ${CHART} by \`npm run kustomize\`. Change the chart, and not this file.\n`;
