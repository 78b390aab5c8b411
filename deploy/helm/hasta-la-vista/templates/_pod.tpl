{{/* What the pods of the service, the holder, the agents and the test have in common. */}}

{{/* Options as environment variables. An option without a value is left out. */}}
{{- define "hasta-la-vista.options" -}}
{{- range $name, $value := . }}
{{- if kindIs "map" $value }}
- name: {{ $name }}
  valueFrom:
    {{- toYaml $value | nindent 4 }}
{{- else if kindIs "float64" $value }}
{{- /* Printed otherwise, a million would be 1e+06. */}}
- { name: {{ $name }}, value: {{ toJson $value | quote }} }
{{- else if not (kindIs "invalid" $value) }}
- { name: {{ $name }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- end }}
{{- end }}

{{- define "hasta-la-vista.secretFile" -}}
- { name: SECRET_FILE, value: /run/secrets/hasta-la-vista/{{ .Values.secret.key }} }
{{- end }}

{{- define "hasta-la-vista.secretMount" -}}
- { name: secret, mountPath: /run/secrets/hasta-la-vista, readOnly: true }
{{- end }}

{{- define "hasta-la-vista.secretVolume" -}}
- name: secret
  secret: { secretName: {{ include "hasta-la-vista.secretName" . }}, defaultMode: 288 } # 0440
{{- end }}

{{/* What the holder and the agents send: the secret, or a token of their service account. */}}
{{- define "hasta-la-vista.credentialEnv" -}}
{{- if .Values.tokenReview.enabled }}
- { name: TOKEN_FILE, value: /run/secrets/hasta-la-vista-token/token }
{{- else }}
{{- include "hasta-la-vista.secretFile" . }}
{{- end }}
{{- end }}

{{- define "hasta-la-vista.credentialMount" -}}
{{- if .Values.tokenReview.enabled }}
- { name: token, mountPath: /run/secrets/hasta-la-vista-token, readOnly: true }
{{- else }}
{{- include "hasta-la-vista.secretMount" . }}
{{- end }}
{{- end }}

{{- define "hasta-la-vista.credentialVolume" -}}
{{- if .Values.tokenReview.enabled }}
- name: token
  projected:
    sources:
      - serviceAccountToken: { path: token, audience: {{ .Values.options.TOKEN_AUDIENCE | default "hasta-la-vista" | quote }} }
{{- else }}
{{- include "hasta-la-vista.secretVolume" . }}
{{- end }}
{{- end }}

{{/* What a caller of the service needs to trust it, and to be trusted, besides that. */}}
{{- define "hasta-la-vista.callerEnv" -}}
{{- if .Values.tls.existingSecret }}
{{- with .Values.tls.caKey }}
- { name: NODE_EXTRA_CA_CERTS, value: /run/secrets/hasta-la-vista-ca/{{ . }} }
{{- end }}
{{- if .Values.tls.clientSecret }}
- { name: TLS_CERT_FILE, value: /run/secrets/hasta-la-vista-client/tls.crt }
- { name: TLS_KEY_FILE, value: /run/secrets/hasta-la-vista-client/tls.key }
{{- end }}
{{- end }}
{{- end }}

{{- define "hasta-la-vista.callerMounts" -}}
{{- if .Values.tls.existingSecret }}
{{- if .Values.tls.caKey }}
- { name: ca, mountPath: /run/secrets/hasta-la-vista-ca, readOnly: true }
{{- end }}
{{- if .Values.tls.clientSecret }}
- { name: client, mountPath: /run/secrets/hasta-la-vista-client, readOnly: true }
{{- end }}
{{- end }}
{{- end }}

{{/* Of the Secret with the certificate a caller sees the authority alone. */}}
{{- define "hasta-la-vista.callerVolumes" -}}
{{- if .Values.tls.existingSecret }}
{{- with .Values.tls.caKey }}
- name: ca
  secret:
    secretName: {{ $.Values.tls.existingSecret }}
    defaultMode: 288 # 0440
    items: [{ key: {{ . }}, path: {{ . }} }]
{{- end }}
{{- with .Values.tls.clientSecret }}
- name: client
  secret: { secretName: {{ . }}, defaultMode: 288 } # 0440
{{- end }}
{{- end }}
{{- end }}

{{/* How a container of the image runs. */}}
{{- define "hasta-la-vista.container" -}}
image: {{ include "hasta-la-vista.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- end }}

{{/* Where a pod runs, and as whom. Given: root, pod (the values with these names), groups (of its processes, besides its own). */}}
{{- define "hasta-la-vista.pod" -}}
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- $context := .root.Values.podSecurityContext }}
  {{- with .groups }}
  {{- $context = merge (dict "supplementalGroups" (concat ($context.supplementalGroups | default list) .)) $context }}
  {{- end }}
  {{- toYaml $context | nindent 2 }}
{{- with .pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* SHUTDOWN_GRACE in seconds: a second is added where it is a fraction. */}}
{{- define "hasta-la-vista.shutdownGrace" -}}
{{- if kindIs "invalid" . }}25{{ else }}{{ ceil . | int }}{{ end }}
{{- end }}
