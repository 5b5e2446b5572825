package config

import "strconv"

// ConnectorConfig returns a shop of the shops file or the variables as the configuration
// of a connector. Secrets are references, or HiddenSecret if the shops file holds them
// itself.
func ConnectorConfig(s Shop) map[string]string {
	out := map[string]string{
		keyName: s.Name, keyClass: ConnectorClass, keyTasks: "1", keyTopic: s.Topic,
		"app_id": s.AppID, "auth": s.Auth, "time_range": s.TimeRange,
		"rate_limit": strconv.FormatFloat(s.RateLimit, 'f', -1, 64),
	}
	for _, field := range credentialsOf(s.Auth) {
		if reference := s.References[field]; reference != "" {
			out[field] = reference
		}
	}
	if t := s.TokenServer; s.Auth == authStatic && t.URL != "" {
		for key, value := range map[string]string{"access_token_url": t.Shown(), "access_token_url_username": t.User,
			"access_token_pointer": t.Pointer, "access_token_expiry_pointer": t.ExpiryPointer} {
			if value != "" {
				out[key] = value
			}
		}
	}
	if s.Auth == authCloudFile {
		out["cloud_token_file"] = s.CloudTokenFile
	}
	if s.Start > 0 {
		out["start_time"] = strconv.FormatInt(s.Start, 10)
	}
	if s.End > 0 {
		out["end_time"] = strconv.FormatInt(s.End, 10)
	}
	if s.Status > 0 {
		out["status"] = strconv.Itoa(s.Status)
	}
	if s.OpenID != "" {
		out["openid"] = s.OpenID
	}
	return out
}

// credentialsOf lists the fields of secrets that a shop with this auth uses.
func credentialsOf(auth string) []string {
	fields := []string{"push_token", "push_aes_key"}
	switch auth {
	case authStableToken, authToken:
		fields = append(fields, "app_secret")
	case authStatic:
		fields = append(fields, "access_token", "access_token_url_secret")
	case authComponent:
		fields = append(fields, "authorizer_refresh_token")
	}
	return fields
}
