package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// maxSpan is the longest range of a list call, in seconds.
const maxSpan = 7 * 24 * 60 * 60

// Range is a time range of a list call, in unix seconds.
type Range struct {
	Start int64 `json:"start_time"`
	End   int64 `json:"end_time"`
}

// query is a decoded list call.
type query struct {
	create, update *Range
	status         *int64
	openID         string
	pageSize       int64
	nextKey        string
	nullRange      bool // a range was null, which the faults allow
}

// hash binds a next_key to the other parameters of its call.
func (q query) hash() uint64 {
	h := mix(uint64(q.pageSize), mixString(q.openID))
	for _, r := range []*Range{q.create, q.update} {
		if r != nil {
			h = mix(h, 1, uint64(r.Start), uint64(r.End))
		} else {
			h = mix(h, 0)
		}
	}
	if q.status != nil {
		return mix(h, 1, uint64(*q.status))
	}
	return h
}

// refusal is the reason for refusing a query; code 0 = none.
type refusal struct {
	code      int
	detail    string
	violation string // for Stats.Violations
}

func wrongType(field string) refusal {
	return refusal{code: codeBody, detail: field, violation: "wrong_type"}
}

func wrongValue(violation, format string, args ...any) refusal {
	return refusal{code: codeArgument, detail: fmt.Sprintf(format, args...), violation: violation}
}

// parseQuery decodes the body of a list call. It reports wrong types before wrong
// values.
func parseQuery(fields map[string]json.RawMessage, f *Faults) (query, refusal) {
	q := query{pageSize: 10}
	if fields == nil {
		return q, refusal{code: codeBody, detail: "not a JSON object", violation: "not_json"}
	}
	var badType, badValue refusal
	number := func(in map[string]json.RawMessage, name string) *int64 {
		raw, ok := in[name]
		if !ok || isNull(raw) {
			return nil
		}
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			badType = wrongType(name)
		}
		return &n
	}
	text := func(name string) (s string) {
		raw, ok := fields[name]
		if ok && json.Unmarshal(raw, &s) != nil {
			badType = wrongType(name)
		}
		return s
	}
	span := func(name string) *Range {
		raw, ok := fields[name]
		if !ok {
			return nil
		}
		if isNull(raw) {
			if f.NullRange == "reject" {
				badValue = wrongValue("null_range", "%s is null", name)
			}
			q.nullRange = true
			return nil
		}
		ends := object(raw)
		if ends == nil {
			badType = wrongType(name)
			return nil
		}
		start, end := number(ends, "start_time"), number(ends, "end_time")
		if start == nil || end == nil {
			badValue = wrongValue("half_range", "%s needs start_time and end_time", name)
			return nil
		}
		return &Range{Start: *start, End: *end}
	}
	q.create, q.update = span("create_time_range"), span("update_time_range")
	q.status = number(fields, "status")
	if n := number(fields, "page_size"); n != nil {
		q.pageSize = *n
	}
	q.openID, q.nextKey = text("openid"), text("next_key")
	switch {
	case badType.code != 0:
		return q, badType
	case badValue.code != 0:
		return q, badValue
	}
	return q, q.check(f)
}

// check validates the values.
func (q query) check(f *Faults) refusal {
	if q.create == nil && q.update == nil {
		return wrongValue("no_range", "create_time_range or update_time_range is required")
	}
	if q.create != nil && q.update != nil && f.BothRanges == "40097" {
		return wrongValue("both_ranges", "create_time_range and update_time_range together")
	}
	for _, r := range []*Range{q.create, q.update} {
		switch {
		case r == nil:
		case r.Start < 0 || r.Start > r.End:
			return wrongValue("range_order", "start_time is after end_time")
		case r.Start == r.End && f.PointRange == "40097":
			return wrongValue("point_range", "start_time is not before end_time")
		case r.End-r.Start > maxSpan, r.End-r.Start == maxSpan && f.MaxSpanExact == "deny":
			return wrongValue("span", "time range is longer than 7 days")
		}
	}
	if q.pageSize < 1 || q.pageSize > 100 {
		return wrongValue("page_size", "page_size is not within 1 to 100")
	}
	return refusal{}
}

func isNull(raw json.RawMessage) bool { return bytes.Equal(raw, []byte("null")) }

// object decodes a JSON object's fields; nil if it is no object. Names are
// case-sensitive, unlike in struct decoding.
func object(raw []byte) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return nil
	}
	return fields
}
