{{- /* One variable; nothing when the value is not given, so that the program's
own default holds. */}}
{{- define "orderwalk.var" -}}
{{- $name := index . 0 }}
{{- $value := include "orderwalk.text" (index . 1) }}
{{- if $value }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- /* The environment of every pod of this chart. test/deploy compares it
with `orderwalk config`: each variable is set here, or said there not to be. */}}
{{- define "orderwalk.env" -}}
{{- $v := .Values }}
{{- $kafka := include "orderwalk.kafka" . | fromYaml }}
{{- $sasl := $kafka.sasl }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_BROKERS" $kafka.brokers) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_TLS_ENABLE" ($kafka.tls.enabled | ternary "true" "")) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_TLS_CA_FILE" (include "orderwalk.secretFile" $kafka.tls.ca)) }}
{{- with $kafka.tls.client }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_TLS_CERT_FILE" (include "orderwalk.secretFile" (dict "secret" .secret "key" .certKey))) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_TLS_KEY_FILE" (include "orderwalk.secretFile" (dict "secret" .secret "key" .keyKey))) }}
{{- end }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_TLS_SERVER_NAME" $kafka.tls.serverName) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_SASL_MECHANISM" $sasl.mechanism) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_SASL_USERNAME" $sasl.username) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_SASL_PASSWORD_FILE" (include "orderwalk.secretFile" $sasl.password)) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_SASL_TOKEN_FILE" (include "orderwalk.tokenFile" $sasl)) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_SASL_TOKEN_URL" $sasl.tokenUrl) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_SASL_CLIENT_ID" $sasl.clientId) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_SASL_CLIENT_SECRET_FILE" (include "orderwalk.secretFile" $sasl.clientSecret)) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_SASL_SCOPE" $sasl.scope) }}
{{- include "orderwalk.var" (list "ORDERWALK_KAFKA_SASL_EXTENSIONS" $sasl.extensions) }}
{{- with $v.topics }}
{{- include "orderwalk.var" (list "ORDERWALK_TOPIC" .orders.name) }}
{{- include "orderwalk.var" (list "ORDERWALK_TOPIC_PARTITIONS" .orders.partitions) }}
{{- include "orderwalk.var" (list "ORDERWALK_FORMAT" .orders.format) }}
{{- include "orderwalk.var" (list "ORDERWALK_COMPRESSION" .orders.compression) }}
{{- include "orderwalk.var" (list "ORDERWALK_OFFSETS_TOPIC" .offsets.name) }}
{{- include "orderwalk.var" (list "ORDERWALK_OFFSETS_PARTITIONS" .offsets.partitions) }}
{{- include "orderwalk.var" (list "ORDERWALK_REPLICATION_FACTOR" .replicationFactor) }}
{{- end }}
{{- include "orderwalk.var" (list "ORDERWALK_GROUP" $v.group) }}
{{- include "orderwalk.var" (list "ORDERWALK_SESSION_TIMEOUT" $v.sessionTimeout) }}
{{- include "orderwalk.var" (list "ORDERWALK_TRANSACTION_TIMEOUT" $v.transactionTimeout) }}
{{- include "orderwalk.var" (list "ORDERWALK_SHOPS_FILE" (include "orderwalk.shopsFile" .)) }}
{{- include "orderwalk.var" (list "ORDERWALK_SHOPS" ($v.authorizedShops.enabled | ternary "authorized" "")) }}
{{- include "orderwalk.var" (list "ORDERWALK_API_URL" $v.api.url) }}
{{- include "orderwalk.var" (list "ORDERWALK_AUTH" $v.api.auth) }}
{{- include "orderwalk.var" (list "ORDERWALK_CLOUD_TOKEN_FILE" $v.api.cloudTokenFile) }}
{{- with $v.api }}
{{- include "orderwalk.var" (list "ORDERWALK_ACCESS_TOKEN_URL" .accessTokenUrl) }}
{{- include "orderwalk.var" (list "ORDERWALK_ACCESS_TOKEN_URL_USERNAME" .accessTokenUrlUsername) }}
{{- include "orderwalk.var" (list "ORDERWALK_ACCESS_TOKEN_URL_SECRET_FILE" (include "orderwalk.secretFile" .accessTokenUrlSecret)) }}
{{- include "orderwalk.var" (list "ORDERWALK_ACCESS_TOKEN_POINTER" .accessTokenPointer) }}
{{- include "orderwalk.var" (list "ORDERWALK_ACCESS_TOKEN_EXPIRY_POINTER" .accessTokenExpiryPointer) }}
{{- end }}
{{- with $v.component }}
{{- include "orderwalk.var" (list "ORDERWALK_COMPONENT_APP_ID" .appId) }}
{{- include "orderwalk.var" (list "ORDERWALK_COMPONENT_APP_SECRET_FILE" (include "orderwalk.secretFile" .appSecret)) }}
{{- include "orderwalk.var" (list "ORDERWALK_COMPONENT_VERIFY_TICKET_FILE" (include "orderwalk.secretFile" .verifyTicket)) }}
{{- include "orderwalk.var" (list "ORDERWALK_STATE_KEY_FILE" (include "orderwalk.secretFile" .stateKey)) }}
{{- end }}
{{- with $v.push }}
{{- if .enabled }}
{{- include "orderwalk.var" (list "ORDERWALK_PUSH_LISTEN" ":8085") }}
{{- include "orderwalk.var" (list "ORDERWALK_PUSH_TOKEN_FILE" (include "orderwalk.secretFile" .token)) }}
{{- include "orderwalk.var" (list "ORDERWALK_PUSH_AES_KEY_FILE" (include "orderwalk.secretFile" .aesKey)) }}
{{- end }}
{{- end }}
{{- with $v.walk }}
{{- include "orderwalk.var" (list "ORDERWALK_TIME_RANGE" .timeRange) }}
{{- include "orderwalk.var" (list "ORDERWALK_START_TIME" .startTime) }}
{{- include "orderwalk.var" (list "ORDERWALK_END_TIME" .endTime) }}
{{- include "orderwalk.var" (list "ORDERWALK_STATUS" .status) }}
{{- include "orderwalk.var" (list "ORDERWALK_OPENID" .openid) }}
{{- include "orderwalk.var" (list "ORDERWALK_PAGE_SIZE" .pageSize) }}
{{- include "orderwalk.var" (list "ORDERWALK_MAX_WINDOW" .maxWindow) }}
{{- include "orderwalk.var" (list "ORDERWALK_MIN_WINDOW" .minWindow) }}
{{- include "orderwalk.var" (list "ORDERWALK_POLL_INTERVAL" .pollInterval) }}
{{- include "orderwalk.var" (list "ORDERWALK_POLL_INTERVAL_MAX" .pollIntervalMax) }}
{{- include "orderwalk.var" (list "ORDERWALK_SETTLE_DELAY" .settleDelay) }}
{{- include "orderwalk.var" (list "ORDERWALK_PUBLISH_EARLY" (.publishEarly | ternary "true" "")) }}
{{- include "orderwalk.var" (list "ORDERWALK_LOOKBACK" .lookback) }}
{{- include "orderwalk.var" (list "ORDERWALK_CONCURRENCY" .concurrency) }}
{{- include "orderwalk.var" (list "ORDERWALK_RATE_LIMIT" .rateLimit) }}
{{- include "orderwalk.var" (list "ORDERWALK_QUOTA_LIVE_SHARE" .quotaLiveShare) }}
{{- end }}
{{- include "orderwalk.var" (list "ORDERWALK_LISTEN" ":8083") }}
{{- include "orderwalk.var" (list "ORDERWALK_REST_TOKEN_FILE" (include "orderwalk.secretFile" $v.rest.token)) }}
{{- include "orderwalk.var" (list "ORDERWALK_REST_SECRET_DIRS" (join "," $v.rest.secretDirs)) }}
{{- with $v.rest.tls }}
{{- if and .clientCa.secret (not .certificate.secret) }}
{{- fail "rest.tls.clientCa: client certificates need TLS: give rest.tls.certificate" }}
{{- end }}
{{- include "orderwalk.var" (list "ORDERWALK_LISTEN_TLS_CERT_FILE" (include "orderwalk.secretFile" (dict "secret" .certificate.secret "key" .certificate.certKey))) }}
{{- include "orderwalk.var" (list "ORDERWALK_LISTEN_TLS_KEY_FILE" (include "orderwalk.secretFile" (dict "secret" .certificate.secret "key" .certificate.keyKey))) }}
{{- include "orderwalk.var" (list "ORDERWALK_LISTEN_TLS_CLIENT_CA_FILE" (include "orderwalk.secretFile" .clientCa)) }}
{{- end }}
{{- include "orderwalk.var" (list "ORDERWALK_LOG_LEVEL" $v.log.level) }}
{{- include "orderwalk.var" (list "ORDERWALK_LOG_FORMAT" $v.log.format) }}
{{- include "orderwalk.var" (list "GOMEMLIMIT" (include "orderwalk.goMemLimit" (dict "resources" .resources "percent" $v.goMemLimitPercent))) }}
{{- with $v.extraEnv }}
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}

{{- define "orderwalk.tokenFile" -}}
{{- if .serviceAccountToken.audience }}/run/orderwalk/tokens/kafka{{ else }}{{ include "orderwalk.secretFile" .token }}{{ end }}
{{- end }}

{{- define "orderwalk.shopsFile" -}}
{{- with .Values.shopsFile }}
{{- if .secret }}{{ include "orderwalk.secretFile" . }}{{ else }}/etc/orderwalk/{{ if .configMap }}{{ .key }}{{ else }}shops.yaml{{ end }}{{ end }}
{{- end }}
{{- end }}
