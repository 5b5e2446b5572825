package push

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"strings"
)

var (
	errPlaintext = errors.New("is not encrypted")
	// errUnreadable replaces the decoders' errors, which quote the message.
	errUnreadable = errors.New("is neither JSON nor XML as the vendor writes it")
)

// envelope returns the ciphertext of a push's body, JSON or XML.
func envelope(body []byte) (encrypted string, err error) {
	var in struct {
		XMLName xml.Name `json:"-" xml:"xml"`
		Encrypt text     `json:"Encrypt" xml:"Encrypt"`
	}
	if err := decode(body, &in); err != nil {
		return "", err
	}
	if in.Encrypt == "" {
		return "", errPlaintext
	}
	return string(in.Encrypt), nil
}

// decode detects and decodes JSON or XML. encoding/xml rejects entities that a
// document defines, so the input cannot expand.
func decode(data []byte, into any) error {
	data = bytes.TrimSpace(data)
	unmarshal := json.Unmarshal
	if bytes.HasPrefix(data, []byte("<")) {
		unmarshal = xml.Unmarshal
	}
	if unmarshal(data, into) != nil {
		return errUnreadable
	}
	return nil
}

// text is a JSON string or whole number, or the content of an XML element, kept as
// text so that no digit of an ID is lost.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	switch {
	case string(raw) == "null":
		*t = ""
	case raw[0] == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		*t = text(strings.TrimSpace(s))
	case isDigits(string(raw)):
		*t = text(raw)
	default:
		return errUnreadable
	}
	return nil
}

func (t *text) UnmarshalText(raw []byte) error {
	*t = text(bytes.TrimSpace(raw))
	return nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isName reports whether a text can be an app ID, an order ID or an event name.
func isName(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	return s != "" && len(s) <= 64 && strings.Trim(s, letters) == ""
}
