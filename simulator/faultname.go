package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultName describes one switch of Faults.
type FaultName struct {
	Name string
	// Type is "bool", "int", "rate" (0 to 1), "duration" (such as 1m30s), or the
	// allowed values, the default first, such as "and|empty|40097".
	Type    string
	Meaning string
}

// FaultNames returns all switches.
func FaultNames() []FaultName {
	var names []FaultName
	eachFault(&Faults{}, func(s faultSwitch) {
		names = append(names, FaultName{Name: s.name, Type: s.typeName(), Meaning: s.help})
	})
	return names
}

// ParseFault parses a switch written as "name=value". "name" alone turns a bool on;
// "chaos" or "chaos=0.5" sets all switches (see Chaos). The returned function sets
// that switch and keeps the others.
func ParseFault(text string) (func(*Faults), error) {
	name, value, hasValue := strings.Cut(text, "=")
	if name == "chaos" {
		level := 1.0
		if hasValue {
			var err error
			if level, err = parseRate(value); err != nil {
				return nil, badFault("chaos", value, rateForm)
			}
		}
		return func(f *Faults) { *f = Chaos(level) }, nil
	}
	if !hasValue {
		value = "true"
	}
	if err := (&Faults{}).set(name, value); err != nil {
		return nil, err
	}
	return func(f *Faults) { f.mustSet(name, value) }, nil
}

// Validate returns an error for switches with invalid values. A Server with such
// Faults answers every call with HTTP 500 and the reason.
func (f Faults) Validate() error {
	var errs []error
	eachFault(&f, func(s faultSwitch) {
		if err := s.set(s.text()); err != nil {
			errs = append(errs, err)
		}
	})
	return errors.Join(errs...)
}

// MarshalJSON encodes all switches under their text names, durations as text.
func (f Faults) MarshalJSON() ([]byte, error) {
	values := map[string]any{}
	eachFault(&f, func(s faultSwitch) {
		if s.isDuration() {
			values[s.name] = s.text()
			return
		}
		values[s.name] = s.value.Interface()
	})
	return json.Marshal(values)
}

// UnmarshalJSON sets the switches that the JSON names.
func (f *Faults) UnmarshalJSON(text []byte) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	changed := *f
	for name, raw := range values {
		value := string(raw)
		if strings.HasPrefix(value, `"`) {
			if err := json.Unmarshal(raw, &value); err != nil {
				return err
			}
		}
		if err := changed.set(name, value); err != nil {
			return err
		}
	}
	*f = changed
	return nil
}

// UnknownFaultError is the error for a fault name that does not exist.
type UnknownFaultError struct{ Name string }

func (e *UnknownFaultError) Error() string { return fmt.Sprintf("unknown fault %q", e.Name) }

func (f *Faults) set(name, value string) error {
	err := error(&UnknownFaultError{name})
	eachFault(f, func(s faultSwitch) {
		if s.name == name {
			err = s.set(value)
		}
	})
	return err
}

// mustSet sets a value that set has accepted before.
func (f *Faults) mustSet(name, value string) {
	eachFault(f, func(s faultSwitch) {
		if s.name == name {
			_ = s.set(value)
		}
	})
}

// faultSwitch is one field of a Faults value.
type faultSwitch struct {
	name, help string
	want       []string // the allowed values; nil = any
	value      reflect.Value
}

func eachFault(f *Faults, visit func(faultSwitch)) { eachSwitch(reflect.ValueOf(f).Elem(), visit) }

func eachSwitch(v reflect.Value, visit func(faultSwitch)) {
	for i := range v.NumField() {
		if v.Type().Field(i).Anonymous {
			eachSwitch(v.Field(i), visit)
			continue
		}
		tag := v.Type().Field(i).Tag
		s := faultSwitch{name: tag.Get("fault"), help: tag.Get("help"), value: v.Field(i)}
		if want, ok := tag.Lookup("want"); ok {
			s.want = strings.Split(want, ",")
		}
		visit(s)
	}
}

func (s faultSwitch) isDuration() bool { return s.value.Type() == reflect.TypeFor[time.Duration]() }

func (s faultSwitch) typeName() string {
	switch {
	case s.want != nil:
		return strings.Join(s.want, "|")
	case s.isDuration():
		return "duration"
	case s.value.Kind() == reflect.Float64:
		return "rate"
	}
	return s.value.Kind().String()
}

func (s faultSwitch) text() string { return fmt.Sprint(s.value.Interface()) }

// set parses and sets a value. It rejects values that are not allowed.
func (s faultSwitch) set(text string) error {
	bad := badFault(s.name, text, s.form())
	if s.want != nil {
		bad = badFault(s.name, text, "one of "+strings.Join(s.want, ", "))
	}
	if s.want != nil && text != "" && !slices.Contains(s.want, text) {
		return bad
	}
	switch {
	case s.isDuration():
		d, err := time.ParseDuration(text)
		if err != nil || d < 0 && s.name != "clock_skew" {
			return bad
		}
		s.value.SetInt(int64(d))
	case s.value.Kind() == reflect.String:
		s.value.SetString(text)
	case s.value.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return bad
		}
		s.value.SetBool(b)
	case s.value.Kind() == reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return bad
		}
		s.value.SetInt(n)
	case s.value.Kind() == reflect.Float64:
		x, err := parseRate(text)
		if err != nil {
			return bad
		}
		s.value.SetFloat(x)
	}
	return nil
}

const rateForm = "a number from 0 to 1, such as 0.2 or 20%"

// form describes how to write a value.
func (s faultSwitch) form() string {
	switch {
	case s.isDuration():
		return "a duration, such as 1m30s"
	case s.value.Kind() == reflect.Float64:
		return rateForm
	case s.value.Kind() == reflect.Bool:
		return "true or false"
	}
	return "a whole number"
}

func badFault(name, value, form string) error {
	return fmt.Errorf("fault %s: %q is not valid; give %s", name, value, form)
}

// parseRate parses a share, as a number from 0 to 1 or in per cent.
func parseRate(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		x /= 100
	}
	if err != nil || !(x >= 0 && x <= 1) {
		return 0, errors.New("not a share")
	}
	return x, nil
}
