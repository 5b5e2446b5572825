{{- define "orderwalk.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* At most 40 characters: the longest suffix and a Job's hash have to fit. */}}
{{- define "orderwalk.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "orderwalk.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "orderwalk.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "orderwalk.selector" -}}
app.kubernetes.io/name: {{ include "orderwalk.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The workers: not the test's pod, not the backfill's. */}}
{{- define "orderwalk.workers" -}}
{{ include "orderwalk.selector" . }}
app.kubernetes.io/component: worker
{{- end }}

{{- define "orderwalk.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "orderwalk.fullname" .) "default") }}
{{- end }}

{{- define "orderwalk.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}
{{- else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Where the file of a reference {secret, key} is in the pod; empty without one. */}}
{{- define "orderwalk.secretFile" -}}
{{- if .secret }}/run/orderwalk/secrets/{{ .secret }}/{{ .key }}{{ end }}
{{- end }}

{{- /* A number as it was written: Helm makes 1.7e+09 of 1700000000. */}}
{{- define "orderwalk.text" -}}
{{- if kindIs "invalid" . }}{{ else if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- /* GOMEMLIMIT: so many percent of the memory limit, in bytes; empty without one. */}}
{{- define "orderwalk.goMemLimit" -}}
{{- $limit := include "orderwalk.text" (((.resources).limits).memory) }}
{{- if and $limit .percent }}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- $unit := regexFind "[A-Za-z]+$" $limit }}
{{- $number := trimSuffix $unit $limit }}
{{- if or (not (hasKey $units $unit)) (not (regexMatch "^[0-9]+([.][0-9]+)?$" $number)) }}
{{- fail (printf "memory limit %q: give a number of bytes, or one with Ki, Mi, Gi, k, M or G" $limit) }}
{{- end }}
{{- printf "%d" (divf (mulf (float64 $number) (get $units $unit) .percent) 100 | int64) }}
{{- end }}
{{- end }}
