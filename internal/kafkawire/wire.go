// Package kafkawire sends single requests to Kafka through a kafka-go transport, to the
// broker that the caller chooses. It avoids what the transport does by itself: answering
// metadata from its cache, looking up the coordinator before each transactional request,
// and sending heartbeats to whichever broker it is connected to. It does not interpret
// requests and answers; its users internal/txn, internal/group, internal/topics and
// internal/access do.
//
// kafka-go's public API supports this: a BrokerMessage goes to the broker it names, a
// GroupMessage to the group's coordinator, and a RawExchanger writes and reads on the
// connection itself.
package kafkawire

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Wire sends requests to one cluster.
type Wire struct {
	Addr      net.Addr // bootstrap brokers
	Transport *kafka.Transport
}

// Request is a request with the way to send it.
type Request struct {
	Message protocol.Message
	// Limit bounds the wait for the answer. kafka-go closes the connection then, so a
	// later answer is never read. If the context ends earlier, the request continues
	// unattended until the limit.
	Limit time.Duration
	// FirstVersion selects the API's first version. Otherwise the latest that both the
	// broker and kafka-go support is sent.
	FirstVersion bool
	// Read, if set, decodes the answer's bytes after its size; nil = kafka-go decodes
	// it.
	Read func(version int16, body []byte) (protocol.Message, error)
	// Write, if set, encodes the request in the version that Answer.Version returns; nil =
	// kafka-go encodes it.
	Write func(w io.Writer, version int16, correlation int32, clientID string) error
}

// Answer is an answer and its version.
type Answer struct {
	Message protocol.Message
	Version int16
}

// ToBroker sends a request to a broker.
func (w Wire) ToBroker(ctx context.Context, node int32, r Request) (Answer, error) {
	return w.send(ctx, r, func(x exchange) protocol.Message { return &toBroker{x, node} })
}

// ToGroup sends a request to the coordinator of a consumer group.
func (w Wire) ToGroup(ctx context.Context, group string, r Request) (Answer, error) {
	return w.send(ctx, r, func(x exchange) protocol.Message { return &toGroup{x, group} })
}

// ToAny sends a request to any broker. The transport does not recognise the request, so
// it neither answers it from its cache nor waits for a topic that it creates.
func (w Wire) ToAny(ctx context.Context, r Request) (Answer, error) {
	return w.send(ctx, r, func(x exchange) protocol.Message { return &x })
}

func (w Wire) send(ctx context.Context, r Request, message func(exchange) protocol.Message) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	answer, err := w.Transport.RoundTrip(ctx, w.Addr, message(exchange{Message: r.Message, request: r, clientID: w.Transport.ClientID}))
	if err != nil {
		return Answer{}, err
	}
	a := answer.(*received)
	return Answer{a.Message, a.version}, nil
}

// correlation may be the same for all requests: kafka-go has one request in flight per
// connection, and closes a connection whose answer is overdue.
const correlation = 1

// exchange is a request in flight.
type exchange struct {
	protocol.Message
	request  Request
	clientID string
	version  int16 // agreed with the broker
}

// Required stores the version.
func (x *exchange) Required(versions map[protocol.ApiKey]int16) bool {
	if !x.request.FirstVersion {
		x.version = versions[x.ApiKey()]
	}
	return true
}

func (x *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	var err error
	if x.request.Write != nil {
		err = x.request.Write(rw, x.version, correlation, x.clientID)
	} else {
		err = protocol.WriteRequest(rw, x.version, correlation, x.clientID, x.Message)
	}
	if err != nil {
		return nil, err
	}
	m, err := x.read(rw)
	if err != nil {
		return nil, err
	}
	return &received{m, x.version}, nil
}

func (x *exchange) read(r io.Reader) (protocol.Message, error) {
	if x.request.Read == nil {
		_, m, err := protocol.ReadResponse(r, x.ApiKey(), x.version)
		return m, err
	}
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	return x.request.Read(x.version, body)
}

// received is an answer that the transport does not recognise.
type received struct {
	protocol.Message
	version int16
}

type toBroker struct {
	exchange
	node int32
}

// Broker names the broker to the transport.
func (m *toBroker) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: m.node}, nil
}

type toGroup struct {
	exchange
	group string
}

// Group names the group to the transport.
func (m *toGroup) Group() string { return m.group }

// maxBody bounds an answer's size.
const maxBody = 256 << 20

// readBody reads an answer: its size, then that many bytes.
func readBody(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxBody {
		return nil, fmt.Errorf("invalid answer size of %d bytes", n)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(r, body)
	return body, err
}
