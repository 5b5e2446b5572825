package wechat

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// listResponse is the answer of the list call; of other calls, code and errmsg.
type listResponse struct {
	code   int
	errmsg string
	ids    []string
	next   string
	more   bool
	// hasList and hasMore report whether the answer has an order_id_list that is a
	// list, and a has_more that is a boolean.
	hasList, hasMore bool
}

// parseListResponse decodes an answer in one pass; encoding/json takes as long for a
// page as the rest of the call.
//
// It accepts the variants that clients have met: IDs as strings or numbers (never
// through a float), null or missing lists, errcode as a number or a numeric string,
// has_more as a boolean, a number or text. It counts an empty object as a missing
// list, because some servers encode an empty list so. If has_more is missing or null,
// next_key says whether there is more.
//
// It rejects everything that could make an order vanish: an ID that is neither a string
// nor a whole number, a field of a list that is given twice, two errcodes, and an answer
// with neither an errcode nor any field of a list. It also rejects what exceeds maxID and
// maxKey. silence decides about a success that leaves fields out. capacity is the number
// of IDs to make room for.
func parseListResponse(body string, capacity int) (listResponse, error) {
	var r listResponse
	// A wrong field counts only if the answer is a success.
	var code errcode
	var idsErr, nextErr, moreErr error
	var given [3]bool
	once := func(field int, wrong *error) {
		if given[field] && *wrong == nil {
			*wrong = errTwice
		}
		given[field] = true
	}
	var some bool
	s := newScanner(body)
	err := s.document(func(key string) (err error) {
		switch key {
		case "errcode":
			err = code.read(s)
		case "errmsg":
			r.errmsg, _, err = s.text()
		case "order_id_list":
			some = true
			r.ids, r.hasList, idsErr, err = s.ids(r.ids[:0], capacity)
			once(0, &idsErr)
		case "next_key":
			some = true
			r.next, nextErr, err = s.text()
			if len(r.next) > maxKey {
				nextErr = errKey
			}
			once(1, &nextErr)
		case "has_more":
			some = true
			r.more, r.hasMore, moreErr, err = s.flag()
			once(2, &moreErr)
		default:
			err = s.skip(2)
		}
		return err
	})
	switch {
	case err != nil:
		return listResponse{}, fmt.Errorf("not a JSON object: %w", err)
	case code.wrong != nil:
		return listResponse{}, fmt.Errorf("errcode: %w", code.wrong)
	case code.value != 0:
		return listResponse{code: code.value, errmsg: r.errmsg}, nil
	case idsErr != nil:
		return listResponse{}, fmt.Errorf("order_id_list: %w", idsErr)
	case nextErr != nil:
		return listResponse{}, fmt.Errorf("next_key: %w", nextErr)
	case moreErr != nil:
		return listResponse{}, fmt.Errorf("has_more: %w", moreErr)
	case !code.given && !some:
		return listResponse{}, errors.New("neither an errcode nor a list")
	}
	if !r.hasMore {
		r.more = r.next != ""
	}
	return r, nil
}

// tokenResponse is the answer of the stable_token call.
type tokenResponse struct {
	code    int
	errmsg  string
	token   string
	seconds int64 // remaining lifetime; 0 = not stated
}

func parseTokenResponse(body string) (tokenResponse, error) {
	var r tokenResponse
	var code errcode
	var tokenErr error
	s := newScanner(body)
	err := s.document(func(key string) (err error) {
		switch key {
		case "errcode":
			err = code.read(s)
		case "errmsg":
			r.errmsg, _, err = s.text()
		case "access_token":
			r.token, tokenErr, err = s.text()
		case "expires_in":
			var text string
			text, _, err = s.text()
			// A value that is not a whole number counts as missing.
			if r.seconds = 0; err == nil {
				if n, bad := strconv.ParseInt(text, 10, 64); bad == nil {
					r.seconds = n
				}
			}
		default:
			err = s.skip(2)
		}
		return err
	})
	switch {
	case err != nil:
		return tokenResponse{}, fmt.Errorf("not a JSON object: %w", err)
	case code.wrong != nil:
		return tokenResponse{}, fmt.Errorf("errcode: %w", code.wrong)
	case code.value != 0:
		return tokenResponse{code: code.value, errmsg: r.errmsg}, nil
	case tokenErr != nil:
		return tokenResponse{}, fmt.Errorf("access_token: %w", tokenErr)
	case strings.TrimSpace(r.token) == "":
		return tokenResponse{}, errors.New("neither an errcode nor an access token")
	}
	return r, nil
}

