import type { KubernetesCluster } from "./kubernetes-cluster.ts";
import { RunningKubernetesProgram } from "./kubernetes-programs.ts";

/** The tag that the controller gives to what it makes, and looks for in instances. */
export const CLUSTER_NAME = "demo";

/**
 * cloud-provider-aws's controller for services of type LoadBalancer, at `awsUrl` in place of AWS. It makes a classic load
 * balancer for each such service, or an NLB, with the nodes of the cluster in it. The caller ends it.
 */
export async function startCloudController(
  cluster: KubernetesCluster,
  { awsUrl, vpcId, zone }: { readonly awsUrl: string; readonly vpcId: string; readonly zone: string },
): Promise<RunningKubernetesProgram> {
  // Without Zone, VPC and SubnetID it asks instance metadata for them, and ends where there is none.
  const config = cluster.writeFile(
    "cloud.conf",
    [
      "[Global]",
      `Zone=${zone}`,
      `VPC=${vpcId}`,
      `SubnetID=subnet-${vpcId}-${zone}`,
      `KubernetesClusterID=${CLUSTER_NAME}`,
    ]
      .join("\n")
      .concat("\n"),
  );
  const program = new RunningKubernetesProgram(
    "aws-cloud-controller-manager",
    [
      `--kubeconfig=${cluster.kubeconfig}`,
      `--authentication-kubeconfig=${cluster.kubeconfig}`,
      `--authorization-kubeconfig=${cluster.kubeconfig}`,
      "--cloud-provider=aws",
      `--cloud-config=${config}`,
      `--cluster-name=${CLUSTER_NAME}`,
      "--controllers=service-lb-controller",
      "--leader-elect=false",
      "--bind-address=127.0.0.1",
      "--secure-port=0",
      "--v=2",
    ],
    {
      AWS_ENDPOINT_URL: awsUrl,
      AWS_REGION: zone.slice(0, -1),
      AWS_ACCESS_KEY_ID: "simulated",
      AWS_SECRET_ACCESS_KEY: "simulated",
      AWS_EC2_METADATA_DISABLED: "true",
    },
  );
  await program.line(/Starting service controller/);
  return program;
}
