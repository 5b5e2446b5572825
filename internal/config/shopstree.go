package config

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of the shops file, many times the size of ten thousand shops with every
// field. A worker reads the file while it runs: a file that is too large or too
// deeply nested must not exhaust the memory or the stack of the process.
const (
	maxShopsFile  = 16 << 20 // bytes
	maxShopsDepth = 16
	// maxShopsParts bounds the values and, for YAML, the separators.
	maxShopsParts = 500_000
	// maxValue bounds one value, in bytes: many times the length of a token.
	maxValue = 8 << 10
)

var (
	errTooDeep = fmt.Errorf("it is nested deeper than %d", maxShopsDepth)
	errTooMany = fmt.Errorf("it has more than %d values", maxShopsParts)
)

// readShopsFile reads the file, which may be a pipe, up to maxShopsFile bytes. was is the
// file as it was just before.
func readShopsFile(path string) (data []byte, was FileState, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, FileState{}, err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil {
		was = FileState{info.ModTime(), info.Size()}
	}
	data, err = io.ReadAll(io.LimitReader(file, maxShopsFile+1))
	if err == nil && len(data) > maxShopsFile {
		err = fmt.Errorf("it has more than %d MiB", maxShopsFile>>20)
	}
	return data, was, err
}

// FileState is the part of a file's metadata that shows a change. Kubernetes swaps a
// symbolic link, which Look follows.
type FileState struct {
	modified time.Time
	size     int64
}

// Look returns the present state of a file; zero = it cannot be seen.
func Look(file string) FileState {
	info, err := os.Stat(file)
	if err != nil {
		return FileState{}
	}
	return FileState{info.ModTime(), info.Size()}
}

// parseTree parses YAML, or JSON if the text begins with a brace: the YAML library
// rejects some JSON (tabs, escaped surrogate pairs). Its errors quote nothing of
// the file.
func parseTree(data []byte) (*yaml.Node, error) {
	data = bytes.TrimPrefix(fromUTF16(data), []byte("\ufeff"))
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseJSON(data)
	}
	if err := boundYAML(data); err != nil {
		return nil, err
	}
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) || (err == nil && len(doc.Content) == 0) {
		return nil, nil
	}
	if err != nil {
		return nil, yamlFault(data, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has more than one YAML document")
	}
	return target(doc.Content[0]), nil
}

// fromUTF16 converts a text with UTF-16's byte order mark, as PowerShell writes it,
// to UTF-8.
func fromUTF16(data []byte) []byte {
	order := binary.ByteOrder(binary.LittleEndian)
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return data
	}
	text := make([]byte, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		r := rune(order.Uint16(data[i:]))
		if utf16.IsSurrogate(r) && i+3 < len(data) {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(data[i+2:]))); pair != unicode.ReplacementChar {
				r, i = pair, i+2
			}
		}
		text = utf8.AppendRune(text, r)
	}
	return text
}

// boundYAML rejects a text whose tree would be too large; the library has no such
// bound. Every YAML value but the first follows one of these separators, so a
// separator adds at most two values (a key and an empty value).
func boundYAML(data []byte) error {
	parts := 0
	for i, c := range data {
		switch c {
		case '\n', '\r', ',', '[', '{':
		case '-', '?', ':':
			if i+1 < len(data) && data[i+1] > ' ' {
				continue
			}
		default:
			continue
		}
		if parts++; parts > maxShopsParts {
			return errTooMany
		}
	}
	return nil
}

// yamlFaults matches the library's errors for common mistakes that quote nothing.
var yamlFaults = regexp.MustCompile(`^(line \d+: )?(mapping values are not allowed in this context|` +
	`could not find expected ':'|did not find expected (key|node content|'-' indicator|',' or '\]'|',' or '\}'|` +
	`alphabetic or numeric character|whitespace or line break)|found (` +
	`a tab character that violates indentation|unexpected end of stream|unknown escape character)|` +
	`block sequence entries are not allowed in this context|control characters are not allowed)$`)

// indentedByTab returns the first line that is indented by a tab; 0 = none.
func indentedByTab(data []byte) int {
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if text := strings.TrimLeft(line, " \t"); strings.TrimSpace(text) != "" && strings.Contains(line[:len(line)-len(text)], "\t") {
			return n
		}
	}
	return 0
}

// yamlFault returns the library's error, with its line, if its text is known to
// quote nothing, and a general error otherwise: the library quotes the names of
// aliases, and it takes a secret that begins with * for one.
func yamlFault(data []byte, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := regexp.MustCompile(`^line \d+: `).FindString(text)
	if text == line+"found character that cannot start any token" {
		if n := indentedByTab(data); n > 0 {
			return fmt.Errorf("line %d: it is indented by a tab, which YAML does not allow: use spaces", n)
		}
		return errors.New(line + "a value that begins with @, % or ` must be in quotes")
	}
	if yamlFaults.MatchString(text) {
		return errors.New(text)
	}
	if name, ok := strings.CutPrefix(text, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "' referenced")
		if at := bytes.Index(data, []byte("*"+name)); at >= 0 {
			line = fmt.Sprintf("line %d: ", lineAt(data, at))
		}
		return errors.New(line + "a value that begins with * must be in quotes")
	}
	return errors.New(line + "it is not valid YAML; a value with special characters must be in quotes")
}

func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(offset, len(data))], []byte("\n"))
}

func parseJSON(data []byte) (*yaml.Node, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	reader := jsonReader{data: data, decoder: decoder, line: 1}
	root, err := reader.node(1)
	if err != nil {
		return nil, reader.fault(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it has text after the end of the JSON")
	}
	return root, nil
}

// jsonReader reads JSON into the nodes that YAML parsing would return.
// (encoding/json's maps would lose a field that is given twice.)
type jsonReader struct {
	data    []byte
	decoder *json.Decoder
	values  int
	counted int // bytes of data whose lines are counted in line
	line    int
}

// fault returns the error with its line.
func (r *jsonReader) fault(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON ends too early")
	}
	line, syntax := r.lineNow(), (*json.SyntaxError)(nil)
	switch {
	case errors.As(err, &syntax):
		line = lineAt(r.data, int(syntax.Offset))
	case !errors.Is(err, errTooDeep) && !errors.Is(err, errTooMany):
		err = errors.New("it is not valid JSON") // another error may quote a value
	}
	return fmt.Errorf("line %d: %w", line, err)
}

// lineNow returns the line of the last token.
func (r *jsonReader) lineNow() int {
	now := min(int(r.decoder.InputOffset()), len(r.data))
	r.line += bytes.Count(r.data[r.counted:now], []byte("\n"))
	r.counted = now
	return r.line
}

// node reads one value at the given depth of nesting.
func (r *jsonReader) node(depth int) (*yaml.Node, error) {
	if depth > maxShopsDepth {
		return nil, errTooDeep
	}
	if r.values++; r.values > maxShopsParts {
		return nil, errTooMany
	}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	node := &yaml.Node{Kind: yaml.ScalarNode, Line: r.lineNow()}
	switch t := token.(type) {
	case json.Delim:
		node.Kind = yaml.SequenceNode
		if t == '{' {
			node.Kind = yaml.MappingNode
		}
		for r.decoder.More() {
			child, err := r.node(depth + 1)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		_, err := r.decoder.Token() // the closing bracket
		return node, err
	case nil:
		node.Tag = "!!null"
	case bool:
		node.Value = strconv.FormatBool(t)
	case json.Number:
		node.Value = t.String()
	default:
		node.Value = fmt.Sprint(t)
	}
	return node, nil
}
