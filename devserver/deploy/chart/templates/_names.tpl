{{- define "devserver.labels" -}}
app.kubernetes.io/name: devserver-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "devserver.selector" -}}
app.kubernetes.io/name: devserver-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "devserver.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "devserver.settings" -}}
{{ toYaml (mergeOverwrite (dict "staticDependenciesImage" (include "devserver.image" .)) .Values.settings) }}
{{- end }}
