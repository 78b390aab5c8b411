import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { account, ID } from "./support/account.ts";
import { accountInKubernetes } from "./support/account-in-kubernetes.ts";
import { runCommands, SERVICE, SIMULATED } from "./support/document-shell.ts";
import { codeBlocks, commandsOfCrontab, DOCUMENTS } from "./support/documents.ts";
import { restrictChildren } from "./support/printed-policy.ts";
import { runHere, serveHere } from "./support/run-here.ts";

/** What can't be run here, and what holds it instead. A new command gets a line here on purpose or not at all. */
const HELD_ELSEWHERE: Readonly<Record<string, string>> = {
  "npm ci": "every test needs it done",
  "npm run build": "every test has it done",
  "npm pack": "test/packaging/tarball.test.ts packs it",
  "npm install --global ./hasta-la-vista-2.0.0-alpha.1.tgz": "test/packaging/tarball.test.ts installs it so",
  "zip --junk-paths hasta-la-vista.zip dist/lambda.mjs dist/lambda-tracing.mjs":
    "test/conformance/cloudformation.test.ts has Python zip it so",
  "aws s3 cp hasta-la-vista.zip s3://your-bucket/hasta-la-vista-2.0.0.zip":
    "test/conformance/cloudformation.test.ts uploads it to moto",
  "aws cloudformation deploy --stack-name departures --template-file deploy/cloudformation/departures.yaml --capabilities CAPABILITY_IAM":
    "test/conformance/cloudformation.test.ts does it on moto",
  "aws cloudformation deploy --stack-name hook-workers-a --template-file deploy/cloudformation/lifecycle-hook.yaml --parameter-overrides AutoScalingGroupName=workers-a":
    "test/conformance/cloudformation.test.ts puts the same hook to a group on moto",
  "aws cloudformation deploy --stack-name hook-workers-b --template-file deploy/cloudformation/lifecycle-hook.yaml --parameter-overrides AutoScalingGroupName=workers-b":
    "as for workers-a",
  "aws cloudformation describe-stacks --stack-name departures --query Stacks[0].Outputs":
    "AWS's own; test/deploy/departures.test.ts reads what it would print",
  "aws cloudformation deploy --stack-name hasta-la-vista --template-file deploy/cloudformation/lambda-queue.yaml --capabilities CAPABILITY_IAM --parameter-overrides CodeBucket=your-bucket CodeKey=hasta-la-vista-2.0.0.zip":
    "test/conformance/cloudformation.test.ts does it on moto",
  "npm run demo": "test/demo/demo.test.ts runs the demo",
  "npm test": "this is it",
  "npm run bench": "test/bench runs its parts, and takes minutes whole",
  "npm run bench -- --only one-node": "test/bench/scenarios.test.ts",
  "npm run bench -- --json": "test/bench/document.test.ts",
  "npm run bench -- --write": "test/bench/document.test.ts",
  "npm run bench -- --only thousand-nodes --write": "test/bench/document.test.ts",
  "npm run bench -- --quota": "test/bench/quota.test.ts",
  "npm run bench -- --tracing": "test/bench/tracing.test.ts",
  "npm run bench -- --messages": "test/bench/messages.test.ts runs its smallest size",
  "npm run bench -- --messages --write": "test/bench/messages.test.ts, test/bench/document.test.ts",
  "npm run bench -- --messages --only 1000": "test/bench/messages.test.ts",
  "npm test -- test/e2e/cluster-departures.test.ts": "it is among the tests",
  "npm test -- test/e2e/rolling-drain.test.ts": "it is among the tests",
  "npm test -- test/e2e/leader.test.ts": "it is among the tests",
  "npm test -- test/e2e/fail-over.test.ts": "it is among the tests",
  "npm run load": "test/bench/load.test.ts measures a load",
  "npm run load -- --only drains": "test/bench/load.test.ts measures a load",
  "npm run load -- --json": "test/bench/load.test.ts measures a load",
  "npm run bench:cluster -- --seconds 15": "test/bench/cluster.test.ts asks the API server that it measures with",
  "npm run bench:peers": "test/conformance/kubernetes/beside.test.ts measures the same",
  "npm run bench:peers -- --write": "test/conformance/kubernetes/beside.test.ts, test/bench/document.test.ts",
  "npm run bench:peers -- --only nlb": "test/conformance/kubernetes/beside.test.ts",
  "npm run bench:peers -- --json": "test/conformance/kubernetes/beside.test.ts",
  "npm run bench:readers": "test/bench/readers.test.ts opens the ledger that it measures with",
  "npm run bench:readers -- --drains 5 --warm 2": "test/bench/readers.test.ts",
  "npm test -- test/ledger/lost-entries.test.ts": "it is among the tests",
  "npm run soak": "test/bench/soak.test.ts runs its parts, and takes half an hour whole",
  "npm run soak -- --only service --minutes 3": "test/bench/soak.test.ts",
  "npm run soak -- --only memory --only file": "test/bench/soak.test.ts",
  "npm run soak -- --json": "test/bench/soak.test.ts",
  "npm test -- test/e2e/crash-matrix.test.ts": "it is among the tests",
  "npm test -- test/e2e/spot-reclaim.test.ts": "it is among the tests",
  "npm test -- test/e2e/spot-fast-path.test.ts": "it is among the tests",
  "aws ecr create-repository --repository-name hasta-la-vista": "AWS's own",
  "aws ecr get-login-password": "AWS's own",
  "docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-west-1.amazonaws.com": "Docker's own",
  "docker build --tag 123456789012.dkr.ecr.eu-west-1.amazonaws.com/hasta-la-vista:2.0.0-alpha.1 .":
    "test/packaging/dockerfile.test.ts does the Dockerfile's steps",
  "docker push 123456789012.dkr.ecr.eu-west-1.amazonaws.com/hasta-la-vista:2.0.0-alpha.1": "Docker's own",
  "aws eks create-pod-identity-association --cluster-name demo --namespace kube-system --service-account hasta-la-vista --role-arn arn:aws:iam::123456789012:role/hasta-la-vista":
    "AWS's own; test/deploy/kustomize.test.ts holds the account's name",
  "kubectl create secret generic hasta-la-vista-notifications --namespace kube-system --from-file=receivers.yaml --from-file=slack-url --from-file=signing-secret":
    "test/app/notifications.test.ts reads such files",
  "kubectl create secret generic hasta-la-vista --namespace kube-system --from-literal=secret=a-long-api-key-of-yours":
    "test/deploy/kustomize.test.ts holds that the manifest mounts it",
  "kubectl apply --kustomize deploy/kustomize":
    "test/deploy/kustomize.test.ts runs what it starts, test/conformance/kubernetes/chart.test.ts applies it",
  "helm install hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --set image.repository=123456789012.dkr.ecr.eu-west-1.amazonaws.com/hasta-la-vista --set options.AWS_REGION=eu-west-1 --set options.CLUSTERNAME=demo":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "helm test hasta-la-vista --namespace kube-system": "test/conformance/kubernetes/chart-releases.test.ts runs it",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set agent.enabled=true":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set holder.enabled=true":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set options.KUBERNETES=null --set options.UNDO=null --set replicas=1":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set tokenReview.enabled=true":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set options.LOGLEVEL=debug":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "helm history hasta-la-vista --namespace kube-system": "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "helm rollback hasta-la-vista 1 --namespace kube-system":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  'kubectl get secret hasta-la-vista --namespace kube-system --output go-template={{index .data "secret" | base64decode}}':
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set evictionGate.enabled=true":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "kubectl label namespace ingress-nginx hasta-la-vista.io/eviction-gate=enabled":
    "test/deploy/eviction-gate.test.ts compares the label with the manifest",
  "kubectl drain ip-10-0-1-5.eu-west-1.compute.internal --dry-run=server --ignore-daemonsets --delete-emptydir-data":
    "test/conformance/kubernetes/eviction-gate.test.ts does such a dry run",
  "kubectl annotate node ip-10-0-1-5.eu-west-1.compute.internal hasta-la-vista.io/drain=true":
    "test/sources/cluster-nodes.test.ts",
  "kubectl annotate node ip-10-0-1-5.eu-west-1.compute.internal hasta-la-vista.io/drain-":
    "test/sources/cluster-nodes.test.ts",
  "kubectl describe node ip-10-0-1-5.eu-west-1.compute.internal": "Kubernetes' own",
  "kubectl annotate node --all delay-deletion.cluster-autoscaler.kubernetes.io/hasta-la-vista-": "Kubernetes' own",
  "kubectl get nodes --output custom-columns=NAME:.metadata.name,STATE:.metadata.annotations.hasta-la-vista\\.io/state,RESULT:.metadata.annotations.hasta-la-vista\\.io/result,END:.metadata.annotations.hasta-la-vista\\.io/estimated-end":
    "test/conformance/kubernetes/manifests.test.ts prints them",
  "kubectl get events --namespace default --field-selector involvedObject.kind=Node --sort-by .metadata.creationTimestamp":
    "test/conformance/kubernetes/manifests.test.ts prints them",
  "kubectl rollout status deployment/hasta-la-vista --namespace kube-system": "Kubernetes' own",
  "kubectl port-forward --namespace kube-system service/hasta-la-vista 8080:8080":
    "test/deploy/kustomize.test.ts holds the Service's port",
  "docker build --tag hasta-la-vista .": "test/packaging/dockerfile.test.ts does the Dockerfile's steps",
  "docker run --read-only --publish 8080:8080 --env SECRET=a-long-api-key-of-yours --env CLOUDPROVIDER=aws --env AWS_REGION=eu-west-1 hasta-la-vista":
    "test/packaging/dockerfile.test.ts runs what the image would, with such variables",
  "docker build --target simulator --tag hasta-la-vista-simulator .":
    "test/packaging/dockerfile.test.ts does the Dockerfile's steps",
  "docker run --publish 127.0.0.1:4566:4566 --publish 127.0.0.1:4600-4602:4600-4602 hasta-la-vista-simulator":
    "test/packaging/dockerfile.test.ts runs what the image would, and asks for its health",
  "aws elbv2 describe-target-groups --names shop-web --query TargetGroups[0].TargetGroupArn --output text":
    "test/conformance/simulator-page.test.ts runs it",
  "aws elbv2 deregister-targets --target-group-arn  --targets Id=i-0de30000000000001":
    "test/conformance/simulator-page.test.ts runs it",
  "aws elbv2 describe-target-health --target-group-arn  --query TargetHealthDescriptions[].[Target.Id,TargetHealth.State] --output text":
    "test/conformance/simulator-page.test.ts runs it",
  "docker compose up --build": "test/packaging/compose.test.ts starts what the file names",
  "aws iam put-role-policy --role-name hasta-la-vista --policy-name hasta-la-vista --policy-document file:///dev/stdin":
    "test/docs.test.ts holds what it is given",
  "aws autoscaling complete-lifecycle-action --auto-scaling-group-name workers --lifecycle-hook-name drain --instance-id i-0123456789abcdef0 --lifecycle-action-result CONTINUE":
    "test/simulator/auto-scaling.test.ts completes a hook by the same parameters",
  "kubectl cordon ip-10-0-1-5.eu-west-1.compute.internal": "Kubernetes' own",
  "kubectl label node ip-10-0-1-5.eu-west-1.compute.internal node.kubernetes.io/exclude-from-external-load-balancers=true --overwrite":
    "Kubernetes' own; controllers that heed it are in test/simulator/controller.test.ts",
  "kubectl drain ip-10-0-1-5.eu-west-1.compute.internal --ignore-daemonsets --delete-emptydir-data": "Kubernetes' own",
  "kubectl label node ip-10-0-1-5.eu-west-1.compute.internal node.kubernetes.io/exclude-from-external-load-balancers-":
    "Kubernetes' own",
  "kubectl uncordon ip-10-0-1-5.eu-west-1.compute.internal": "Kubernetes' own",
  "aws cloudformation deploy --stack-name departures --template-file deploy/cloudformation/departures.yaml --capabilities CAPABILITY_IAM --parameter-overrides Undo=true":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "aws eks describe-nodegroup --cluster-name demo --nodegroup-name workers --query nodegroup.resources.autoScalingGroups[0].name --output text":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "aws cloudformation deploy --stack-name hook-workers --template-file deploy/cloudformation/lifecycle-hook.yaml --parameter-overrides AutoScalingGroupName=":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "aws autoscaling describe-lifecycle-hooks --auto-scaling-group-name  --query LifecycleHooks[].LifecycleHookName":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "aws cloudformation describe-stacks --stack-name departures --query Stacks[0].Outputs[?OutputKey=='QueueUrl'].OutputValue --output text":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "aws cloudformation describe-stacks --stack-name departures --query Stacks[0].Outputs[?OutputKey=='PolicyArn'].OutputValue --output text":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "aws iam attach-role-policy --role-name hasta-la-vista --policy-arn ":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set options.QUEUE= --set options.QUEUE_FOREIGN=delete --set options.TERMINATION_HOOK=hasta-la-vista":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "kubectl logs --namespace kube-system deployment/hasta-la-vista": "Kubernetes' own",
  "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id i-0123456789abcdef0 --no-should-decrement-desired-capacity":
    "test/simulator/auto-scaling.test.ts terminates an instance by the same parameters",
  "aws autoscaling describe-auto-scaling-instances --instance-ids i-0123456789abcdef0 --query AutoScalingInstances[0].LifecycleState":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "aws cloudformation deploy --stack-name hook-workers --template-file deploy/cloudformation/lifecycle-hook.yaml --parameter-overrides AutoScalingGroupName=workers":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set options.AUTOSCALER_HOLD=true --set options.AUTOSCALER_DELAY=600":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "kubectl get nodes --output custom-columns=NAME:.metadata.name,HELD:.metadata.annotations.delay-deletion\\.cluster-autoscaler\\.kubernetes\\.io/hasta-la-vista":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set holder.enabled=true --set-string nodeSelector.eks\\.amazonaws\\.com/nodegroup=system":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "kubectl get daemonset hasta-la-vista-holder --namespace kube-system":
    "test/conformance/kubernetes/chart-documents.test.ts holds the name",
  "kubectl get nodeclaims": "Kubernetes' own",
  "kubectl delete nodeclaim workers-abcde --wait=false": "test/conformance/kubernetes/karpenter.test.ts deletes one",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set holder.enabled=true --set options.DRYRUN=false":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "aws iam create-role --role-name hasta-la-vista --assume-role-policy-document file://deploy/iam/pod-identity.json":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "aws sts get-caller-identity --query Account --output text": "test/conformance/eks-commands.test.ts runs it on moto",
  "aws eks describe-cluster --name demo --query cluster.identity.oidc.issuer --output text":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "aws iam create-role --role-name hasta-la-vista --assume-role-policy-document file:///dev/stdin":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "helm upgrade hasta-la-vista deploy/helm/hasta-la-vista --namespace kube-system --reuse-values --set options.EVICT=always":
    "test/conformance/kubernetes/chart-documents.test.ts runs it",
  "aws autoscaling delete-lifecycle-hook --auto-scaling-group-name workers --lifecycle-hook-name lifecycle-manager":
    "test/conformance/eks-commands.test.ts runs it on moto",
  'aws events put-rule --name MyK8sASGTermRule --event-pattern {"source":["aws.autoscaling"],"detail-type":["EC2 Instance-terminate Lifecycle Action"],"detail":{"LifecycleHookName":["my-k8s-term-hook"]}}':
    "test/conformance/eks-commands.test.ts runs it on moto",
  "aws autoscaling delete-lifecycle-hook --auto-scaling-group-name workers --lifecycle-hook-name my-k8s-term-hook":
    "test/conformance/eks-commands.test.ts runs it on moto",
  "helm uninstall aws-node-termination-handler --namespace kube-system": "the other program's own",
  "kubectl get pods --namespace kube-system --selector app.kubernetes.io/component=service --output wide":
    "Kubernetes' own",
  "kubectl logs --namespace kube-system --selector app.kubernetes.io/component=service --prefix --tail 500":
    "Kubernetes' own",
  "kubectl logs --namespace kube-system --selector app.kubernetes.io/component=agent --prefix --tail 50":
    "Kubernetes' own",
  "kubectl get events --namespace kube-system --sort-by .lastTimestamp": "Kubernetes' own",
  "kubectl get certificates --all-namespaces": "Kubernetes' own",
  "kubectl get lease hasta-la-vista --namespace kube-system --output yaml":
    "test/deploy/chart.test.ts holds that the chart names it so",
  "kubectl get configmaps --namespace kube-system --selector hasta-la-vista.io/ledger=hasta-la-vista":
    "test/conformance/kubernetes/replicas.test.ts finds them by this label",
  "kubectl get validatingwebhookconfiguration --selector app.kubernetes.io/name=hasta-la-vista --output yaml":
    "Kubernetes' own",
  "kubectl auth can-i update leases --namespace kube-system --as system:serviceaccount:kube-system:hasta-la-vista":
    "Kubernetes' own; test/conformance/kubernetes/chart.test.ts holds the permission",
  "kubectl auth can-i update configmaps --namespace kube-system --as system:serviceaccount:kube-system:hasta-la-vista":
    "Kubernetes' own; test/conformance/kubernetes/chart.test.ts holds the permission",
  "kubectl auth can-i watch nodes --as system:serviceaccount:kube-system:hasta-la-vista":
    "Kubernetes' own; test/conformance/kubernetes/chart.test.ts holds the permission",
  "systemctl start maintenance.service": "the reader's own",
};

