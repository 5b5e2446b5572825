{{- /* The ConfigMap with the shops file of a component: {component, Values, …}. */}}
{{- define "orderwalk.shopsConfigMap" -}}
{{- include "orderwalk.fullname" . }}{{ if eq .component "backfill" }}-backfill{{ end }}-shops
{{- end }}

{{- define "orderwalk.shops" -}}
{{- $authorized := .Values.authorizedShops }}
{{- $rules := or $authorized.limit $authorized.exclude $authorized.overrides }}
{{- if and $rules (not $authorized.enabled) (ne .component "backfill") }}
{{- fail "authorizedShops has rules and is not enabled: set authorizedShops.enabled, or remove them" }}
{{- end }}
{{- if not (or .Values.shopsFile.configMap .Values.shopsFile.secret) }}
{{- if not (or .Values.shops $authorized.enabled) }}
{{- fail "shops is empty: list at least one shop with its appId, or name a file of shops with shopsFile" }}
{{- end }}
# No secret is in it: where a shop has one, its file is named. The program looks
# at this file every two seconds; a change reaches it within a minute or so.
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "orderwalk.shopsConfigMap" . }}
  labels:
    {{- include "orderwalk.labels" . | nindent 4 }}
data:
  shops.yaml: |
    shops:{{ if not .Values.shops }} []{{ end }}
    {{- range .Values.shops }}
    - app_id: {{ .appId | quote }}
      {{- range $field, $value := omit . "appId" }}
      {{- if kindIs "map" $value }}
      {{ snakecase $field }}_file: {{ include "orderwalk.secretFile" $value | quote }}
      {{- else }}
      {{ snakecase $field }}: {{ include "orderwalk.text" $value | quote }}
      {{- end }}
      {{- end }}
    {{- end }}
    {{- if $authorized.enabled }}
    {{- with $authorized.limit }}
    limit: {{ include "orderwalk.text" . }}
    {{- end }}
    {{- with $authorized.exclude }}
    exclude:
    {{- range . }}
    - {{ . | quote }}
    {{- end }}
    {{- end }}
    {{- with $authorized.overrides }}
    overrides:
    {{- range . }}
    - match: {{ .match | quote }}
      {{- range $field, $value := omit . "match" }}
      {{ snakecase $field }}: {{ include "orderwalk.text" $value | quote }}
      {{- end }}
    {{- end }}
    {{- end }}
    {{- end }}
{{- else if .Values.shops }}
{{- fail "shops and shopsFile are both given: give one of them" }}
{{- else if $rules }}
{{- fail "shopsFile and rules of authorizedShops are both given: write limit, exclude and overrides into that file" }}
{{- end }}
{{- end }}
