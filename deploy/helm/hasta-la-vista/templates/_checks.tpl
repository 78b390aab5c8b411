{{/* Values that the schema cannot refuse, or not with a reason. All of them are reported together. */}}
{{- define "hasta-la-vista.check" -}}
{{- $problems := list }}

{{- range $path, $advice := .Files.Get "files/renamed-values.yaml" | fromYaml }}
{{- $value := $.Values }}
{{- range $key := splitList "." $path }}
{{- $value = ternary $value dict (kindIs "map" $value) }}
{{- $value = get $value $key }}
{{- end }}
{{- /* `get` returns "" for a key that is absent. */}}
{{- if not (or (kindIs "invalid" $value) (and (kindIs "string" $value) (eq $value "") )) }}
{{- $problems = append $problems (printf "%s is a value of the chart of 1.0: %s" $path $advice) }}
{{- end }}
{{- end }}

{{- $options := .Values.options }}
{{- if not .Values.image.repository }}
{{- $problems = append $problems "image.repository is empty: build and push the image (docs/install.md), and give its name without a tag" }}
{{- end }}
{{- if and (gt (int .Values.replicas) 1) (not (include "hasta-la-vista.isElected" .)) }}
{{- if .Values.persistence.enabled }}
{{- $problems = append $problems (printf "replicas is %v, and persistence.enabled is true: give 1, because a volume belongs to one process, or set persistence.enabled=false, so that replicas keep the ledger in the cluster" .Values.replicas) }}
{{- else }}
{{- $problems = append $problems (printf "replicas is %v, and options.KUBERNETES is not in-cluster: give 1, because replicas need the API server of their cluster to elect the one that acts on nodes" .Values.replicas) }}
{{- end }}
{{- end }}
{{- if and .Values.secret.value .Values.secret.existingSecret }}
{{- $problems = append $problems "secret.value and secret.existingSecret are both set: set only one" }}
{{- end }}
{{- if not (or .Values.secret.value .Values.secret.existingSecret) }}
{{- /* Every cluster has this namespace. Where there is none, each rendering would have another secret. */}}
{{- if not (lookup "v1" "Namespace" "" "kube-system") }}
{{- $problems = append $problems "secret.value and secret.existingSecret are empty, and there is no cluster to keep a generated secret in: set one of them (helm template, Argo CD), or use --dry-run=server in place of --dry-run" }}
{{- end }}
{{- end }}
{{- if and .Values.serviceAccount.roleArn (not .Values.serviceAccount.create) }}
{{- $problems = append $problems "serviceAccount.roleArn is set, and serviceAccount.create is false: annotate the service account yourself with eks.amazonaws.com/role-arn" }}
{{- end }}

{{- if and $options.KUBERNETES (not $options.UNDO) (ne ($options.NODE_TRIGGERS | default "") "none") }}
{{- $problems = append $problems "options.KUBERNETES is set, and options.UNDO is not true: set options.UNDO=true, so that a node that stays after all can be registered again, or options.NODE_TRIGGERS=none" }}
{{- end }}
{{- if and (eq ($options.REBALANCE | default "") "drain") (not $options.UNDO) }}
{{- $problems = append $problems "options.REBALANCE is drain, and options.UNDO is not true: set options.UNDO=true, so that a node that is not interrupted can be registered again" }}
{{- end }}
{{- if and (eq ($options.POLICY_SCOPE | default "") "tag") (not $options.CLUSTERNAME) }}
{{- $problems = append $problems "options.POLICY_SCOPE is tag, and options.CLUSTERNAME is not set: give the name of the cluster" }}
{{- end }}
{{- if and $options.NLB_FAST_PATH (not $options.KUBERNETES) }}
{{- $problems = append $problems "options.NLB_FAST_PATH is true, and options.KUBERNETES is not set: set options.KUBERNETES=in-cluster, because the nodes of a cluster are tainted" }}
{{- end }}
{{- if and $options.NLB_FAST_PATH (not $options.UNDO) }}
{{- $problems = append $problems "options.NLB_FAST_PATH is true, and options.UNDO is not true: set options.UNDO=true, so that the taint can be removed" }}
{{- end }}
{{- if and .Values.agent.enabled .Values.agent.options.EARLY_RELEASE (not $options.EARLY_RELEASE) }}
{{- $problems = append $problems "agent.options.EARLY_RELEASE is true, and options.EARLY_RELEASE is not: set both, because the service decides by what the agents count" }}
{{- end }}
{{- if and $options.EARLY_RELEASE (not (and .Values.agent.enabled .Values.agent.options.EARLY_RELEASE)) }}
{{- $problems = append $problems "options.EARLY_RELEASE is true, and no agent counts connections: set agent.enabled=true and agent.options.EARLY_RELEASE=true" }}
{{- end }}
{{- if has ($options.HOST | default "") (list "127.0.0.1" "localhost" "::1") }}
{{- $problems = append $problems (printf "options.HOST is %s: leave it out, because probes and callers reach the pod by its address" $options.HOST) }}
{{- end }}
{{- if not (hasPrefix "/" ($options.STATE_DIR | default "")) }}
{{- $problems = append $problems "options.STATE_DIR is not an absolute path: give one, such as /var/lib/hasta-la-vista. Its volume is that of persistence, or one that ends with the pod" }}
{{- end }}

