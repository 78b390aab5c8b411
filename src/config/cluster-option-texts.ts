import type { CLUSTER_OPTIONS } from "./cluster-options.ts";
import type { OptionText } from "./values.ts";

/** The texts of the options of the cluster. */
export const CLUSTER_OPTION_TEXTS: Readonly<Record<keyof typeof CLUSTER_OPTIONS, OptionText>> = {
  kubernetes: {
    description:
      "Kubernetes API server to use. in-cluster: the cluster of this pod, as its service account. Otherwise the path of a kubeconfig file, whose exec plug-ins, tokens, client certificates and proxy are used. If unset, the program does not call Kubernetes.",
    example: "in-cluster",
    changeWhen: "Set it to let the program watch and change nodes in Kubernetes.",
  },
  kubernetesContext: {
    description: "Context of the kubeconfig file that KUBERNETES names.",
    example: "production",
    changeWhen: "Set it when the current context of the file is not the cluster of the nodes.",
  },
  lease: {
    description:
      "Name of the Lease by which several replicas of the service elect the one that acts on nodes. The others pass requests on to it, and take over when it goes. The ledger is then kept in ConfigMaps beside the Lease, in the namespace of the pod. Needs KUBERNETES, STATE_DIR, POD_NAME, POD_NAMESPACE, POD_IP and NODE_NAME. The chart sets it.",
    example: "hasta-la-vista",
    changeWhen: "Set it to run more than one replica.",
  },
  podName: {
    description: "Name of the pod, by which replicas know each other. Used with LEASE.",
    example: "hasta-la-vista-6d4cf56db6-x2x7f",
    changeWhen: "Set it from the field metadata.name of the pod (downward API).",
  },
  podNamespace: {
    description: "Namespace of the pod, in which the Lease and the ledger are. Used with LEASE.",
    example: "kube-system",
    changeWhen: "Set it from the field metadata.namespace of the pod (downward API).",
  },
  podIp: {
    description: "Address at which the other replicas reach this one. Used with LEASE.",
    example: "10.0.14.7",
    changeWhen: "Set it from the field status.podIP of the pod (downward API).",
  },
  nodeName: {
    description:
      "Name of the node that the pod runs on. When this node is drained, another replica takes over first. Used with LEASE.",
    example: "ip-10-0-14-1.eu-west-1.compute.internal",
    changeWhen: "Set it from the field spec.nodeName of the pod (downward API).",
  },
  nodeTriggers: {
    description:
      "What of a Node object starts a drain, separated by commas. autoscaler and karpenter: the taint of cluster-autoscaler or Karpenter. deletion: the Node object is being deleted. annotation: hasta-la-vista.io/drain=true. cordon: the node is cordoned. not-ready: its condition Ready is not True. taint:KEY: a taint with this key. none: nothing. Used with KUBERNETES.",
    example: "autoscaler,annotation,taint:aws-node-termination-handler/spot-itn",
    changeWhen: "Set it when nodes leave for another reason, or when one of the reasons must not start drains.",
  },
  autoscalerHold: {
    description:
      "Whether every Node object gets the annotation that makes cluster-autoscaler wait until the node is drained. Used with KUBERNETES.",
    example: "true",
    changeWhen:
      "Set it to true in clusters with cluster-autoscaler, and give cluster-autoscaler a --node-deletion-delay-timeout that exceeds the longest hold.",
  },
  autoscalerDelayMs: {
    description:
      "The value of --node-deletion-delay-timeout that cluster-autoscaler runs with. A drain for its taint has this deadline.",
    example: "360",
    changeWhen: "Set it to the value that cluster-autoscaler has.",
  },
  nlbFastPath: {
    description:
      "Whether a node gets the taint ToBeDeletedByClusterAutoscaler when its deadline is shorter than NLB_PROPAGATION, as with spot interruptions. Its kube-proxy then fails the health checks of NLBs that ask it, and these stop opening connections sooner. Not done where a load balancer would close established connections. Needs KUBERNETES, and in the service UNDO=true.",
    example: "true",
    changeWhen:
      "Set it to true for spot nodes behind Network Load Balancers whose health checks use HTTP on port 10256, path /healthz, and whose target groups do not terminate connections of unhealthy targets.",
  },
  evict: {
    description:
      "When the service evicts the pods of a node, after its traffic has ended. requested: where the request asks for it. always: in every drain, except where Karpenter or cluster-autoscaler removes the node, which evict the pods themselves. never: requests for it are refused. Used with KUBERNETES.",
    example: "always",
    changeWhen:
      "Set it to always if no other program evicts the pods before the machine goes, for example with lifecycle hooks or spot interruptions.",
  },
  evictionGate: {
    description:
      "Whether the service is an admission webhook that refuses to evict a pod while load balancers may still send traffic to its node, which is leaving. Requires KUBERNETES, EVICTION_GATE_CERT_FILE and EVICTION_GATE_KEY_FILE.",
    example: "true",
    changeWhen:
      "Set it to true if pods receive traffic with externalTrafficPolicy Local, and Karpenter or another program evicts them.",
  },
  evictionGatePort: {
    description: "Port on which the API server reaches the eviction gate, with HTTPS. 0: any free port.",
    example: "9443",
    changeWhen: "Set it when the port is in use.",
  },
  evictionGateCertFile: {
    description:
      "PEM file of the certificate of the eviction gate and its chain. It must be valid for SERVICE.NAMESPACE.svc, as the API server calls it.",
    example: "/run/secrets/eviction-gate/tls.crt",
    changeWhen: "Always set it with EVICTION_GATE.",
  },
  evictionGateKeyFile: {
    description: "PEM file of the private key that belongs to EVICTION_GATE_CERT_FILE, without a passphrase.",
    example: "/run/secrets/eviction-gate/tls.key",
    changeWhen: "Always set it with EVICTION_GATE.",
  },
  tokenReview: {
    description:
      "Whether callers may send a Kubernetes token instead of the secret. The API server says whose token it is, and whether its user may create, get, list or delete drains, or get nodes, of the group hasta-la-vista.io. Needs KUBERNETES, and the permissions that 'rbac --token-review' prints.",
    example: "true",
    changeWhen: "Set it to true to give each caller its own identity and permissions.",
  },
  tokenAudience: {
    description:
      "Audience that tokens of callers must be made for. A token for another audience, such as that which Kubernetes mounts into pods by default, is refused.",
    example: "hasta-la-vista.production",
    changeWhen: "Set it if tokens for one service must not be accepted by another.",
  },
};