// errcode is the errcode of an answer. One that is given again must be the same: it is
// unknown which of two counts, the failure or the success.
type errcode struct {
	value int
	given bool  // not as null
	wrong error // about this field
}

func (c *errcode) read(s *scanner) error {
	value, given, wrong, err := s.code()
	switch {
	case c.wrong != nil:
		wrong = c.wrong
	case c.given && value != c.value:
		wrong = errTwice
	}
	*c = errcode{value, c.given || given, wrong}
	return err
}

// The readers below return two errors: wrong is about this field, err about the
// document.

// code reads an errcode; has is false for null.
func (s *scanner) code() (code int, has bool, wrong, err error) {
	if s.peek() == 'n' {
		return 0, false, nil, s.word("null")
	}
	text, wrong, err := s.text()
	if wrong != nil || err != nil {
		return 0, true, wrong, err
	}
	code, bad := strconv.Atoi(text)
	if bad != nil {
		return 0, true, errors.New("neither a number nor a numeric string"), nil
	}
	return code, true, nil, nil
}

// text reads a string, or a number as its own text, or null as "".
func (s *scanner) text() (text string, wrong, err error) {
	switch c := s.peek(); {
	case c == '"':
		text, err = s.str()
		if !utf8.ValidString(text) {
			wrong = errors.New("not UTF-8")
		}
		return text, wrong, err
	case c == '-' || c >= '0' && c <= '9':
		text, err = s.number()
		return text, nil, err
	case c == 'n':
		return "", nil, s.word("null")
	}
	return "", errors.New("not a string"), s.skip(2)
}

// flag reads a boolean, also as 1, 0 or text; has is false for null.
func (s *scanner) flag() (value, has bool, wrong, err error) {
	switch s.peek() {
	case 't':
		return true, true, nil, s.word("true")
	case 'f':
		return false, true, nil, s.word("false")
	case 'n':
		return false, false, nil, s.word("null")
	}
	text, wrong, err := s.text()
	switch text {
	case "true", "1":
		value = true
	case "false", "0":
	default:
		wrong = errors.New("not a boolean")
	}
	return value, true, wrong, err
}

// ids reads the order IDs into ids; has is false for null and {}.
func (s *scanner) ids(ids []string, capacity int) (_ []string, has bool, wrong, err error) {
	switch s.peek() {
	case 'n':
		return ids, false, nil, s.word("null")
	case '{':
		err = s.object(2, func(string) error {
			wrong = errNoArray
			return s.skip(3)
		})
		return ids, false, wrong, err
	case '[':
	default:
		return ids, true, errNoArray, s.skip(2)
	}
	err = s.array(2, func() error {
		if cap(ids) == 0 { // most polls find nothing
			ids = make([]string, 0, capacity)
		}
		id, bad, err := s.id()
		if bad != nil {
			wrong = bad
		}
		ids = append(ids, id)
		return err
	})
	return ids, true, wrong, err
}

var (
	errNoArray = errors.New("not an array")
	errTwice   = errors.New("given twice")
	errID      = errors.New("an ID is neither a string nor a whole number, or is empty")
	// errUnfit marks values that cannot become a record; a few repeats do not change
	// them.
	errUnfit     = errors.New("does not fit")
	errIDLong    = fmt.Errorf("an ID of more than %d bytes %w", maxID, errUnfit)
	errIDControl = fmt.Errorf("an ID with a control character %w", errUnfit)
	errKey       = fmt.Errorf("a page token of more than %d bytes %w", maxKey, errUnfit)
)

func (s *scanner) id() (id string, wrong, err error) {
	switch c := s.peek(); {
	case c == '"':
		id, err = s.str()
		switch {
		case id == "" || !utf8.ValidString(id):
			wrong = errID
		case len(id) > maxID:
			wrong = errIDLong
		case strings.ContainsFunc(id, unicode.IsControl):
			wrong = errIDControl
		}
		return id, wrong, err
	case c == '-' || c >= '0' && c <= '9':
		id, err = s.number()
		switch {
		case strings.ContainsAny(id, ".eE"):
			wrong = errID
		case len(id) > maxID:
			wrong = errIDLong
		}
		return id, wrong, err
	}
	return "", errID, s.skip(3)
}
