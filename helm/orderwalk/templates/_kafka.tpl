{{- /* How Kafka is reached, as YAML: what kafka.* says, and where that is silent
and strimzi.cluster is set, what Strimzi's operators have made. */}}
{{- define "orderwalk.kafka" -}}
{{- $kafka := deepCopy .Values.kafka }}
{{- with .Values.strimzi }}
{{- if .cluster }}
{{- $user := include "orderwalk.strimziUser" $ }}
{{- $found := dict "brokers" (printf "%s-kafka-bootstrap:%s" .cluster (include "orderwalk.text" .port)) }}
{{- if .tls }}
{{- $_ := set $found "tls" (dict "enabled" true "ca" (dict "secret" (printf "%s-cluster-ca-cert" .cluster) "key" "ca.crt")) }}
{{- end }}
{{- if eq .user.authentication "tls" }}
{{- if not .tls }}{{ fail "strimzi.user.authentication is tls and strimzi.tls is false: give scram-sha-512 or none, or true" }}{{ end }}
{{- $_ := set $found.tls "client" (dict "secret" $user "certKey" "user.crt" "keyKey" "user.key") }}
{{- else if eq .user.authentication "scram-sha-512" }}
{{- $_ := set $found "sasl" (dict "mechanism" "SCRAM-SHA-512" "username" $user "password" (dict "secret" $user "key" "password")) }}
{{- end }}
{{- if not $kafka.brokers }}{{ $_ := set $kafka "brokers" $found.brokers }}{{ end }}
{{- if not $kafka.tls.enabled }}{{ $_ := set $kafka "tls" (mergeOverwrite $kafka.tls ($found.tls | default dict)) }}{{ end }}
{{- if not $kafka.sasl.mechanism }}{{ $_ := set $kafka "sasl" (mergeOverwrite $kafka.sasl ($found.sasl | default dict)) }}{{ end }}
{{- end }}
{{- end }}
{{- if not $kafka.brokers }}
{{- fail "kafka.brokers is not set: give host:port,… (or strimzi.cluster, the name of a Kafka resource)" }}
{{- end }}
{{- toYaml $kafka }}
{{- end }}

{{- define "orderwalk.strimziUser" -}}
{{- .Values.strimzi.user.name | default (include "orderwalk.fullname" .) }}
{{- end }}
