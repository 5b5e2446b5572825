package control

import (
	"encoding/json"
	"reflect"
)

// settings are the keys of a connector's configuration, as a call sends them. As with
// Connect numbers and booleans are taken as text.
type settings map[string]*string

// UnmarshalJSON refuses values that are objects or arrays.
func (s *settings) UnmarshalJSON(data []byte) error {
	var sent map[string]json.RawMessage
	if err := json.Unmarshal(data, &sent); err != nil || sent == nil {
		return err
	}
	*s = make(settings, len(sent))
	for key, raw := range sent {
		var text *string
		switch raw[0] {
		case '{', '[':
			return &json.UnmarshalTypeError{Value: map[byte]string{'{': "object", '[': "array"}[raw[0]], Type: reflect.TypeFor[string]()}
		case '"', 'n':
			if err := json.Unmarshal(raw, &text); err != nil {
				return err
			}
		default:
			plain := string(raw)
			text = &plain
		}
		(*s)[key] = text
	}
	return nil
}