{{- $grace := include "hasta-la-vista.shutdownGrace" $options.SHUTDOWN_GRACE | int }}
{{- if and .Values.terminationGracePeriodSeconds (le (int .Values.terminationGracePeriodSeconds) (add $grace 20 | int)) }}
{{- $problems = append $problems (printf "terminationGracePeriodSeconds is %v: give more than %d, which is SHUTDOWN_GRACE and the last poll of a queue, or leave it out" .Values.terminationGracePeriodSeconds (add $grace 20)) }}
{{- end }}
{{- $agentGrace := include "hasta-la-vista.shutdownGrace" .Values.agent.options.SHUTDOWN_GRACE | int }}
{{- if le (int .Values.agent.terminationGracePeriodSeconds) $agentGrace }}
{{- $problems = append $problems (printf "agent.terminationGracePeriodSeconds is %v: give more than its SHUTDOWN_GRACE of %d" .Values.agent.terminationGracePeriodSeconds $agentGrace) }}
{{- end }}

{{- if not .Values.tls.existingSecret }}
{{- range $key := list "clientCaKey" "clientSecret" }}
{{- if get $.Values.tls $key }}
{{- $problems = append $problems (printf "tls.%s is set, and tls.existingSecret is not: client certificates need TLS, so give the Secret with the certificate of the service" $key) }}
{{- end }}
{{- end }}
{{- end }}

{{- $own := concat (keys $options) (list "SECRET" "SECRET_FILE" "TLS_CERT_FILE" "TLS_KEY_FILE" "TLS_CLIENT_CA_FILE" "TOKEN_REVIEW" "EVICTION_GATE" "EVICTION_GATE_CERT_FILE" "EVICTION_GATE_KEY_FILE" "LEASE" "POD_NAME" "POD_NAMESPACE" "POD_IP" "NODE_NAME") }}
{{- range .Values.extraEnv }}
{{- if has .name $own }}
{{- $problems = append $problems (printf "extraEnv sets %s, which is an option: set it by options, secret, tls, tokenReview or evictionGate" .name) }}
{{- end }}
{{- end }}

{{- if and .Values.tokenReview.enabled (not $options.KUBERNETES) }}
{{- $problems = append $problems "tokenReview.enabled is true, and options.KUBERNETES is not set: tokens are reviewed by the API server of a cluster" }}
{{- end }}
{{- if and .Values.tokenReview.callers (not .Values.tokenReview.enabled) }}
{{- $problems = append $problems "tokenReview.callers is set, and tokenReview.enabled is false: set tokenReview.enabled=true, so that tokens are accepted" }}
{{- end }}

{{- $gate := .Values.evictionGate }}
{{- if $gate.enabled }}
{{- if not $options.KUBERNETES }}
{{- $problems = append $problems "evictionGate.enabled is true, and options.KUBERNETES is not set: the gate needs the cluster whose evictions it reviews" }}
{{- end }}
{{- if and $gate.existingSecret $gate.certManager }}
{{- $problems = append $problems "evictionGate.existingSecret and evictionGate.certManager are both set: set only one" }}
{{- end }}
{{- if and $gate.existingSecret (not $gate.caBundle) }}
{{- $problems = append $problems "evictionGate.existingSecret is set, and evictionGate.caBundle is not: give the authority of its certificate in base64, which the API server needs" }}
{{- end }}
{{- if not (or $gate.existingSecret $gate.certManager (lookup "v1" "Namespace" "" "kube-system")) }}
{{- $problems = append $problems "evictionGate.enabled is true, and there is no cluster to keep a generated certificate in: set evictionGate.certManager=true or evictionGate.existingSecret (helm template, Argo CD), or use --dry-run=server in place of --dry-run" }}
{{- end }}
{{- end }}

{{- range .Values.holder.tolerations }}
{{- if or (not .key) (eq .key "karpenter.sh/disrupted") }}
{{- $problems = append $problems (printf "holder.tolerations tolerates %s: Karpenter waits for no pod that tolerates karpenter.sh/disrupted, so name the taints of your NodePools by their keys" (.key | default "all taints")) }}
{{- end }}
{{- end }}
{{- if hasPrefix "system-" .Values.holder.priorityClassName }}
{{- $problems = append $problems (printf "holder.priorityClassName is %s: give another one, because Karpenter evicts the pods of this class after all others" .Values.holder.priorityClassName) }}
{{- end }}

{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}
{{- $problems = append $problems "httpRoute.enabled is true, and httpRoute.parentRefs is empty: name the Gateway" }}
{{- end }}
{{- range $needs := list
  (dict "value" "httpRoute" "kind" "gateway.networking.k8s.io/v1/HTTPRoute" "of" "the Gateway API")
  (dict "value" "serviceMonitor" "kind" "monitoring.coreos.com/v1/ServiceMonitor" "of" "the Prometheus operator")
  (dict "value" "prometheusRule" "kind" "monitoring.coreos.com/v1/PrometheusRule" "of" "the Prometheus operator")
  (dict "value" "evictionGate" "if" "certManager" "kind" "cert-manager.io/v1/Certificate" "of" "cert-manager") }}
{{- $values := get $.Values $needs.value }}
{{- if and $values.enabled (get $values ($needs.if | default "enabled")) (not ($.Capabilities.APIVersions.Has $needs.kind)) }}
{{- $problems = append $problems (printf "%s.%s is true, and the cluster has no %s: install %s first. Without a cluster (helm template), add --api-versions %s" $needs.value ($needs.if | default "enabled") $needs.kind $needs.of $needs.kind) }}
{{- end }}
{{- end }}

{{- if $problems }}
{{- fail (printf "\n\n- %s\n" (join "\n- " $problems)) }}
{{- end }}
{{- end }}
