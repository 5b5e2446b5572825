package kafkaconn

import (
	"errors"
	"regexp"
	"strings"

	"github.com/segmentio/kafka-go"
)

// Worded rewrites a kafka-go error for operators. It drops the name of the library's
// method and keeps only the name of Kafka's code, because the library's explanation of a
// code fits one of several requests. The result unwraps to err.
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

// method matches the beginning of a kafka-go error: "kafka.(*Client).Metadata: ".
var method = regexp.MustCompile(`kafka\.\(\*\w+\)\.\w+: `)

type worded struct {
	text string
	err  error
}

func (e *worded) Error() string { return e.text }
func (e *worded) Unwrap() error { return e.err }

// CodeName names one of Kafka's codes. kafka-go's names for coordinator codes mention
// groups only.
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
