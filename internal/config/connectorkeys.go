package config

// ConfigKeyInfo is Kafka Connect's description of a key.
type ConfigKeyInfo struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"` // STRING, INT, DOUBLE or PASSWORD
	Required      bool     `json:"required"`
	Default       *string  `json:"default_value"`
	Importance    string   `json:"importance"` // HIGH, MEDIUM or LOW
	Documentation string   `json:"documentation"`
	Group         *string  `json:"group"`
	Width         string   `json:"width"` // NONE, SHORT, MEDIUM or LONG
	DisplayName   string   `json:"display_name"`
	Dependents    []string `json:"dependents"`
	// Kafka Connect names it order up to 4.0 and order_in_group since; clients read
	// either.
	Order        int `json:"order"`
	OrderInGroup int `json:"order_in_group"`
}

// Types, importances and widths of Kafka Connect.
const (
	typeString, typeInt, typeDouble, typePassword = "STRING", "INT", "DOUBLE", "PASSWORD"
	high, medium, low                             = "HIGH", "MEDIUM", "LOW"
	noWidth, narrow, middle, long                 = "NONE", "SHORT", "MEDIUM", "LONG"
)

// keyGroup is a group of keys in the forms that tools make of them, in order.
type keyGroup struct {
	name string
	keys []keyOf
}

type keyOf struct {
	name, kind, importance, width, title, text string
	recommended                                []string
}

const asReference = ", as ${file:/path}, ${file:/path:key} of a properties file, or ${env:NAME}; never by value"

// keyGroups are all keys.
func keyGroups() []keyGroup {
	return []keyGroup{
		{"Common", []keyOf{
			{keyName, typeString, high, middle, "Connector name", "Name of the shop over HTTP, in logs and metrics; unique.", nil},
			{keyClass, typeString, high, long, "Connector class", ConnectorClass + ", or its last part.", nil},
			{keyTasks, typeInt, high, narrow, "Tasks max", "Maximum number of tasks, at least 1; a shop has one.", nil},
			{keyTopic, typeString, high, middle, "Topic", "Topic of the order records.", nil},
			{"topic", typeString, low, middle, "Topic (name in the shops file)", "The same as " + keyTopic + ".", nil},
		}},
		{"Shop", []keyOf{
			{"app_id", typeString, high, middle, "App ID", "App ID of the shop, such as wx0123456789abcdef.", nil},
			{"time_range", typeString, high, narrow, "Time range", "create_time: each order once; update_time: one record for each change.", []string{"create_time", "update_time"}},
			{"start_time", typeString, medium, middle, "Start time", "Where the walk begins: unix seconds, RFC 3339 or a date, which is its 00:00 in Asia/Shanghai; default: the time of the first start.", nil},
			{"end_time", typeString, medium, middle, "End time", "Where the walk ends, in the same forms; default: it does not end.", nil},
			{"status", typeInt, low, narrow, "Order status", "Only orders of this status.", nil},
			{"openid", typeString, low, middle, "Buyer", "Only orders of this buyer.", nil},
			{"rate_limit", typeDouble, medium, narrow, "Rate limit", "List calls a second for the app ID.", nil},
		}},
		{"Credentials", []keyOf{
			{"auth", typeString, high, narrow, "Authorization", "How calls of the API are authorized; default: as the credentials need.", Ways()},
			{"app_secret", typePassword, high, long, "App secret", "App secret of the shop" + asReference + " (auth stable_token, token).", nil},
			{"app_secret_file", typeString, medium, long, "App secret file", "The same as a file's path.", nil},
			{"access_token", typePassword, medium, long, "Access token", "Access token that another program keeps fresh" + asReference + " (auth static).", nil},
			{"access_token_file", typeString, medium, long, "Access token file", "The same as a file's path.", nil},
			{"access_token_url", typeString, low, long, "Access token URL", "Address that gives the access token, on the server of the worker's own; {app_id} stands for the app ID (auth static).", nil},
			{"access_token_url_username", typeString, low, middle, "User name for the access token URL", "For basic authentication.", nil},
			{"access_token_url_secret", typePassword, low, long, "Secret for the access token URL", "Password, or bearer token without a user name" + asReference + ".", nil},
			{"access_token_url_secret_file", typeString, low, long, "Secret file for the access token URL", "The same as a file's path.", nil},
			{"access_token_pointer", typeString, low, middle, "Pointer to the access token", "JSON pointer in the answer of the access token URL; default: /access_token.", nil},
			{"access_token_expiry_pointer", typeString, low, middle, "Pointer to the expiry", "JSON pointer to the seconds left or the Unix time; default: /expires_in.", nil},
			{"cloud_token_file", typeString, low, long, "Cloud token file", "The hosting's token file (auth cloud_file).", nil},
			{"authorizer_refresh_token", typePassword, low, long, "Authorizer refresh token", "Refresh token of a shop of the third-party platform" + asReference + " (auth component).", nil},
			{"authorizer_refresh_token_file", typeString, low, long, "Authorizer refresh token file", "The same as a file's path.", nil},
		}},
		{"Push", []keyOf{
			{"push_token", typePassword, low, long, "Push token", "Message token of the shop's own pushes" + asReference + ".", nil},
			{"push_aes_key", typePassword, low, long, "Push AES key", "EncodingAESKey of the shop's own pushes" + asReference + ".", nil},
		}},
	}
}

// Keys returns the description of every key; the defaults are those of this worker.
func (c *Connectors) Keys() []ConfigKeyInfo {
	defaults := ConnectorConfig(c.base)
	var all []ConfigKeyInfo
	for _, group := range keyGroups() {
		for i, key := range group.keys {
			info := ConfigKeyInfo{Name: key.name, Type: key.kind, Importance: key.importance, Documentation: key.text, Group: &group.name,
				Width: key.width, DisplayName: key.title, Dependents: []string{}, Order: i + 1, OrderInGroup: i + 1}
			switch key.name {
			case keyName, keyClass, "app_id":
				info.Required = true
			case "auth":
				// It follows from the credentials.
			default:
				if value := defaults[key.name]; value != "" && key.kind != typePassword {
					info.Default = &value
				}
			}
			all = append(all, info)
		}
	}
	return all
}

// unknownInfo describes a key that does not exist; clients need a description of each.
func unknownInfo(key string) ConfigKeyInfo {
	return ConfigKeyInfo{Name: key, Type: typeString, Importance: low, Documentation: "Not a key of this connector.", Width: noWidth,
		DisplayName: key, Dependents: []string{}, Order: -1, OrderInGroup: -1}
}
