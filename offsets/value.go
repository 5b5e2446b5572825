package offsets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Version is the version of every value this program writes. Values with a higher
// version come from a newer program and are rejected.
const Version = 1

// windowFields are the fields of a window, in the values of shops and windows.
type windowFields struct {
	Start    *int64  `json:"window_start,omitempty"`
	End      *int64  `json:"window_end,omitempty"`
	From     int64   `json:"asked_from,omitempty"`
	Key      *string `json:"next_key,omitempty"`
	PageSize int     `json:"page_size,omitempty"`
	Status   int     `json:"status,omitempty"`
	OpenID   string  `json:"openid,omitempty"`
	State    State   `json:"state,omitempty"`
	Pass     int     `json:"pass,omitempty"`
	Pages    int     `json:"pages,omitempty"`
	Opened   int64   `json:"opened,omitempty"`
	Late     bool    `json:"late,omitempty"`
	Reach    int64   `json:"seen_until,omitempty"`
}

type shopValue struct {
	V         int    `json:"v"`
	Watermark *int64 `json:"watermark"`
	Begin     int64  `json:"begin,omitempty"`
	Unheard   bool   `json:"begin_unheard,omitempty"`
	Length    int64  `json:"window_length,omitempty"`
	windowFields
}

// WatermarkOf decodes only the watermark of a shop's own record. ok is false for a
// tombstone and for a value without one.
func WatermarkOf(value []byte) (watermark int64, ok bool) {
	var v struct {
		Watermark *int64 `json:"watermark"`
	}
	if json.Unmarshal(value, &v) != nil || v.Watermark == nil {
		return 0, false
	}
	return *v.Watermark, true
}

type windowValue struct {
	V int `json:"v"`
	windowFields
}

type partValue struct {
	V     int    `json:"v"`
	Count int    `json:"count"`
	IDs   string `json:"ids"`
}

func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // flat structs of primitives always encode
	return bytes.TrimRight(buf.Bytes(), "\n")
}

// decode decodes a value strictly: damage, a newer version and unknown fields are
// errors.
func decode(raw []byte, v any, version *int) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	err := dec.Decode(v)
	var probe struct {
		V *int `json:"v"`
	}
	if json.Unmarshal(raw, &probe) == nil && probe.V != nil && *probe.V > Version {
		return fmt.Errorf("version %d was written by a newer orderwalk (this one knows up to %d): run that version, or reset the checkpoint", *probe.V, Version)
	}
	if err == nil {
		if _, extra := dec.Token(); !errors.Is(extra, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	if err != nil {
		return fmt.Errorf("damaged value: %w", err)
	}
	if *version != Version {
		return fmt.Errorf("version %d is unknown", *version)
	}
	return nil
}

func fieldsOf(w *Window) windowFields {
	f := windowFields{Start: &w.Start, End: &w.End, From: w.From, PageSize: w.PageSize, Status: w.Status, OpenID: w.OpenID,
		State: w.State, Pass: w.Pass, Pages: w.Pages, Opened: w.Opened, Late: w.Late, Reach: w.Reach}
	if w.State == Open {
		f.Key = &w.Key
	}
	return f
}

// window converts the fields to a window; nil = they hold none.
func (f windowFields) window() (*Window, error) {
	if f.Start == nil && f.End == nil {
		if f != (windowFields{}) {
			return nil, errors.New("damaged value: window_start and window_end are missing")
		}
		return nil, nil
	}
	if f.Start == nil || f.End == nil {
		return nil, errors.New("damaged value: window_start or window_end is missing")
	}
	w := &Window{Start: *f.Start, End: *f.End, From: f.From, State: f.State, Pass: f.Pass, Pages: f.Pages,
		PageSize: f.PageSize, Status: f.Status, OpenID: f.OpenID, Opened: f.Opened, Late: f.Late, Reach: f.Reach}
	if f.Key != nil {
		w.Key = *f.Key
	}
	// The contract requires only start, end, key and page size of an open window that
	// an operator writes by hand.
	if w.State == "" {
		w.State = Open
	}
	if w.Pass == 0 {
		w.Pass = 1
	}
	return w, nil
}
