package kafkaconn

import (
	"errors"
	"regexp"
	"strings"

	"github.com/segmentio/kafka-go"
)

// Worded is an error of kafka-go's in words for an operator: without the name of
// the library's method, and with Kafka's code by its name alone, since what the
// library explains it with is about one request of several. It unwraps to err.
func Worded(err error) error {
	if err == nil {
		return nil
	}
	text := method.ReplaceAllString(err.Error(), "")
	var code kafka.Error
	if errors.As(err, &code) {
		text = strings.ReplaceAll(text, code.Error(), CodeName(code))
	}
	if text == err.Error() {
		return err
	}
	return &worded{text, err}
}

// method is how kafka-go begins an error: "kafka.(*Client).Metadata: ".
var method = regexp.MustCompile(`kafka\.\(\*\w+\)\.\w+: `)

type worded struct {
	text string
	err  error
}

func (e *worded) Error() string { return e.text }
func (e *worded) Unwrap() error { return e.err }

// CodeName names one of Kafka's codes. kafka-go calls every coordinator that of a
// group.
func CodeName(code kafka.Error) string {
	switch code {
	case kafka.GroupLoadInProgress:
		return "Coordinator Load In Progress"
	case kafka.GroupCoordinatorNotAvailable:
		return "Coordinator Not Available"
	case kafka.NotCoordinatorForGroup:
		return "Not Coordinator"
	}
	if title := code.Title(); title != "" {
		return title
	}
	return "error " + strings.TrimPrefix(strings.SplitN(code.Error(), "]", 2)[0], "[")
}