const blocks = DOCUMENTS.flatMap(codeBlocks);
const runnable = blocks.filter(({ language }) => language === "sh" || language === "crontab");
const recorded = new Set<string>();
const filesBefore = readdirSync(".");

test("the documents' code is of kinds whose commands are found", () => {
  const places = blocks.filter(({ language }) => !["", "sh", "crontab", "yaml", "json"].includes(language));
  expect(places.map(({ document, line, language }) => `${document}:${line} ${language}`)).toEqual([]);
  expect(runnable.length).toBeGreaterThan(8);
});

test("the manifests of the DaemonSets name verbs and flags that there are", async () => {
  const pods = ["holder", "agent"].flatMap((name) =>
    parseAllDocuments(readFileSync(`deploy/kustomize/${name}.yaml`, "utf8")).flatMap(
      (document) => document.toJS().spec?.template.spec.containers ?? [],
    ),
  );
  expect(pods).toHaveLength(2);
  for (const { args } of pods as readonly { readonly args: readonly string[] }[]) {
    const { code, stdout } = await runHere([args[0] ?? "", "--help"]);
    expect(code).toBe(0);
    for (const flag of args.filter((arg) => arg.startsWith("--"))) expect(stdout).toContain(flag);
  }
});

describe("commands in the documents work as they stand there", () => {
  const named = runnable.map((block) => [`${block.document}:${block.line}`, block] as const);
  test.each(named)("%s", { timeout: 120_000 }, async (_, { language, text }) => {
    const isOurs = /hasta-la-vista|dist\/cli\.js/.test(text) || text.includes(SERVICE);
    const accountFor = () => (text.includes("--evict") ? accountInKubernetes([], 1) : account());
    const { env, simulator } = isOurs ? await accountFor() : {};
    const cancels = /hasta-la-vista (?:cancel|uncordon)/.test(text);
    if (cancels && simulator !== undefined) restrictChildren(simulator, { UNDO: "true" });
    const commands = language === "crontab" ? commandsOfCrontab(text) : text;
    const needsService = text.includes(SERVICE) && !/(?:hasta-la-vista|dist\/cli\.js) serve/.test(text);
    const service = needsService
      ? await serveHere({ ...env, SECRET: "a-long-api-key-of-yours", UNDO: "true" })
      : undefined;
    await service?.child.line(/"access check passed"/);
    // A block that needs a region which an earlier block has started.
    const needsRegion = text.includes(SIMULATED) && !/(?:hasta-la-vista|dist\/cli\.js) simulate/.test(text);
    const region = needsRegion ? "hasta-la-vista simulate\n" : "";
    const { code, stdout, stderr, recorded: calls } = await runCommands(region + commands, env, service?.url);
    expect({ code, output: code === 0 ? "" : stdout + stderr }).toEqual({ code: 0, output: "" });
    for (const call of calls) recorded.add(call);
    expect(calls.filter((call) => !(call in HELD_ELSEWHERE))).toEqual([]);
    if (!/(?:hasta-la-vista|dist\/cli\.js) drain\b|(?<!\.io)\/drain\b/.test(text)) return;
    const status = await runHere(["status", ID, "--json"], env);
    const { registrations } = JSON.parse(status.stdout);
    // A dry run leaves the node where it was, and a cancelled drain returns it there.
    if (cancels || /dryRun=true/.test(text)) expect(registrations).toHaveLength(3);
    else expect(registrations).toEqual([]);
  });

  test("and leave no file in the project's folder", () => {
    expect(readdirSync(".")).toEqual(filesBefore);
  });

  test("and those that can't be run here are all still in the documents", () => {
    expect(Object.keys(HELD_ELSEWHERE).filter((call) => !recorded.has(call))).toEqual([]);
  });
});

test("a command that nobody knows fails by its name", async () => {
  const { code, stderr } = await runCommands("frobnicate --all");
  expect({ code, stderr }).toEqual({ code: 127, stderr: expect.stringContaining("frobnicate") });
});

test("every `npm run` that the documents name is a script of the package", () => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
  const named = DOCUMENTS.flatMap((document) =>
    [...readFileSync(document, "utf8").matchAll(/npm run (?:--silent )?([\w:]+)/g)].map((match) => match[1] ?? ""),
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
