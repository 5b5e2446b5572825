package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ConfigInfos is Kafka Connect's answer to the validation of a configuration. No slice in
// it is nil.
type ConfigInfos struct {
	Name       string       `json:"name"` // the class, as it was sent
	ErrorCount int          `json:"error_count"`
	Groups     []string     `json:"groups"`
	Configs    []ConfigInfo `json:"configs"`
}

// ConfigInfo is one key of it.
type ConfigInfo struct {
	Definition ConfigKeyInfo   `json:"definition"`
	Value      ConfigValueInfo `json:"value"`
}

// ConfigValueInfo is the value of a key with its faults. Value is the default if the key
// is not sent, and HiddenSecret for what may be a secret by value.
type ConfigValueInfo struct {
	Name        string   `json:"name"`
	Value       *string  `json:"value"`
	Recommended []string `json:"recommended_values"`
	Errors      []string `json:"errors"`
	Visible     bool     `json:"visible"`
}

// InvalidError is a configuration with faults, in Kafka Connect's words.
type InvalidError struct{ Texts []string }

// Error lists the faults, a line each.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("Connector configuration is invalid and contains the following %d error(s):\n%s\n"+
		"You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
		len(e.Texts), strings.Join(e.Texts, "\n"))
}

// Err returns an *InvalidError with all faults; nil if there are none.
func (i ConfigInfos) Err() error {
	var texts []string
	for _, c := range i.Configs {
		texts = append(texts, c.Value.Errors...)
	}
	if len(texts) == 0 {
		return nil
	}
	return &InvalidError{texts}
}

// infos describes a configuration that has been read.
func (c *Connectors) infos(sent map[string]string, r *reading) ConfigInfos {
	infos := ConfigInfos{Name: ConnectorClass, Groups: []string{}}
	if class := strings.TrimSpace(sent[keyClass]); IsConnectorClass(class) {
		infos.Name = class
	}
	recommended := make(map[string][]string)
	for _, group := range keyGroups() {
		infos.Groups = append(infos.Groups, group.name)
		for _, key := range group.keys {
			recommended[key.name] = key.recommended
		}
	}
	texts := maps.Clone(r.wrong)
	for _, fault := range r.faults {
		texts[fault.Where] = append(texts[fault.Where], fault.String())
	}
	definitions := c.Keys()
	for _, key := range r.unknown {
		definitions = append(definitions, unknownInfo(key))
	}
	for _, definition := range definitions {
		key := definition.Name
		v := ConfigValueInfo{Name: key, Value: definition.Default, Errors: texts[key], Visible: true,
			Recommended: append([]string{}, recommended[key]...)}
		if value, ok := sent[key]; ok {
			v.Value = shownValue(key, value, len(v.Errors) > 0)
		}
		if v.Errors == nil {
			v.Errors = []string{}
		}
		infos.ErrorCount += len(v.Errors)
		infos.Configs = append(infos.Configs, ConfigInfo{definition, v})
	}
	return infos
}

// shownValue returns a value as it was sent, or HiddenSecret if it may be a secret: of an
// unknown key, of a secret that is no reference, or one with faults that looks like one.
func shownValue(key, value string, faulty bool) *string {
	hide := !isKey(key)
	switch {
	case slices.Contains(secretFields, key):
		_, err := parseReference(strings.TrimSpace(value))
		hide = err != nil && value != ""
	case faulty && isKey(key):
		hide = len(value) >= leastMixed && (mixed(value) || len(value) >= leastHidden)
	}
	if hide {
		value = HiddenSecret
	}
	return &value
}
