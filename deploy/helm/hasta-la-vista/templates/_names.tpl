{{/* Names and labels. */}}

{{/* Of the objects. Cut so that a suffix fits into the 63 characters of a label. */}}
{{- define "hasta-la-vista.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 49 | trimSuffix "-" }}
{{- else }}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 49 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 49 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "hasta-la-vista.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "hasta-la-vista.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{/* Whether replicas elect a leader, and keep the ledger in the cluster. Empty: one process, with a ledger of its own. */}}
{{- define "hasta-la-vista.isElected" -}}
{{- if and (eq (.Values.options.KUBERNETES | default "") "in-cluster") (not .Values.persistence.enabled) }}true{{ end }}
{{- end }}

{{- define "hasta-la-vista.secretName" -}}
{{- .Values.secret.existingSecret | default (include "hasta-la-vista.fullname" .) }}
{{- end }}

{{- define "hasta-la-vista.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* The address that pods of the chart call. */}}
{{- define "hasta-la-vista.url" -}}
{{- $scheme := ternary "https" "http" (ne .Values.tls.existingSecret "") }}
{{- printf "%s://%s.%s:%v" $scheme (include "hasta-la-vista.fullname" .) .Release.Namespace .Values.service.port }}
{{- end }}

{{/* The labels that select the pods of a component. Given: root, component. */}}
{{- define "hasta-la-vista.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Values.nameOverride | default .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Given: root, component. */}}
{{- define "hasta-la-vista.labels" -}}
{{ include "hasta-la-vista.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The name, namespace and labels of an object in the namespace. Given: root, component, suffix. */}}
{{- define "hasta-la-vista.metadata" -}}
name: {{ include "hasta-la-vista.fullname" .root }}{{ .suffix }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "hasta-la-vista.labels" . | nindent 2 }}
{{- end }}

{{/* The labels of the pods of a component, with the version that they run. Given: root, component. */}}
{{- define "hasta-la-vista.podLabels" -}}
{{ include "hasta-la-vista.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{- with .root.Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
