package access

import (
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// bare is a request that kafka-go's Transport does not recognise. It would
// answer a Metadata request from its cache, which has neither the authorized
// operations nor topics one may not see; and after a CreateTopics request that
// succeeds it would wait for the topic, which a validation does not create. It
// recognises both by their type, and lets a RawExchanger write and read for
// itself. Any broker gets it: rights are looked at before the question whether
// the broker is the one to answer.
type bare struct {
	protocol.Message
	clientID string
	first    bool  // the first version, whatever is offered
	version  int16 // agreed with the broker
}

func (m *bare) Required(versions map[protocol.ApiKey]int16) bool {
	if !m.first {
		m.version = versions[m.ApiKey()]
	}
	return true
}

func (m *bare) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	const correlation = 1
	res, err := protocol.RoundTrip(rw, m.version, correlation, m.clientID, m.Message)
	if err != nil {
		return nil, err
	}
	return bareAnswer{res, m.version}, nil
}

// bareAnswer is not recognised either.
type bareAnswer struct {
	protocol.Message
	version int16
}
