{{- /* The parts that the pods of workers, backfill and test share. The context is
the root's, with component, resources and args added, and Values changed for the
backfill. */}}
{{- define "orderwalk.podMetadata" -}}
labels:
  {{- include "orderwalk.selector" . | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  kubectl.kubernetes.io/default-container: orderwalk
  {{- with .Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "orderwalk.podSpec" -}}
serviceAccountName: {{ include "orderwalk.serviceAccount" . }}
automountServiceAccountToken: false
# A Service's variables could begin with ORDERWALK_, and unknown ones are refused.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  {{- include "orderwalk.volumes" . | trim | nindent 2 }}
{{- end }}

{{- define "orderwalk.container" -}}
name: orderwalk
image: {{ include "orderwalk.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: {{ .args | toJson }}
env:
  {{- include "orderwalk.env" . | trim | nindent 2 }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- toYaml .resources | nindent 2 }}
volumeMounts:
  {{- include "orderwalk.volumeMounts" . | trim | nindent 2 }}
{{- end }}
