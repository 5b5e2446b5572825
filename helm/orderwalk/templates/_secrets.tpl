{{- /* Secrets are never in the release: it holds references {secret, key}, and
every key that is referred to is projected into one volume, as a file. The
program reads such files again when they change. */}}

{{- define "orderwalk.ref" -}}
{{- if .secret }}
{{- printf "%s/%s\n" .secret (.key | required (printf "reference to Secret %s: give the key" .secret)) }}
{{- end }}
{{- end }}

{{- /* One line secret/key for each reference. */}}
{{- define "orderwalk.refs" -}}
{{- $v := .Values }}
{{- $kafka := include "orderwalk.kafka" . | fromYaml }}
{{- include "orderwalk.ref" $kafka.tls.ca }}
{{- with $kafka.tls.client }}
{{- include "orderwalk.ref" (dict "secret" .secret "key" .certKey) }}
{{- include "orderwalk.ref" (dict "secret" .secret "key" .keyKey) }}
{{- end }}
{{- include "orderwalk.ref" $kafka.sasl.password }}
{{- include "orderwalk.ref" $kafka.sasl.token }}
{{- include "orderwalk.ref" $kafka.sasl.clientSecret }}
{{- include "orderwalk.ref" $v.shopsFile }}
{{- include "orderwalk.ref" $v.api.accessTokenUrlSecret }}
{{- include "orderwalk.ref" $v.component.appSecret }}
{{- include "orderwalk.ref" $v.component.verifyTicket }}
{{- include "orderwalk.ref" $v.component.stateKey }}
{{- include "orderwalk.ref" $v.rest.token }}
{{- with $v.rest.tls.certificate }}
{{- include "orderwalk.ref" (dict "secret" .secret "key" .certKey) }}
{{- include "orderwalk.ref" (dict "secret" .secret "key" .keyKey) }}
{{- end }}
{{- include "orderwalk.ref" $v.rest.tls.clientCa }}
{{- if $v.push.enabled }}
{{- include "orderwalk.ref" $v.push.token }}
{{- include "orderwalk.ref" $v.push.aesKey }}
{{- end }}
{{- range $v.shops }}
{{- range . }}
{{- if kindIs "map" . }}{{ include "orderwalk.ref" . }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "orderwalk.volumes" -}}
{{- $refs := include "orderwalk.refs" . | trim | splitList "\n" | uniq | sortAlpha | compact }}
{{- if $refs }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
    {{- range $refs }}
    {{- $secret := splitn "/" 2 . }}
    - secret:
        name: {{ $secret._0 }}
        items:
        - key: {{ $secret._1 }}
          path: {{ . }}
    {{- end }}
{{- end }}
{{- with .Values.kafka.sasl.serviceAccountToken }}
{{- if .audience }}
- name: tokens
  projected:
    defaultMode: 0440
    sources:
    - serviceAccountToken:
        audience: {{ .audience | quote }}
        expirationSeconds: {{ include "orderwalk.text" .expirationSeconds }}
        path: kafka
{{- end }}
{{- end }}
{{- if not .Values.shopsFile.secret }}
- name: shops
  configMap:
    name: {{ .Values.shopsFile.configMap | default (include "orderwalk.shopsConfigMap" .) }}
    defaultMode: 0444
{{- end }}
{{- with .Values.extraVolumes }}
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}

{{- define "orderwalk.volumeMounts" -}}
{{- if include "orderwalk.refs" . | trim }}
- name: secrets
  mountPath: /run/orderwalk/secrets
  readOnly: true
{{- end }}
{{- if .Values.kafka.sasl.serviceAccountToken.audience }}
- name: tokens
  mountPath: /run/orderwalk/tokens
  readOnly: true
{{- end }}
{{- if not .Values.shopsFile.secret }}
- name: shops
  mountPath: /etc/orderwalk
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}
